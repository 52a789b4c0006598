//! NVML, asked again and again, from the safe side of a thread.
//!
//! ```text
//!  async task                         OS thread
//!  ──────────                         ─────────
//!  ask ─────────────────────────────▶ read every fact, drain the events
//!  ◀── each call as it begins ─────── (any call may never come back)
//!  deadline per call: Blocked
//!  ◀───────────────────────────────── answer: Answering, or Absent / Failing
//!  publish
//! ```
//!
//! The thread is asked again only when it has answered, so there is never a second one beside one
//! that is stuck. It cannot be stopped from outside: a call that never returns ends with the process.

mod thread;

use std::time::Duration;

use camino::Utf8PathBuf;
use jiff::Timestamp;
use maas_types::{Gpu, GpuInventory, NvmlHealth};
use tokio::{sync::watch, time::sleep};

use crate::{GpuError, call::Clock, memory::Memory, xid};
use thread::{Answer, NvmlThread};

/// How the agent asks.
#[derive(Debug, Clone)]
pub struct AgentSettings {
    /// The NVML library; `None` for the one that the driver installs.
    pub library: Option<Utf8PathBuf>,
    /// Pause between an answer and the next question.
    pub interval: Duration,
    /// How long one call may take before NVML counts as blocked.
    pub deadline: Duration,
    /// Pause after NVML as a whole did not answer: no library, no driver, an error.
    pub retry: Duration,
}

impl Default for AgentSettings {
    fn default() -> Self {
        Self {
            library: None,
            // Fresh enough for a person who watches `status`, and for a supervisor that waits for
            // the memory of an engine that it has stopped.
            interval: Duration::from_secs(2),
            // Without persistence mode the first call wakes every card, which takes seconds on a
            // host with many. What takes longer than ten is reported as stuck in the driver
            // (NVIDIA/gpu-monitoring-tools#46), and is worth telling even if it comes back.
            deadline: Duration::from_secs(10),
            // A driver is installed by a person, once; looking for it costs a failed `dlopen`.
            retry: Duration::from_secs(30),
        }
    }
}

/// Publishes what NVML says. See the module for how.
#[derive(Debug)]
pub struct GpuAgent {
    settings: AgentSettings,
    clock: Clock,
    memory: Memory,
    published: watch::Sender<GpuInventory>,
}

impl GpuAgent {
    /// An agent that has not begun to ask, and where it publishes. Until the first answer the
    /// inventory is empty and says that NVML is absent. `clock` tells the time.
    pub fn new(
        settings: AgentSettings,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> (Self, watch::Receiver<GpuInventory>) {
        let clock = Clock::new(clock);
        let (published, receiver) = watch::channel(GpuInventory {
            schema: GpuInventory::SCHEMA.to_owned(),
            written: clock.now(),
            answered: None,
            nvml: NvmlHealth::Absent {
                detail: "not asked yet".to_owned(),
            },
            driver: None,
            cuda: None,
            gpus: Vec::new(),
            unidentified: Vec::new(),
        });
        let agent = Self {
            settings,
            clock,
            memory: Memory::default(),
            published,
        };
        (agent, receiver)
    }

    /// Asks and publishes until it is dropped. Returns only if it cannot go on: its thread could not
    /// be started or has died.
    pub async fn run(mut self) -> GpuError {
        let mut thread = match NvmlThread::spawn(self.settings.library.clone(), self.clock.clone())
        {
            Ok(thread) => thread,
            Err(error) => return error,
        };
        loop {
            let answer = match self.ask(&mut thread).await {
                Ok(answer) => answer,
                Err(error) => return error,
            };
            let pause = match &answer {
                Ok(_) => self.settings.interval,
                Err(_) => self.settings.retry,
            };
            self.publish(answer);
            sleep(pause).await;
        }
    }

    /// Asks once, and publishes while it waits that a call does not come back.
    async fn ask(&mut self, thread: &mut NvmlThread) -> Result<Answer, GpuError> {
        thread.ask()?;
        loop {
            tokio::select! {
                biased;
                answer = thread.answers.recv() => return answer.ok_or(GpuError::ThreadDied),
                // The next call has begun, and with it a new deadline.
                Ok(()) = thread.calls.changed() => {}
                () = sleep(self.settings.deadline) => {
                    let call = *thread.calls.borrow();
                    let now = self.clock.now();
                    self.update(|inventory| {
                        inventory.written = now;
                        inventory.nvml = NvmlHealth::Blocked {
                            call: call.map_or("dlopen", |call| call.name).to_owned(),
                            since: call.map_or(now, |call| call.since),
                        };
                    });
                }
            }
        }
    }

    fn publish(&mut self, answer: Answer) {
        let now = self.clock.now();
        match answer {
            Ok((mut reading, heard)) => {
                let (driver, cuda) = (reading.driver.take(), reading.cuda.take());
                let (gpus, unidentified) = self.memory.complete(reading, heard, now);
                tell_new_xids(&gpus, now);
                self.update(|inventory| {
                    *inventory = GpuInventory {
                        schema: GpuInventory::SCHEMA.to_owned(),
                        written: now,
                        answered: Some(now),
                        nvml: NvmlHealth::Answering,
                        driver,
                        cuda,
                        gpus,
                        unidentified,
                    };
                });
            }
            // The facts of the last good answer stay, with their time.
            Err(error) => self.update(|inventory| {
                inventory.written = now;
                inventory.nvml = error.health();
            }),
        }
    }

    /// Publishes a change, and logs it once if NVML is no longer as it was.
    fn update(&self, change: impl FnOnce(&mut GpuInventory)) {
        self.published.send_modify(|inventory| {
            let before = inventory.nvml.clone();
            change(inventory);
            match &inventory.nvml {
                now if *now == before => {}
                NvmlHealth::Answering => {
                    tracing::info!(gpus = inventory.gpus.len(), "NVML answers");
                }
                NvmlHealth::Absent { detail } => {
                    tracing::info!(detail, "There is no NVML on this host");
                }
                NvmlHealth::Blocked { call, since } => tracing::warn!(
                    call,
                    %since,
                    "NVML is blocked in `{call}`; GPU facts are as of the last answer"
                ),
                NvmlHealth::Failing { detail } => {
                    tracing::warn!(detail, "NVML fails; GPU facts are as of the last answer");
                }
            }
        });
    }
}

/// Logs the XIDs that were heard in this round, with what they mean.
fn tell_new_xids(gpus: &[Gpu], now: Timestamp) {
    for gpu in gpus {
        for event in gpu.xids.iter().filter(|event| event.seen == now) {
            let class = xid::classify(event.xid);
            tracing::warn!(
                gpu.uuid = %gpu.uuid,
                gpu.index = gpu.index,
                xid = event.xid,
                action = class.nvidia_action(),
                "XID {} on GPU {}: {}",
                event.xid,
                gpu.index,
                class.sentence()
            );
        }
    }
}

#[cfg(test)]
mod tests;
