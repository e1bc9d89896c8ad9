//! The actor recorded with a change.
//!
//! The actor is `SACKER_ACTOR`, else the AWS identity, else the user and the host. The identity is requested once,
//! concurrently with the hashing and upload of an addition, and cached in a file for later changes.

use super::{
    environment::Environment,
    error::{Failure, Kind},
};
use crate::{
    aws::Aws,
    durable,
    endpoint::Endpoint,
    model::{Actor, Digest},
    ops::LateActor,
};
use futures_util::FutureExt;
use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    time::Duration,
};

const VARIABLE: &str = "SACKER_ACTOR";
/// The longest time that a commit waits for the identity; then the end of the command waits as long, so that the next
/// command finds the identity in the cache. Both happen once for each access key.
const LINGER: Duration = Duration::from_millis(500);
/// The age after which the identity is requested again if it could not be determined.
const FORGET: Duration = Duration::from_hours(24);

/// Determines the actor.
#[derive(Debug, Default)]
pub(super) struct Identity {
    asking: Option<LateActor>,
}

impl Identity {
    /// Returns the actor recorded with a change of the ledger; `ledger` is the ledger's endpoint if it is on
    /// DynamoDB. A client must have been built before. Waits for a request for the identity for a short time only.
    pub async fn actor(
        &mut self,
        environment: &Environment,
        aws: &Aws,
        ledger: Option<&Endpoint>,
    ) -> Result<Actor, Failure> {
        let (actor, late) = self.begin(environment, aws, ledger).await?;
        Ok(match late {
            Some(late) => late.await.unwrap_or(actor),
            None => actor,
        })
    }

    /// Returns the actor as [`actor`](Self::actor) does, but leaves a request for the identity running concurrently
    /// with the caller's next work.
    pub async fn begin(
        &mut self,
        environment: &Environment,
        aws: &Aws,
        ledger: Option<&Endpoint>,
    ) -> Result<(Actor, Option<LateActor>), Failure> {
        if let Some(actor) = environment.get(VARIABLE) {
            let actor = actor.to_string_lossy().parse::<Actor>();
            let invalid = |invalid| Failure::new(Kind::Invalid, format!("{VARIABLE}: {invalid}"));
            return Ok((actor.map_err(invalid)?, None));
        }
        let mut late = None;
        if let Some(ledger) = ledger
            && let Some(key) = aws.access_key_id().await
        {
            let name = Digest::of(key.as_bytes()).to_string();
            let file = environment.cache().map(|cache| cache.join("identities").join(name));
            match file.as_deref().map_or(Kept::Nothing, kept) {
                Kept::Known(actor) => return Ok((actor, None)),
                Kept::Unknowable => {}
                Kept::Nothing => {
                    let (aws, ledger) = (aws.clone(), ledger.clone());
                    let asking = tokio::spawn(async move { ask(&aws, &ledger, file.as_deref()).await });
                    let asking = async { asking.await.ok().flatten() }.boxed().shared();
                    self.asking = Some(asking.clone());
                    let answer = async { tokio::time::timeout(LINGER, asking).await.ok().flatten() };
                    late = Some(answer.boxed().shared());
                }
            }
        }
        Ok((of_system()?, late))
    }

    /// Returns true if a request for the identity may still be running.
    pub fn is_asked_for(&self) -> bool {
        self.asking.is_some()
    }

    /// Waits for a running request for the identity, for a limited time.
    pub async fn wait_to_be_stored(&mut self) {
        if let Some(asking) = self.asking.take() {
            let _ = tokio::time::timeout(LINGER, asking).await;
        }
    }
}

/// The cached state of an identity.
#[derive(Debug, PartialEq, Eq)]
enum Kept {
    Known(Actor),
    /// The identity could not be determined recently.
    Unknowable,
    Nothing,
}

fn kept(file: &Path) -> Kept {
    let Ok(text) = fs::read_to_string(file) else { return Kept::Nothing };
    if !text.is_empty() {
        return text.parse().map_or(Kept::Nothing, Kept::Known);
    }
    let modified = fs::metadata(file).and_then(|metadata| metadata.modified());
    match modified.map(|at| at.elapsed().unwrap_or_default()) {
        Ok(age) if age < FORGET => Kept::Unknowable,
        _ => Kept::Nothing,
    }
}

/// Requests the identity, and caches it in the file, if one is given. If it can't be cached, it is requested again
/// next time.
async fn ask(aws: &Aws, ledger: &Endpoint, file: Option<&Path>) -> Option<Actor> {
    let found = aws.caller(ledger).await.ok().flatten().unwrap_or_default();
    let keep = |file: &Path| -> std::io::Result<()> {
        let directory: PathBuf = file.parent().map(Path::to_owned).ok_or(ErrorKind::NotFound)?;
        durable::make_private(&directory)?;
        // Atomic for concurrent readers.
        let mut whole = tempfile::NamedTempFile::new_in(&directory)?;
        std::io::Write::write_all(&mut whole, found.as_bytes())?;
        durable::name(whole, file, true)?;
        Ok(())
    };
    if let Some(file) = file
        && let Err(error) = keep(file)
    {
        tracing::debug!(%error, "can't cache the AWS identity in {}", file.display());
    }
    found.parse().ok()
}

fn of_system() -> Result<Actor, Failure> {
    let or_unknown = |name: whoami::Result<String>| match name {
        Ok(name) if !name.is_empty() => name,
        _ => "unknown".to_owned(),
    };
    let who = format!("{}@{}", or_unknown(whoami::username()), or_unknown(whoami::hostname()));
    // An operating system may allow longer names and more characters than a ledger does.
    let who: String = who.chars().filter(|c| !c.is_control()).take(64).collect();
    who.parse().map_err(|invalid| Failure::new(Kind::Internal, format!("the user's name: {invalid}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_stored_identity_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        assert_eq!(kept(&file), Kept::Nothing);
        fs::write(&file, "arn:aws:iam::123456789012:user/ann").unwrap();
        assert_eq!(kept(&file), Kept::Known("arn:aws:iam::123456789012:user/ann".parse().unwrap()));
        // A damaged file counts as none, so the identity is requested again.
        fs::write(&file, "a\nb").unwrap();
        assert_eq!(kept(&file), Kept::Nothing);
        // An empty file records that the identity could not be determined recently.
        fs::write(&file, "").unwrap();
        assert_eq!(kept(&file), Kept::Unknowable);
        let long_ago = std::time::SystemTime::now() - 2 * FORGET;
        fs::File::options().write(true).open(&file).unwrap().set_modified(long_ago).unwrap();
        assert_eq!(kept(&file), Kept::Nothing);
    }
}
