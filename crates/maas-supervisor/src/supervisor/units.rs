//! Engines as units: what is done by asking root's launcher, each question in a task of its own, because
//! systemd may take its time and the loop may not.

use camino::Utf8PathBuf;
use maas_types::EngineId;

use super::{Event, Supervisor};
use crate::{
    clock::Now,
    engine::Act,
    launcher::{self, Reply, Request, Verb},
    process::ProcessId,
    spec::EngineSpec,
};

impl Supervisor {
    /// Asks for the unit of an engine whose spec is written.
    pub(super) fn start_unit(&mut self, spec: EngineSpec, launcher: Utf8PathBuf, now: Now) {
        let id = spec.id.clone();
        if let Some(engine) = self.engines.get_mut(&id) {
            engine.launching(&spec, now);
        }
        self.tasks.spawn(async move {
            let request = Request::new(Verb::Start, id.clone());
            let shim = match launcher::ask(&launcher, &request).await {
                Ok(Reply::Started { pid }) => ProcessId::of(pid)
                    .ok_or_else(|| format!("its shim (process {pid}) ended at once")),
                Ok(other) => Err(other.to_string()),
                Err(error) => Err(format!("the launcher at `{launcher}`: {error}")),
            };
            Event::Launched(id, Box::new(spec), shim)
        });
    }

    /// Has `act` done by the launcher: signals to another user's processes are not ours to send.
    pub(super) fn ask(&mut self, id: &EngineId, act: &Act, launcher: Utf8PathBuf) {
        let id = id.clone();
        let verb = match act {
            Act::Terminate(_) => Verb::Stop,
            Act::Kill(_) => Verb::Kill,
            Act::Sweep(_) => {
                self.tasks.spawn(async move {
                    let request = Request::new(Verb::Kill, id.clone());
                    let left = match launcher::ask(&launcher, &request).await {
                        Ok(Reply::Left { pids }) => pids,
                        Ok(_) => Vec::new(),
                        Err(error) => {
                            tracing::error!(engine.id = %id, %error, "cannot clear the unit: {error}");
                            Vec::new()
                        }
                    };
                    Event::Swept(id, left)
                });
                return;
            }
        };
        self.tasks.spawn(async move {
            let request = Request::new(verb, id.clone());
            let asked = launcher::ask(&launcher, &request).await;
            let asked = match asked {
                Ok(Reply::Failed { .. }) | Err(_) => Err(format!("{verb:?}: {asked:?}")),
                Ok(_) => Ok(()),
            };
            Event::Asked(id, asked)
        });
    }
}
