//! The lines that vLLM 0.32 writes while it starts and stops, in their recorded form.

use std::time::Duration;

use crate::{Clock, Listen, Log, Settings, log::To, routes};

/// The processes that speak.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pids {
    /// The API process.
    pub(crate) api: u32,
    /// The core; the API process itself when it is a task there.
    pub(crate) core: u32,
    /// The worker, likewise.
    pub(crate) worker: u32,
}

/// Writes the lines of one engine.
#[derive(Debug, Clone)]
pub(crate) struct StartLog {
    log: Log,
    clock: Clock,
    pids: Pids,
}

/// A process's name and id, as its lines begin.
#[derive(Debug, Clone, Copy)]
enum Who {
    Api,
    Core,
    Worker,
}

impl StartLog {
    pub(crate) fn new(settings: &Settings, pids: Pids) -> Self {
        Self {
            log: settings.log.clone(),
            clock: settings.clock,
            pids,
        }
    }

    /// The lines before there is a core.
    pub(crate) fn begin(&self, settings: &Settings, listen: &Listen) {
        let banner = "api_utils.py:347";
        let dir = &settings.model_dir;
        for line in [
            "",
            "       █     █     █▄   ▄█",
            " ▄▄ ▄█ █     █     █ ▀▄▀ █  version 0.32.0+simulated",
            &format!("  █▄█▀ █     █     █     █  model   {dir}"),
            "   ▀▀  ▀▀▀▀▀ ▀▀▀▀▀ ▀     ▀",
            "",
            "This is the simulated engine of maas-appliance: no model is loaded.",
        ] {
            self.info(Who::Api, banner, line);
        }
        let names = settings.served_names.iter().map(|name| format!("'{name}'"));
        let names = names.collect::<Vec<_>>().join(", ");
        let place = match listen {
            Listen::Unix(path) => format!("'uds': '{path}'"),
            Listen::Tcp(address) => {
                format!("'host': '{}', 'port': {}", address.ip(), address.port())
            }
        };
        let length = settings.max_model_len;
        let args = format!(
            "non-default args: {{'model_tag': '{dir}', {place}, 'model': '{dir}', \
             'max_model_len': {length}, 'served_model_name': [{names}]}}"
        );
        self.info(Who::Api, "api_utils.py:286", &args);
        let architecture = "Resolved architecture: SimulatedForCausalLM";
        self.info(Who::Api, "model.py:733", architecture);
        let length = format!("Using max model len {}", settings.max_model_len);
        self.info(Who::Api, "model.py:2152", &length);
    }

    /// The lines while weights are loaded, spread over `time`.
    pub(crate) async fn load(&self, settings: &Settings, shards: u32, time: Duration) {
        let dir = &settings.model_dir;
        let engine = format!(
            "Initializing a V1 LLM engine (v0.32.0+simulated) with config: model='{dir}', \
             max_seq_len={}, served_model_name={}",
            settings.max_model_len,
            settings.name()
        );
        self.info(Who::Core, "core.py:133", &engine);
        let starting = format!("Starting to load model {dir}...");
        self.info(Who::Worker, "cpu_model_runner.py:68", &starting);
        self.bar(0, shards, Duration::ZERO);
        for shard in 1..=shards {
            tokio::time::sleep(time / shards).await;
            self.bar(shard, shards, time / shards * shard);
        }
        self.log.raw(To::Stderr, "\n");
        let took = time.as_secs_f64();
        self.info(
            Who::Worker,
            "default_loader.py:501",
            &format!("Loading weights took {took:.2} seconds"),
        );
        let tokens = "CPU KV cache size: 2,097,152 tokens, Maximum concurrency for";
        let length = settings.max_model_len;
        let times = 2_097_152 / length.max(1);
        self.info(
            Who::Core,
            "kv_cache_utils.py:2327",
            &format!("{tokens} {length} tokens per request: {times}.00x"),
        );
        let took = format!("init engine (profile, create kv cache, warmup model) took {took:.2} s");
        self.info(Who::Core, "core.py:402", &took);
    }

    /// The lines just before and when it listens.
    pub(crate) fn ready(&self, settings: &Settings, listen: &Listen) {
        self.info(Who::Api, "entry.py:136", "Supported tasks: ['generate']");
        let at = match listen {
            Listen::Unix(path) => format!("unix:{path}"),
            Listen::Tcp(address) => format!("http://{address}"),
        };
        self.info(
            Who::Api,
            "entry.py:140",
            &format!("Starting vLLM server on {at}"),
        );
        self.info(Who::Api, "launcher.py:186", "Available routes are:");
        for route in routes::of(settings.runner) {
            for methods in route.methods.split(", ") {
                let line = format!("Route: {}, Methods: {methods}", route.path);
                self.info(Who::Api, "launcher.py:195", &line);
            }
        }
        let started = format!("INFO:     Started server process [{}]", self.pids.api);
        self.log.line(To::Stderr, &started);
        self.log
            .line(To::Stderr, "INFO:     Waiting for application startup.");
        self.log
            .line(To::Stderr, "INFO:     Application startup complete.");
    }

