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
    /// True if text for people is colored.
    pub colored: bool,
    terminal: bool,
    buffer: BufWriter<Stdout>,
}

impl Output {
    pub fn new(json: bool, colored: bool) -> Self {
        let stdout = io::stdout();
        // The handle's own buffer is flushed at every line, at the cost of one system call each.
        let terminal = stdout.is_terminal();
        Self { json, colored, terminal, buffer: BufWriter::with_capacity(1 << 16, stdout) }
    }

    /// Returns the number of columns of the terminal; `None` if standard output is none.
    pub fn columns(&self) -> Option<usize> {
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
        Some(usize::from(size.ws_col)).filter(|columns| self.terminal && *columns > 0)
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
