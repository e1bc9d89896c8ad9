//! A stream as a file: what is added must be hashed before it can be sent, so it is read twice.

use super::{
    client::Client,
    error::Error,
    memory,
    observer::{Observer, Phase},
};
use crate::{blocking::threaded, failpoint};
use std::{
    io::{self, Read, Write},
    path::Path,
    sync::Arc,
};
use tempfile::NamedTempFile;

/// The bytes that are spooled between two looks at the memory that is left, where they are kept in memory.
const CHECK_INTERVAL: u64 = 8 << 20;

impl Client {
    /// Writes a stream to a temporary file, which is gone when dropped.
    pub(super) async fn spool(
        &self,
        mut stream: Box<dyn Read + Send>,
        observer: &Arc<dyn Observer>,
    ) -> Result<NamedTempFile, Error> {
        let observer = Arc::clone(observer);
        observer.begin(Phase::Hashing, None);
        // Held here and not by the thread, which may be stuck in reading when this future is dropped.
        let temporary = tempfile::Builder::new()
            .prefix(".sacker-")
            .tempfile_in(&self.scratch)
            .map_err(failed(&self.scratch))?;
        let mut file = temporary.as_file().try_clone().map_err(failed(&self.scratch))?;
        let scratch = self.scratch.clone();
        let spooled = threaded(move || {
            let mut buffer = vec![0; 1 << 20];
            let (mut spooled, mut next_check) = (0_u64, CHECK_INTERVAL);
            loop {
                if spooled >= next_check {
                    memory::room(&file).map_err(failed(&scratch))?;
                    next_check = spooled + CHECK_INTERVAL;
                }
                let n = match stream.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(n) => n,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => {
                        return Err(Error::Input { path: Path::new("-").into(), why: error.to_string() });
                    }
                };
                let written = failpoint::errno("spool").and_then(|()| file.write_all(&buffer[..n]));
                written.map_err(failed(&scratch))?;
                spooled += n as u64;
                observer.advance(n as u64);
            }
            observer.end();
            Ok(())
        });
        spooled.await?;
        Ok(temporary)
    }
}

fn failed(scratch: &Path) -> impl FnOnce(io::Error) -> Error {
    |source| Error::Spool { directory: scratch.to_owned(), source }
}
