//! The one thread that calls NVML.

use std::{sync::mpsc, thread};

use camino::{Utf8Path, Utf8PathBuf};
use tokio::sync::{mpsc as async_mpsc, watch};

use crate::{
    GpuError, Probe,
    call::{Call, Calls, Clock},
    probe::Reading,
    watch::{Heard, XidWatch},
};

/// What one question brings.
pub(super) type Answer = Result<(Reading, Heard), GpuError>;

/// The near end of the thread. Dropping it ends the thread after the call that it is in.
#[derive(Debug)]
pub(super) struct NvmlThread {
    pub(super) questions: mpsc::Sender<()>,
    /// One for every question.
    pub(super) answers: async_mpsc::UnboundedReceiver<Answer>,
    /// The call that began last.
    pub(super) calls: watch::Receiver<Option<Call>>,
}

impl NvmlThread {
    pub(super) fn spawn(library: Option<Utf8PathBuf>, clock: Clock) -> Result<Self, GpuError> {
        let (questions, asked) = mpsc::channel();
        // Unbounded is safe: there is one answer for each question, and one question at a time.
        let (sender, answers) = async_mpsc::unbounded_channel();
        let (begun, calls) = watch::channel(None);
        let far_end = FarEnd {
            asked,
            answers: sender,
            begun,
            clock,
        };
        thread::Builder::new()
            .name("nvml".to_owned())
            .spawn(move || far_end.serve(library.as_deref()))
            .map_err(GpuError::Thread)?;
        Ok(Self {
            questions,
            answers,
            calls,
        })
    }

    /// Asks once.
    pub(super) fn ask(&self) -> Result<(), GpuError> {
        self.questions.send(()).map_err(|_| GpuError::ThreadDied)
    }
}

/// The thread's own end.
struct FarEnd {
    asked: mpsc::Receiver<()>,
    answers: async_mpsc::UnboundedSender<Answer>,
    begun: watch::Sender<Option<Call>>,
    clock: Clock,
}

/// Nobody asks any more.
struct Over;

impl FarEnd {
    /// Answers until nobody asks: opens NVML on the first question, and again after it has failed.
    fn serve(&self, library: Option<&Utf8Path>) {
        while self.asked.recv().is_ok() {
            let calls = Calls::watched(self.begun.clone(), self.clock.clone());
            let served = match Probe::open_watched(library, calls) {
                Ok(probe) => self.serve_from(&probe),
                Err(error) => self.answer(Err(error)),
            };
            if served.is_err() {
                return;
            }
        }
    }

    /// Answers the question that was asked and those that follow, until NVML fails as a whole.
    fn serve_from(&self, probe: &Probe) -> Result<(), Over> {
        let mut xids = XidWatch::default();
        loop {
            let reading = probe.read();
            let failed = reading.is_err();
            self.answer(reading.map(|reading| {
                let heard = xids.round(probe, &reading.gpus);
                (reading, heard)
            }))?;
            if failed {
                return Ok(());
            }
            self.asked.recv().map_err(|_| Over)?;
        }
    }

    fn answer(&self, answer: Answer) -> Result<(), Over> {
        self.answers.send(answer).map_err(|_| Over)
    }
}
