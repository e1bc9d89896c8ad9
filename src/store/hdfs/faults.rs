//! The meaning of HDFS's errors: the class of the Java exception, and for some the text.

use crate::fault::{Fault, FaultKind};
use hdfs_native::HdfsError;

const SAFE_MODE: &str = "the NameNode is in safe mode and changes nothing: wait until it has started, or leave it with \
                         `hdfs dfsadmin -safemode leave`";
const STANDBY: &str = "no NameNode is active: see `hdfs haadmin -getAllServiceState`";
const QUOTA: &str =
    "the quota of the folder is used up: see `hdfs dfs -count -q`, run `sacker gc --delete`, or raise it";
const FULL: &str =
    "no DataNode has space: see `hdfs dfsadmin -report`, run `sacker gc --delete`, or add some";
const DATANODES: &str = "the DataNodes can't be reached, or have no space: see `hdfs dfsadmin -report`; a client connects to each of them";
const NO_PERMISSION: &str =
    "check the user (HADOOP_USER_NAME, or the Kerberos ticket), and the permissions with `hdfs dfs -ls -d`";
const KERBEROS: &str =
    "check the Kerberos ticket with `klist`, HADOOP_CONF_DIR, and that libgssapi_krb5 is installed";
const ERASURE_CODED: &str =
    "use a folder without erasure coding and encryption: `hdfs ec -setPolicy -path FOLDER -replicate`";
const CONFIGURATION: &str = "check the URL, and the files in HADOOP_CONF_DIR";

/// Returns the fault of an error.
pub(super) fn fault(doing: String, error: HdfsError) -> Fault {
    let (kind, remedy) = match &error {
        HdfsError::FileNotFound(_) => (FaultKind::Missing, None),
        HdfsError::AlreadyExists(_) => (FaultKind::Contended, None),
        HdfsError::IsADirectoryError(_) => (FaultKind::Misconfigured, None),
        HdfsError::RPCError(class, text) | HdfsError::FatalRPCError(class, text) => of_java(class, text),
        HdfsError::ChecksumError => (FaultKind::Corrupt, None),
        HdfsError::BlocksNotFound(_) | HdfsError::DataTransferError(_) => {
            (FaultKind::Unavailable, Some(DATANODES))
        }
        HdfsError::IOError(_) | HdfsError::OperationFailed(_) => (FaultKind::Unavailable, None),
        HdfsError::SASLError(_) | HdfsError::GSSAPIError(..) | HdfsError::NoSASLMechanism => {
            (FaultKind::Denied, Some(KERBEROS))
        }
        HdfsError::UnsupportedErasureCodingPolicy(_)
        | HdfsError::ErasureCodingError(_)
        | HdfsError::UnsupportedFeature(_) => (FaultKind::Misconfigured, Some(ERASURE_CODED)),
        HdfsError::UrlParseError(_)
        | HdfsError::InvalidPath(_)
        | HdfsError::InvalidArgument(_)
        | HdfsError::XmlParseError(_) => (FaultKind::Misconfigured, Some(CONFIGURATION)),
        _ => (FaultKind::Unexpected, None),
    };
    Fault { remedy, ..Fault::new(kind, doing, error) }
}

