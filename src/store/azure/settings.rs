//! The settings of the container, and a test of the server's properties that the store relies on.

use super::{AzureStore, owner};
use crate::{
    fault::{Fault, FaultKind},
    model::{Setting, SettingState, Severity},
};
use aws_smithy_types::body::SdkBody;
use crc_fast::CrcAlgorithm::Crc64Nvme;

fn setting(name: &'static str, title: impl Into<String>, state: SettingState) -> Setting {
    Setting { name, title: title.into(), state, repair: None, severity: Severity::Serious, found: None }
}

/// Returns the settings of the container and its account. Versioning and redundancy are not shown by this service.
pub(super) async fn settings(store: &AzureStore) -> Result<Vec<Setting>, Fault> {
    let doing = || store.doing("reading the settings");
    let request =
        store.service.request("GetContainerProperties", "HEAD", &store.container, "restype=container");
    let (name, title) = ("container_private", format!("the container {} is private", store.container));
    let private = match request.ok(doing).await? {
        Ok(answer) => {
            let public = answer.header("x-ms-blob-public-access").map(str::to_owned);
            let state = if public.is_none() { SettingState::On } else { SettingState::Off };
            let repair =
                format!("az storage container set-permission --public-access off --name {}", store.container);
            Setting { repair: Some(repair), found: public, ..setting(name, title, state) }
        }
        Err(refusal) => setting(name, title, not_known(refusal.fault(doing))?),
    };
    Ok(vec![private, soft_delete(store).await?])
}

async fn soft_delete(store: &AzureStore) -> Result<Setting, Fault> {
    let doing = || store.doing("reading the settings of the account");
    let (name, title) = ("account_soft_delete", "deleted blobs of the account can be restored");
    let request =
        store.service.request("GetBlobServiceProperties", "GET", "", "restype=service&comp=properties");
    let answer = match request.ok(doing).await? {
        Ok(answer) => answer,
        Err(refusal) => return Ok(setting(name, title, not_known(refusal.fault(doing))?)),
    };
    let text = answer.bytes(doing).await?;
    let text = String::from_utf8_lossy(&text);
    let policy = text.split("<DeleteRetentionPolicy>").nth(1).and_then(|rest| rest.split("</Del").next());
    let state = match policy {
        Some(policy) if policy.contains("<Enabled>true") => SettingState::On,
        Some(_) => SettingState::Off,
        None => SettingState::NotSupported,
    };
    let repair = "az storage blob service-properties delete-policy update --enable true --days-retained 30";
    Ok(Setting { repair: Some(repair.to_owned()), ..setting(name, title, state) })
}

/// Returns the state of a setting that may not be read. Any other refusal is a fault.
fn not_known(fault: Fault) -> Result<SettingState, Fault> {
    match fault.kind {
        FaultKind::Denied => Ok(SettingState::NotKnown(fault.source.to_string())),
        _ => Err(fault),
    }
}

/// A property of Azure: its name, and the behavior of a server that lacks it.
type Property = (&'static str, &'static str);

const IF_NONE_MATCH: Property = ("server_if_none_match", "it ignores `If-None-Match`");
const IF_MATCH: Property = ("server_if_match", "it ignores `If-Match`");
const CHECKSUM: Property =
    ("server_checksum_crc64", "it accepts bytes that do not match their `x-ms-content-crc64`");
const REMEDY: &str = "use Azure Blob Storage, or Azurite 3.37 or newer";

/// Tests each property with requests that Azure refuses, or that write the present owner again.
pub(super) async fn probe(store: &AzureStore, owner: &str) -> Result<Vec<Setting>, Fault> {
    let doing = || store.doing("testing the server");
    let present = owner::read(store).await?;
    let Some((_, etag)) = present.filter(|(present, _)| present == owner) else {
        return Err(Fault::new(FaultKind::Contended, doing(), "the store has another owner"));
    };
    let mut found = Vec::new();
    let right = crc_fast::checksum(Crc64Nvme, owner.as_bytes());
    // The last request would replace the owner by itself, and so it is the last.
    for (property, condition, crc) in [
        (IF_NONE_MATCH, ("if-none-match", "*"), right),
        (IF_MATCH, ("if-match", "\"0x0\""), right),
        (CHECKSUM, ("if-match", etag.as_str()), !right),
    ] {
        let request = store
            .service
            .request("PutBlob", "PUT", &store.path("OWNER"), "")
            .header(condition.0, condition.1);
        let request = request.header("x-ms-blob-type", "BlockBlob");
        let answer = request.body(SdkBody::from(owner), owner.len() as u64, crc).ok(doing).await?;
        let state = match answer {
            Ok(_) => SettingState::Off,
            Err(refusal) if refusal.is_unmet() || refusal.is_of_bytes() || refusal.status == 400 => {
                SettingState::On
            }
            Err(refusal) => not_known(refusal.fault(doing))?,
        };
        found.push((property, state));
    }
    let lacks = found.iter().filter(|(_, state)| *state == SettingState::Off);
    let lacks: Vec<_> = lacks.map(|((_, lacks), _)| *lacks).collect();
    if lacks.is_empty() {
        return Ok(found.into_iter().map(|((name, _), state)| setting(name, name, state)).collect());
    }
    let fault = Fault::new(FaultKind::Misconfigured, doing(), lacks.join("; "));
    Err(Fault { remedy: Some(REMEDY), ..fault })
}
