//! Standard output: data only.

use super::{error::Failure, json};
use serde::Serialize;
use std::{
    future::poll_fn,
    io::{self, BufWriter, IsTerminal, Stdout, Write},
    pin::pin,
    task::Poll,
};

/// Standard output, written line by line.
#[derive(Debug)]
pub(super) struct Output {
    /// True if data is printed as JSON.
    pub json: bool,
    terminal: bool,
    buffer: BufWriter<Stdout>,
}

impl Output {
    pub fn new(json: bool) -> Self {
        let stdout = io::stdout();
        // The handle's own buffer is flushed at every line, at the cost of one system call each.
        Self { json, terminal: stdout.is_terminal(), buffer: BufWriter::with_capacity(1 << 16, stdout) }
    }

    /// Returns true if standard output is a terminal.
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    pub fn line(&mut self, text: impl AsRef<[u8]>) -> Result<(), Failure> {
        self.write(text.as_ref()).map_err(|error| Failure::stdout(&error))
    }

    pub fn object(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        self.line(json::line(value))
    }

    /// Waits for the next item. Flushes the buffered output first if the item is not ready yet.
    pub async fn wait<T>(&mut self, next: impl Future<Output = T>) -> Result<T, Failure> {
        let mut next = pin!(next);
        match poll_fn(|context| Poll::Ready(next.as_mut().poll(context))).await {
            Poll::Ready(there) => Ok(there),
            Poll::Pending => {
                self.flush()?;
                Ok(next.await)
            }
        }
    }

    pub fn flush(&mut self) -> Result<(), Failure> {
        self.buffer.flush().map_err(|error| Failure::stdout(&error))
    }

    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        self.buffer.write_all(text)?;
        self.buffer.write_all(b"\n")?;
        if self.terminal { self.buffer.flush() } else { Ok(()) }
    }
}
