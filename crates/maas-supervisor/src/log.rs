//! An engine's output: from its pipe to its log file, read on the way for progress and for the
//! cause of a death.
//!
//! A thread of its own, which does nothing else, so that an engine never waits for us with a full
//! pipe. A disk that takes no more loses lines of the log; it does not stop the engine.

use std::{
    io::{self, PipeReader, Read, Write},
    sync::Arc,
};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use fs_err::os::unix::fs::OpenOptionsExt;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::progress::{Progress, RootCause};

/// A log file is turned over at this size, and one older file is kept. vLLM writes some 100 bytes
/// per request and 200 every ten seconds: weeks of a busy engine.
const LARGEST: u64 = 64 << 20;

/// Longer lines are read in pieces. Progress and exceptions stand at the beginning of a line.
const LONGEST_LINE: usize = 8 << 10;

/// The log of one run.
#[derive(Debug)]
pub(crate) struct Log {
    progress: watch::Receiver<Progress>,
    cause: Arc<Mutex<RootCause>>,
}

impl Log {
    /// Turns the log file over and reads `pipe` until its last writer is gone.
    pub(crate) fn begin(path: &Utf8Path, pipe: PipeReader) -> io::Result<Self> {
        let file = LogFile::open(path)?;
        let (sender, progress) = watch::channel(Progress::default());
        let cause = Arc::new(Mutex::new(RootCause::default()));
        let lines = Lines {
            progress: sender,
            cause: Arc::clone(&cause),
            rest: Vec::new(),
        };
        std::thread::Builder::new()
            .name("engine-log".to_owned())
            .spawn(move || pump(pipe, file, lines))?;
        Ok(Self { progress, cause })
    }

    /// Waits until the progress changes. For ever, if the engine's output has ended.
    pub(crate) async fn advanced(&mut self) -> Progress {
        if self.progress.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        *self.progress.borrow_and_update()
    }

    /// From now on the engine answers clients.
    pub(crate) fn first_token(&self) {
        self.cause.lock().first_token();
    }

    /// The line that best says why the engine died, as far as its output was read.
    pub(crate) fn cause(&self) -> Option<String> {
        self.cause.lock().line()
    }

    /// Waits until the engine's output has been read to its end.
    pub(crate) async fn ended(&mut self) {
        while self.progress.changed().await.is_ok() {}
    }
}

fn pump(mut pipe: PipeReader, mut file: LogFile, mut lines: Lines) {
    // As much as a pipe holds by default.
    let mut buffer = vec![0; 64 << 10];
    loop {
        match pipe.read(&mut buffer) {
            Ok(0) => return,
            Ok(length) => {
                file.write(&buffer[..length]);
                lines.read(&buffer[..length]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

struct Lines {
    progress: watch::Sender<Progress>,
    cause: Arc<Mutex<RootCause>>,
    rest: Vec<u8>,
}

impl Lines {
    fn read(&mut self, mut bytes: &[u8]) {
        // A progress bar ends its lines with `\r`.
        while let Some(end) = bytes.iter().position(|b| matches!(b, b'\n' | b'\r')) {
            self.rest.extend_from_slice(&bytes[..end]);
            self.line();
            bytes = &bytes[end + 1..];
        }
        self.rest.extend_from_slice(bytes);
        if self.rest.len() > LONGEST_LINE {
            self.line();
        }
    }

    fn line(&mut self) {
        let line = String::from_utf8_lossy(&self.rest);
        self.cause.lock().read(&line);
        self.progress.send_if_modified(|progress| {
            let next = progress.after(&line);
            std::mem::replace(progress, next) != next
        });
        drop(line);
        self.rest.clear();
    }
}

struct LogFile {
    path: Utf8PathBuf,
    file: fs::File,
    length: u64,
}

impl LogFile {
    fn open(path: &Utf8Path) -> io::Result<Self> {
        match fs::rename(path, previous(path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let file = fs::OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(path)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            length: 0,
        })
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.length > LARGEST
            && let Ok(next) = Self::open(&self.path)
        {
            *self = next;
        }
        if self.file.write_all(bytes).is_ok() {
            self.length += bytes.len() as u64;
        }
    }
}

/// `tiny-0.log` → `tiny-0.previous.log`
pub(crate) fn previous(path: &Utf8Path) -> Utf8PathBuf {
    path.with_extension("previous.log")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn output_is_kept_and_read_however_it_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap().join("a-0.log");
        for run in ["first", "second"] {
            let (reader, mut writer) = io::pipe().unwrap();
            let mut log = Log::begin(&path, reader).unwrap();
            for piece in [
                run,
                "\rLoading safetensors checkpoint sha",
                "rds:  50% Completed | 1/2\rValue",
                "Error: no\n",
            ] {
                writer.write_all(piece.as_bytes()).unwrap();
                writer.flush().unwrap();
            }
            assert_eq!(log.advanced().await.percent, 35);
            drop(writer);
            log.ended().await;
            assert_eq!(log.cause().as_deref(), Some("ValueError: no"));
        }
        assert!(
            fs::read_to_string(&path)
                .unwrap()
                .starts_with("second\rLoading")
        );
        assert!(
            fs::read_to_string(previous(&path))
                .unwrap()
                .starts_with("first\r")
        );
    }

    #[test]
    fn a_full_log_file_is_turned_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap().join("a-0.log");
        let mut file = LogFile::open(&path).unwrap();
        file.length = LARGEST + 1;
        file.write(b"new");
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read(previous(&path)).unwrap(), b"");
    }
}
