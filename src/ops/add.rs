//! `add`: the blob first, then the ledger, so that no version is ever without its blob.

use super::{
    client::Client,
    error::Error,
    observer::{Observer, Phase},
};
use crate::{
    blocking::threaded,
    failpoint::reach,
    ledger::{AddRequest, Added, Draft, Identity, MAX_TAGS, Staged},
    model::{Address, Blob, FileName, Mode, Release},
    store::{Content, HASHED_AT_ONCE},
};
use futures_util::TryStreamExt;
use std::{
    collections::BTreeSet,
    fmt,
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::NamedTempFile;

/// The bytes to add, and the file name to record with them.
#[derive(Debug)]
pub struct AddInput {
    bytes: Bytes,
    filename: Option<FileName>,
    mode: Option<Mode>,
}

enum Bytes {
    File(PathBuf),
    /// A file whose name and permission bits are not those of the version.
    Unnamed(PathBuf),
    Stream(Box<dyn Read + Send>),
    Spooled(NamedTempFile),
}

impl AddInput {
    /// The bytes, the name and the permission bits of a regular file.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self { bytes: Bytes::File(path.into()), filename: None, mode: None }
    }

    /// All bytes that a stream gives, without a file name. They are written to a temporary file first.
    #[must_use]
    pub fn stream(stream: impl Read + Send + 'static) -> Self {
        Self { bytes: Bytes::Stream(Box::new(stream)), filename: None, mode: None }
    }

    /// Some bytes, without a file name. They are written to a temporary file first.
    #[must_use]
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::stream(io::Cursor::new(bytes.into()))
    }

    /// The bytes of a regular file, without its name and permission bits.
    pub(super) fn unnamed(path: impl Into<PathBuf>) -> Self {
        Self { bytes: Bytes::Unnamed(path.into()), filename: None, mode: None }
    }

    /// The bytes of a temporary file, without a file name or permission bits.
    pub(super) fn spooled(file: NamedTempFile) -> Self {
        Self { bytes: Bytes::Spooled(file), filename: None, mode: None }
    }

    /// Sets the file name to record; for a file, instead of its own.
    #[must_use]
    pub fn filename(self, name: FileName) -> Self {
        Self { filename: Some(name), ..self }
    }

    /// Sets the permission bits to record; for a file, instead of its own. `None` changes nothing.
    #[must_use]
    pub fn mode(self, mode: Option<Mode>) -> Self {
        Self { mode: mode.or(self.mode), ..self }
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Unnamed(path) => f.debug_tuple("Unnamed").field(path).finish(),
            Self::Stream(_) => f.write_str("Stream"),
            Self::Spooled(file) => f.debug_tuple("Spooled").field(&file.path()).finish(),
        }
    }
}

impl Client {
    /// Stores a blob and commits it as the next version of a package. Returns the version, and whether it is new.
    ///
    /// # Cancellation
    /// Dropping the future before its commit leaves at most a blob that no version needs, for [`gc`](Self::gc), or
    /// parts of an upload, which the next run resumes. Dropping it during the commit leaves the outcome unknown to
    /// the caller: see [`Client`].
    ///
    /// # Errors
    /// [`Error::Input`] and [`Error::Changed`] for the file; [`Error::NotOwner`]; and those of
    /// [`Ledger::add`](crate::ledger::Ledger::add).
    pub async fn add(&self, request: AddRequest, input: AddInput) -> Result<(Release, bool), Error> {
        let mut request = self.signed(&request).into_owned();
        let AddInput { bytes, filename, mode } = input;
        let observer = &self.observer;
        check_tags(&request)?;
        let mut source = match bytes {
            Bytes::File(path) => Source::file(path, filename)?,
            Bytes::Unnamed(path) => {
                let filename_of_path = "unnamed".parse().ok();
                Source { filename, mode: None, ..Source::file(path, filename_of_path)? }
            }
            Bytes::Stream(stream) => {
                let file = self.spool(stream, observer).await?;
                Source::spooled(file, filename)?
            }
            Bytes::Spooled(file) => Source::spooled(file, filename)?,
        };
        source.mode = mode.or(source.mode);
        let author = request.author.clone();
        let unresolved = |error: Error| error.unresolved(&author);
        let (content, mut draft, owner) =
            self.begin_add(&request, &source, observer).await.map_err(unresolved)?;
        reach("add-hashed");
        self.check_owner(owner, &draft.ledger).await.map_err(unresolved)?;
        reach("add-owned");
        let mut staged = self.ledger.stage(&request, content.sha256(), &mut draft).await?;
        loop {
            let (generation, expected) = match staged {
                Staged::Upload { generation, expected } => (generation, Some(expected)),
                Staged::NothingToStore => (0, None),
            };
            let address = Address { sha256: content.sha256().clone(), generation };
            if let Some(expected) = expected {
                reach("add-staged");
                self.upload(&address, &content, expected, observer).await.map_err(unresolved)?;
                reach("add-uploaded");
            }
            let blob =
                Blob { address, size: content.size(), filename: source.filename.clone(), mode: source.mode };
            if let Some(actor) = &self.late_actor
                && let Some(actor) = actor.clone().await
            {
                request.author.actor = Some(actor);
            }
            match self.ledger.add(&request, &blob, &mut draft).await? {
                Added::Version { release, new } => return Ok((*release, new)),
                Added::Restage(generation) => staged = Staged::Upload { generation, expected: false },
            }
        }
    }