    /// A start that fails, with its root cause last.
    pub(crate) fn failed(&self, cause: &str) {
        self.write(
            Who::Core,
            "ERROR",
            "core.py:1388",
            "EngineCore failed to start.",
        );
        self.write(Who::Core, "ERROR", "core.py:1388", cause);
        let last = "RuntimeError: Engine core initialization failed. See root cause above.";
        self.log.line(To::Stderr, last);
    }

    /// The lines when the core is found gone.
    pub(crate) fn core_died(&self) {
        let message = "Engine core proc EngineCore died unexpectedly, shutting down client.";
        self.write(Who::Api, "ERROR", "core_client.py:688", message);
    }

    /// The lines when it is told to stop.
    pub(crate) fn stopping(&self, timeout: Duration) {
        let timeout = timeout.as_secs();
        let mode = if timeout == 0 { "abort" } else { "drain" };
        for (at, line) in [
            (
                "launcher.py:254",
                "[shutdown] API server: shutdown triggered".to_owned(),
            ),
            (
                "launcher.py:270",
                format!(
                    "[shutdown] API server: stopping engine client mode={mode} timeout={timeout}s"
                ),
            ),
        ] {
            self.info(Who::Api, at, &line);
        }
    }

    /// The lines when it has stopped.
    pub(crate) fn stopped(&self) {
        let line = "[shutdown] API server: shutting down FastAPI HTTP server";
        self.info(Who::Api, "launcher.py:304", line);
        for line in [
            "Shutting down",
            "Waiting for application shutdown.",
            "Application shutdown complete.",
        ] {
            self.log.line(To::Stderr, &format!("INFO:     {line}"));
        }
    }

    fn info(&self, who: Who, at: &str, line: &str) {
        self.write(who, "INFO", at, line);
    }

    fn write(&self, who: Who, level: &str, at: &str, line: &str) {
        let (name, pid) = match who {
            Who::Api => ("APIServer", self.pids.api),
            Who::Core => ("EngineCore", self.pids.core),
            Who::Worker => ("Worker", self.pids.worker),
        };
        let now = self.clock.now().strftime("%m-%d %H:%M:%S");
        self.log.line(
            To::Stdout,
            &format!("({name} pid={pid}) {level} {now} [{at}] {line}"),
        );
    }

    /// A progress bar as tqdm draws it: carriage return first, newline last.
    fn bar(&self, done: u32, all: u32, elapsed: Duration) {
        let percent = done * 100 / all.max(1);
        let clock = |seconds: u64| format!("{:02}:{:02}", seconds / 60, seconds % 60);
        let passed = clock(elapsed.as_secs());
        let (left, rate) = if done == 0 {
            ("?".to_owned(), "?it/s".to_owned())
        } else {
            let left = elapsed / done * all.saturating_sub(done);
            // Below a millisecond nobody reads a rate.
            let rate = f64::from(done) / elapsed.as_secs_f64().max(0.001);
            (clock(left.as_secs()), format!("{rate:.2}it/s"))
        };
        let text = format!(
            "\rLoading safetensors checkpoint shards: {percent:>3}% Completed | {done}/{all} \
             [{passed}<{left}, {rate}]\n"
        );
        self.log.raw(To::Stderr, &text);
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_lines_come_in_the_recorded_order_and_form() {
        let settings = Settings {
            log: Log::memory(),
            clock: Clock(|| Timestamp::UNIX_EPOCH),
            max_model_len: 2048,
            ..Settings::new("tiny")
        };
        let log = StartLog::new(
            &settings,
            Pids {
                api: 1,
                core: 2,
                worker: 3,
            },
        );
        let listen = Listen::Unix("/run/tiny.sock".into());
        log.begin(&settings, &listen);
        log.load(&settings, 2, Duration::from_secs(8)).await;
        log.ready(&settings, &listen);
        let text = settings.log.text();
        let mut at = 0;
        for line in [
            "(APIServer pid=1) INFO 01-01 00:00:00 [api_utils.py:286] non-default args: {'model_tag': 'models/tiny', 'uds': '/run/tiny.sock'",
            "Resolved architecture:",
            "(EngineCore pid=2) INFO 01-01 00:00:00 [core.py:133] Initializing a V1 LLM engine",
            "(Worker pid=3) INFO 01-01 00:00:00 [cpu_model_runner.py:68] Starting to load model models/tiny...",
            "\rLoading safetensors checkpoint shards:   0% Completed | 0/2 [00:00<?, ?it/s]\n",
            "\rLoading safetensors checkpoint shards:  50% Completed | 1/2 [00:04<00:04, 0.25it/s]\n",
            "\rLoading safetensors checkpoint shards: 100% Completed | 2/2 [00:08<00:00, 0.25it/s]\n\n",
            "Loading weights took 8.00 seconds",
            "init engine (profile, create kv cache, warmup model) took 8.00 s",
            "Starting vLLM server on unix:/run/tiny.sock",
            "Route: /v1/chat/completions, Methods: POST",
            "INFO:     Started server process [1]\nINFO:     Waiting for application startup.\nINFO:     Application startup complete.\n",
        ] {
            let found = text[at..].find(line);
            at += found.unwrap_or_else(|| panic!("{line:?} is missing or out of order in\n{text}"));
        }
        assert!(text.contains("simulated engine of maas-appliance"));
    }
}
