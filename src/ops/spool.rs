//! A stream as a file: what is added must be hashed before it can be sent, so it is read twice.

use super::{Client, Error, Observer, Phase};
use std::{
    io::{self, Read, Write},
    path::Path,
    sync::Arc,
};
use tempfile::NamedTempFile;

impl Client {
    /// Writes a stream to a temporary file, which is gone when dropped.
    pub(super) async fn spool(
        &self,
        mut stream: Box<dyn Read + Send>,
        observer: &Arc<dyn Observer>,
    ) -> Result<NamedTempFile, Error> {
        let scratch = self.scratch.clone();
        let observer = Arc::clone(observer);
        observer.begin(Phase::Hashing, None);
        let spooled = blocking(move || {
            let mut file = tempfile::Builder::new()
                .prefix(".sacker-")
                .tempfile_in(&scratch)
                .map_err(Error::output(&scratch))?;
            let mut buffer = vec![0; 1 << 20];
            loop {
                let n = match stream.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(n) => n,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => {
                        return Err(Error::Input { path: Path::new("-").into(), why: error.to_string() });
                    }
                };
                file.write_all(&buffer[..n]).map_err(Error::output(file.path()))?;
                observer.advance(n as u64);
            }
            observer.end();
            Ok(file)
        });
        spooled.await
    }
}

/// Runs what blocks apart from what must not.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}