fn of_java(class: &str, text: &str) -> (FaultKind, Option<&'static str>) {
    // A NameNode of several wraps it: clients are asked to try again.
    if text.contains("SafeModeException") || text.contains("in safe mode") {
        return (FaultKind::Unavailable, Some(SAFE_MODE));
    }
    match class.rsplit(['.', '$']).next().unwrap_or(class) {
        "FileNotFoundException" => (FaultKind::Missing, None),
        "FileAlreadyExistsException" | "AlreadyBeingCreatedException" => (FaultKind::Contended, None),
        "SafeModeException" => (FaultKind::Unavailable, Some(SAFE_MODE)),
        "StandbyException" | "ObserverRetryOnActiveException" => (FaultKind::Unavailable, Some(STANDBY)),
        "RetriableException" | "LeaseExpiredException" | "NotReplicatedYetException" => {
            (FaultKind::Unavailable, None)
        }
        "NSQuotaExceededException"
        | "DSQuotaExceededException"
        | "QuotaByStorageTypeExceededException"
        | "QuotaExceededException"
        | "MaxDirectoryItemsExceededException" => (FaultKind::Full, Some(QUOTA)),
        "AccessControlException" | "AuthorizationException" => (FaultKind::Denied, Some(NO_PERMISSION)),
        "SaslException" | "GSSException" | "InvalidToken" => (FaultKind::Denied, Some(KERBEROS)),
        "ParentNotDirectoryException" | "PathIsNotDirectoryException" => (FaultKind::Misconfigured, None),
        "IOException" if text.contains("could only be written to 0") => without_nodes(text),
        "RpcServerException" | "RpcNoSuchProtocolException" | "VersionMismatch" => {
            (FaultKind::Misconfigured, Some(CONFIGURATION))
        }
        _ => (FaultKind::Unexpected, None),
    }
}

/// Judges a `NameNode` that found no `DataNode` for a block: those that run and are not excluded have no space.
fn without_nodes(text: &str) -> (FaultKind, Option<&'static str>) {
    let number = |before: &str| -> Option<u64> {
        let (head, _) = text.split_once(before)?;
        head.trim_end().rsplit(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    let excluded = number("node(s) are excluded").unwrap_or(0);
    match number("datanode(s) running") {
        Some(running) if running > excluded => (FaultKind::Full, Some(FULL)),
        _ => (FaultKind::Unavailable, Some(DATANODES)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(class: &str, text: &str) -> (FaultKind, Option<&'static str>) {
        let error = HdfsError::RPCError(class.to_owned(), text.to_owned());
        let fault = fault("storing".to_owned(), error);
        (fault.kind, fault.remedy)
    }

    #[test]
    fn errors_of_the_namenode_are_judged_by_their_class() {
        let space = "File /x could only be written to 0 of the 1 minReplication nodes. There are 2 datanode(s) running \
                     and 0 node(s) are excluded in this operation.";
        let away = space.replace("and 0 node(s)", "and 2 node(s)");
        let none = "File /x could only be written to 0 of the 1 minReplication nodes. There are 0 datanode(s) running and \
                    no node(s) are excluded in this operation.";
        let retriable = "org.apache.hadoop.hdfs.server.namenode.SafeModeException: Cannot create file/x. Name node is in \
                         safe mode.";
        for (class, text, kind, remedy) in [
            ("org.apache.hadoop.ipc.StandbyException", "", FaultKind::Unavailable, Some(STANDBY)),
            ("org.apache.hadoop.ipc.RetriableException", retriable, FaultKind::Unavailable, Some(SAFE_MODE)),
            (
                "org.apache.hadoop.hdfs.protocol.DSQuotaExceededException",
                "The DiskSpace quota of /x is exceeded",
                FaultKind::Full,
                Some(QUOTA),
            ),
            (
                "org.apache.hadoop.hdfs.protocol.FSLimitException$MaxDirectoryItemsExceededException",
                "",
                FaultKind::Full,
                Some(QUOTA),
            ),
            ("java.io.IOException", space, FaultKind::Full, Some(FULL)),
            ("java.io.IOException", &away, FaultKind::Unavailable, Some(DATANODES)),
            ("java.io.IOException", none, FaultKind::Unavailable, Some(DATANODES)),
            (
                "org.apache.hadoop.security.token.SecretManager$InvalidToken",
                "",
                FaultKind::Denied,
                Some(KERBEROS),
            ),
            ("java.lang.NullPointerException", "", FaultKind::Unexpected, None),
        ] {
            assert_eq!(judged(class, text), (kind, remedy), "{class}");
        }
    }
}