    /// Hashes a file, and reads what its addition is decided on: concurrently, or for a small file after the hashing,
    /// since what is known of the blob can then be asked for as well.
    async fn begin_add(
        &self,
        request: &AddRequest,
        source: &Source,
        observer: &Arc<dyn Observer>,
    ) -> Result<(Content, Draft, Option<String>), Error> {
        let hash = hash(source, observer);
        if source.size > HASHED_AT_ONCE {
            let begin = async { Ok(self.ledger.begin_add(request, None).await?) };
            return tokio::try_join!(hash, begin, self.owner());
        }
        let hash_and_begin = async {
            let content = hash.await?;
            let draft = self.ledger.begin_add(request, Some(content.sha256())).await?;
            Ok((content, draft))
        };
        let ((content, draft), owner) = tokio::try_join!(hash_and_begin, self.owner())?;
        Ok((content, draft, owner))
    }

    pub(super) async fn owner(&self) -> Result<Option<String>, Error> {
        Ok(self.retry_policy.run("reading the store's owner", || self.store.owner()).await?)
    }

    /// Makes sure that the store belongs to this ledger, claiming it if it is no one's and empty.
    pub(super) async fn check_owner(&self, owner: Option<String>, ledger: &Identity) -> Result<(), Error> {
        let owner = match owner {
            Some(owner) => Some(owner),
            // A copy has nothing to claim.
            None if ledger.copy_of.is_some() => None,
            None => Some(self.claim(ledger).await?),
        };
        self.must_own(owner, Some(ledger))
    }

    /// Makes a ledger the owner of a store that had none, and returns who is the owner now.
    ///
    /// One that holds blobs has lost its owner, and is only adopted: the blobs may be another ledger's, of the same epoch
    /// or a higher one, and what that one has sent would be done to what this one adds.
    async fn claim(&self, ledger: &Identity) -> Result<String, Error> {
        let mut pages = self.listing();
        while let Some(page) = pages.try_next().await? {
            if !page.is_empty() {
                // Unless they belong to someone who has claimed it meanwhile: that comes before the first blob.
                let lost = || Error::OwnerLost { store: self.store.describe() };
                return self.owner().await?.ok_or_else(lost);
            }
        }
        let mark = ledger.mark();
        Ok(self.retry_policy.run("claiming the store", || self.store.claim(&mark)).await?)
    }

    /// Makes sure that a store with this owner is the ledger's own. A copy of the owner is not the owner; a store that
    /// is no one's, and a ledger that nothing was ever added to, own nothing.
    pub(super) fn must_own(&self, owner: Option<String>, ledger: Option<&Identity>) -> Result<(), Error> {
        let is_copy = ledger.is_some_and(|ledger| ledger.copy_of.is_some());
        if let (Some(owner), Some(ledger), false) = (&owner, ledger, is_copy)
            && *owner == ledger.mark()
        {
            return Ok(());
        }
        let (owner, id) = match ledger.map(|ledger| (ledger, &ledger.copy_of)) {
            Some((ledger, Some(home))) => {
                (owner.map(|owner| format!("{owner}, in {home}")), Some(format!("a copy of {}", ledger.id)))
            }
            Some((ledger, None)) => (owner, Some(ledger.id.clone())),
            None => (owner, None),
        };
        Err(Error::NotOwner {
            store: self.store.describe(),
            owner,
            ledger: self.ledger.describe(),
            id,
            is_copy,
        })
    }
}

fn check_tags(request: &AddRequest) -> Result<(), Error> {
    if request.tags.len() > MAX_TAGS {
        return Err(Error::Tags(format!("at most {MAX_TAGS} tags can be set at once")));
    }
    let mut seen = BTreeSet::new();
    match request.tags.iter().find(|tag| !seen.insert(*tag)) {
        Some(twice) => Err(Error::Tags(format!("the tag {twice} is given twice"))),
        None => Ok(()),
    }
}

/// A file to be added, and what is recorded with it.
struct Source {
    path: PathBuf,
    /// Its size in bytes when it was found.
    size: u64,
    filename: Option<FileName>,
    mode: Option<Mode>,
    _spooled: Option<NamedTempFile>,
}

impl Source {
    fn file(path: PathBuf, filename: Option<FileName>) -> Result<Self, Error> {
        let input = |why: String| Error::Input { path: path.clone(), why };
        let metadata = std::fs::metadata(&path).map_err(|error| input(plain(&error)))?;
        if metadata.is_dir() {
            return Err(input("it is a directory".to_owned()));
        }
        if !metadata.is_file() {
            return Err(input("it is not a regular file".to_owned()));
        }
        let filename = match filename {
            Some(filename) => filename,
            None => own_name(&path).map_err(input)?,
        };
        let mode = Some(Mode::from(metadata.permissions().mode()));
        Ok(Self { path, size: metadata.len(), filename: Some(filename), mode, _spooled: None })
    }

    fn spooled(file: NamedTempFile, filename: Option<FileName>) -> Result<Self, Error> {
        let path = file.path().to_owned();
        let size = file.as_file().metadata().map_err(Error::output(&path))?.len();
        Ok(Self { path, size, filename, mode: None, _spooled: Some(file) })
    }
}

fn own_name(path: &Path) -> Result<FileName, String> {
    let name = path.file_name().ok_or("it has no file name")?;
    let name = name.to_str().ok_or("its file name is not UTF-8")?;
    name.parse().map_err(|invalid: crate::model::Invalid| invalid.to_string())
}

async fn hash(source: &Source, observer: &Arc<dyn Observer>) -> Result<Content, Error> {
    let (path, size, observer) = (source.path.clone(), source.size, Arc::clone(observer));
    let hash = move || {
        observer.begin(Phase::Hashing, Some(size));
        let content = Content::hash(&path, &|bytes| observer.advance(bytes));
        observer.end();
        content.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => Error::Changed(path),
            _ => Error::Input { path, why: plain(&error) },
        })
    };
    // A thread would take longer to start.
    if size <= HASHED_AT_ONCE { hash() } else { threaded(hash).await }
}

/// The reason of an error, without its number.
fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}
