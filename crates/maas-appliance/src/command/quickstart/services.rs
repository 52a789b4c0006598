//! The three services of the host as children of the quickstart.

use std::{
    os::unix::process::CommandExt as _,
    process::{Child, Stdio},
    time::Duration,
};

use camino::Utf8PathBuf;
use maas_types::{EngineState, EngineTable, Exit, Layout};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use super::{
    LOOK_EVERY,
    stage::{Stage, chapter},
};
use crate::{error::CommandError, output};

/// How long a service may take to end: the supervisor stops engines, which drain first.
const STOP_WITHIN: Duration = Duration::from_mins(1);

/// The running services, in the order in which they were started.
#[derive(Debug)]
pub(super) struct Services(Vec<Service>);

#[derive(Debug)]
struct Service {
    name: &'static str,
    child: Child,
    log: Utf8PathBuf,
}

impl Services {
    /// Starts agent, supervisor and gateway. Each dies with us, even if we are killed.
    pub(super) fn start(stage: &Stage) -> Result<Self, CommandError> {
        chapter("The services that systemd would start");
        let mut services = Self(Vec::new());
        for (name, words) in [
            ("gpu-agent", &["--root", "host", "gpu-agent"][..]),
            (
                "supervisor",
                &["--root", "host", "supervisor", "--stop-engines"],
            ),
            ("gateway", &["--root", "host", "gateway"]),
        ] {
            let log = stage.path(&format!("{name}.log"));
            output::words(&format!(
                "$ maas-appliance {} 2> {name}.log &",
                words.join(" ")
            ));
            let file = fs_err::File::create(&log)?.into_parts().0;
            let child = stage
                .process(&[&["--with-parent"], words].concat())
                .stdout(Stdio::null())
                .stderr(file)
                // Ctrl-C is for us; we stop them in order.
                .process_group(0)
                .spawn()?;
            services.0.push(Service { name, child, log });
        }
        Ok(services)
    }

    /// Waits until every engine has produced a token, showing what it does meanwhile.
    pub(super) async fn wait_until_ready(
        &mut self,
        host: &Layout,
        patience: Duration,
    ) -> Result<(), CommandError> {
        let deadline = Instant::now() + patience;
        let mut shown = String::new();
        loop {
            self.all_alive()?;
            if let Some(table) = read_table(host) {
                let text = progress(&table);
                if text != shown {
                    output::words(&text);
                    shown = text;
                }
                if let Some(engine) = table
                    .engines
                    .iter()
                    .find(|e| e.state == EngineState::Failed)
                {
                    let why = engine.reason.clone().unwrap_or_default();
                    return Err(
                        CommandError::new(Exit::Failed, format!("{}: {why}", engine.id))
                            .hint(format!("its log is in {}", host.engine_logs())),
                    );
                }
                let ready = |e: &maas_types::EngineEntry| e.state == EngineState::Ready;
                if !table.engines.is_empty()
                    && table.engines.iter().all(ready)
                    && host.admin_socket().exists()
                {
                    return Ok(());
                }
            }
            if Instant::now() > deadline {
                return Err(
                    CommandError::new(Exit::Down, "the engine was not ready in time")
                        .hint(format!("its log is in {}", host.engine_logs())),
                );
            }
            sleep(LOOK_EVERY).await;
        }
    }

    fn all_alive(&mut self) -> Result<(), CommandError> {
        for service in &mut self.0 {
            if let Some(status) = service.child.try_wait()? {
                let text = fs_err::read_to_string(&service.log).unwrap_or_default();
                let tail: Vec<_> = text.lines().rev().take(5).collect();
                let tail: Vec<_> = tail.into_iter().rev().collect();
                let message = format!(
                    "the {} ended ({status}):\n{}",
                    service.name,
                    tail.join("\n")
                );
                return Err(CommandError::new(Exit::Failed, message));
            }
        }
        Ok(())
    }

    /// Returns the name of the first service that ends by itself.
    pub(super) async fn first_death(&self) -> &'static str {
        loop {
            for service in &self.0 {
                let stat = format!("/proc/{}/stat", service.child.id());
                let zombie = fs_err::read_to_string(stat).map_or(true, |stat| {
                    stat.rsplit(')').next().is_some_and(|s| s.starts_with(" Z"))
                });
                if zombie {
                    return service.name;
                }
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Stops the services, the gateway first, and waits for each.
    pub(super) async fn stop(mut self) -> Result<(), CommandError> {
        while let Some(mut service) = self.0.pop() {
            service.terminate();
            let deadline = Instant::now() + STOP_WITHIN;
            while service.child.try_wait()?.is_none() {
                if Instant::now() > deadline {
                    return Err(CommandError::new(
                        Exit::Failed,
                        format!(
                            "the {} does not end; its log is {}",
                            service.name, service.log
                        ),
                    ));
                }
                sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(())
    }
}

impl Drop for Services {
    /// On the way out of an error: tell them to stop and wait for them, so that nothing stays.
    fn drop(&mut self) {
        while let Some(mut service) = self.0.pop() {
            service.terminate();
            drop(service.child.wait());
        }
    }
}

impl Service {
    fn terminate(&mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // An error means that it has ended already.
            let _ = kill_process(pid, Signal::TERM);
        }
    }
}

fn read_table(host: &Layout) -> Option<EngineTable> {
    serde_json::from_slice(&fs_err::read(host.engine_table()).ok()?).ok()
}

fn progress(table: &EngineTable) -> String {
    let engines: Vec<_> = table
        .engines
        .iter()
        .map(|engine| {
            let percent = engine
                .progress_percent
                .filter(|_| engine.state != EngineState::Ready);
            let percent = percent.map_or_else(String::new, |percent| format!(" {percent} %"));
            format!("{} {}{percent}", engine.id, engine.state.as_str())
        })
        .collect();
    format!("  {}", engines.join(", "))
}
