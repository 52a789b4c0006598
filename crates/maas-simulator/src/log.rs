//! Where log lines go. Prompts and answers never do.

use std::{io::Write, sync::Arc};

use parking_lot::Mutex;

/// The place of log lines.
#[derive(Debug, Clone)]
pub struct Log(Target);

#[derive(Debug, Clone)]
enum Target {
    Process,
    Memory(Arc<Mutex<String>>),
    Silent,
}

/// Which of the process's two streams a line goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    /// vLLM's logger and uvicorn's access log.
    Stdout,
    /// uvicorn's other lines and the progress bars.
    Stderr,
}

impl Log {
    /// To standard output and standard error, each line where vLLM and uvicorn put it.
    pub fn process() -> Self {
        Self(Target::Process)
    }

    /// Into memory, to be read with [`Log::text`].
    pub fn memory() -> Self {
        Self(Target::Memory(Arc::default()))
    }

    /// Nowhere.
    pub fn silent() -> Self {
        Self(Target::Silent)
    }

    /// What has been logged into memory.
    pub fn text(&self) -> String {
        match &self.0 {
            Target::Memory(text) => text.lock().clone(),
            Target::Process | Target::Silent => String::new(),
        }
    }

    pub(crate) fn line(&self, to: To, line: &str) {
        self.raw(to, &format!("{line}\n"));
    }

    /// Writes text that may lack its newline: a progress bar. A reader that has gone is no reason
    /// to stop serving, so a failed write is dropped.
    pub(crate) fn raw(&self, to: To, text: &str) {
        match (&self.0, to) {
            (Target::Process, To::Stdout) => {
                let mut out = std::io::stdout().lock();
                out.write_all(text.as_bytes())
                    .and_then(|()| out.flush())
                    .ok();
            }
            (Target::Process, To::Stderr) => {
                std::io::stderr().lock().write_all(text.as_bytes()).ok();
            }
            (Target::Memory(kept), _) => kept.lock().push_str(text),
            (Target::Silent, _) => {}
        }
    }
}
