//! Who is recorded with a change.
//!
//! `SACKER_ACTOR`, or else the AWS identity, or else the user and the host. The identity is asked for once, concurrently
//! with the hashing and upload of an addition, and kept in a file for the changes after it.

use super::{
    environment::Environment,
    error::{Failure, Kind},
};
use crate::{
    aws::{Aws, Endpoint},
    durable,
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
/// How long a commit waits for the identity, once for some credentials; and then the end of the command, so that the next
/// one knows it.
const LINGER: Duration = Duration::from_millis(500);
/// After so long it is asked again, where the answer was none.
const FORGET: Duration = Duration::from_hours(24);

/// Finds out who it is.
#[derive(Debug, Default)]
pub(super) struct Identity {
    asking: Option<LateActor>,
}

impl Identity {
    /// Who is recorded with a change that goes to a ledger: at `ledger`, if that is on DynamoDB. A client must have been
    /// built before. Where it has to be asked for, that is waited for, but not for long.
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

    /// As [`actor`](Self::actor), but where it has to be asked for, that is done concurrently with whatever the caller does
    /// next.
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

    /// Whether an answer may be about to come in.
    pub fn is_asked_for(&self) -> bool {
        self.asking.is_some()
    }

    /// Lets an answer come in that is about to.
    pub async fn wait_to_be_stored(&mut self) {
        if let Some(asking) = self.asking.take() {
            let _ = tokio::time::timeout(LINGER, asking).await;
        }
    }
}

/// What is known of an identity.
#[derive(Debug, PartialEq, Eq)]
enum Kept {
    Known(Actor),
    /// It could not be found out lately.
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

/// Asks for the identity, and keeps it in a file, if there is one. If it can't be kept, it will be asked for again.
async fn ask(aws: &Aws, ledger: &Endpoint, file: Option<&Path>) -> Option<Actor> {
    let found = aws.caller(ledger).await.ok().flatten().unwrap_or_default();
    let keep = |file: &Path| -> std::io::Result<()> {
        let directory: PathBuf = file.parent().map(Path::to_owned).ok_or(ErrorKind::NotFound)?;
        durable::make_private(&directory)?;
        // Whole or not at all, for all that read it meanwhile.
        let mut whole = tempfile::NamedTempFile::new_in(&directory)?;
        std::io::Write::write_all(&mut whole, found.as_bytes())?;
        durable::name(whole, file, true)?;
        Ok(())
    };
    if let Some(file) = file
        && let Err(error) = keep(file)
    {
        tracing::debug!(%error, "can't keep the AWS identity in {}", file.display());
    }
    found.parse().ok()
}

fn of_system() -> Result<Actor, Failure> {
    let or_unknown = |name: whoami::Result<String>| match name {
        Ok(name) if !name.is_empty() => name,
        _ => "unknown".to_owned(),
    };
    let who = format!("{}@{}", or_unknown(whoami::username()), or_unknown(whoami::hostname()));
    // A system may allow more than a ledger does.
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
        // Damaged, it is asked for again.
        fs::write(&file, "a\nb").unwrap();
        assert_eq!(kept(&file), Kept::Nothing);
        // It could not be found out, lately.
        fs::write(&file, "").unwrap();
        assert_eq!(kept(&file), Kept::Unknowable);
        let long_ago = std::time::SystemTime::now() - 2 * FORGET;
        fs::File::options().write(true).open(&file).unwrap().set_modified(long_ago).unwrap();
        assert_eq!(kept(&file), Kept::Nothing);
    }
}
