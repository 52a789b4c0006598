//! The engine's metrics, with the families, labels and order that vLLM 0.32 was recorded with.
//!
//! `metrics/vllm.txt` is that recording without its values. Families that nothing here moves (adapters,
//! multi-modal cache, KV transfer) stay at the value of an idle engine. vLLM's `python_*` families
//! are left out: there is no Python.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering},
};

use jiff::Timestamp;
use parking_lot::Mutex;

use self::{http::HttpMetrics, template::Template};

mod histogram;
mod http;
mod process;
mod template;

pub(crate) use self::template::float;

/// All numbers of one engine.
#[derive(Debug)]
pub(crate) struct Metrics {
    model: String,
    started: Timestamp,
    template: Template,
    values: Mutex<HashMap<&'static str, f64>>,
    http: Mutex<HttpMetrics>,
    running: AtomicU64,
}

/// What is known of a sequence that has ended by itself. vLLM counts no aborted ones.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Finished {
    /// `stop` or `length`.
    pub(crate) by_length: bool,
    /// Tokens of the prompt.
    pub(crate) prompt: u64,
    /// Those of them that the prefix cache had.
    pub(crate) cached: u64,
    /// Tokens produced.
    pub(crate) generated: u64,
    /// Tokens allowed.
    pub(crate) max_tokens: u64,
    /// Choices of the request.
    pub(crate) choices: u64,
    /// Seconds in the queue.
    pub(crate) queue: f64,
    /// Seconds from then to the first token.
    pub(crate) prefill: f64,
    /// Seconds from then to the last.
    pub(crate) decode: f64,
}

impl Metrics {
    /// Zeroes, for an engine that starts `now`.
    pub(crate) fn new(model: &str, now: Timestamp) -> Self {
        Self {
            model: model.to_owned(),
            started: now,
            template: Template::vllm(),
            values: Mutex::new(HashMap::from([
                ("vllm:engine_sleep_state/awake", 1.0),
                ("vllm:cache_config_info", 1.0),
            ])),
            http: Mutex::default(),
            running: AtomicU64::new(0),
        }
    }

    /// The exposition text.
    pub(crate) fn text(&self) -> String {
        let created = float(self.started.as_duration().as_secs_f64());
        let mut text = process::text(self.started);
        text.push_str(
            &self
                .template
                .render(&self.model, &created, &self.values.lock()),
        );
        text.push_str(&self.http.lock().text(&created));
        text
    }

    /// Sequences in the batch and in the queue.
    pub(crate) fn queue(&self, running: u64, waiting: u64) {
        self.running.store(running, Ordering::Release);
        let mut values = self.values.lock();
        values.insert("vllm:num_requests_running", real(running));
        values.insert("vllm:num_requests_waiting", real(waiting));
        values.insert(
            "vllm:num_requests_waiting_by_reason/capacity",
            real(waiting),
        );
    }

    /// Sequences in the batch, as last said by the core.
    pub(crate) fn running(&self) -> u64 {
        self.running.load(Ordering::Acquire)
    }

    /// A step of the engine processed so many tokens.
    pub(crate) fn step(&self, tokens: u64) {
        self.template
            .observe("vllm:iteration_tokens_total", real(tokens));
    }

    /// A prompt was prefilled, `cached` tokens of it from the cache.
    pub(crate) fn prefilled(&self, prompt: u64, cached: u64) {
        for (name, tokens) in [
            ("vllm:prompt_tokens_total", prompt),
            (
                "vllm:prompt_tokens_by_source_total/local_compute",
                prompt.saturating_sub(cached),
            ),
            ("vllm:prompt_tokens_by_source_total/local_cache_hit", cached),
            ("vllm:prompt_tokens_cached_total", cached),
            ("vllm:prompt_tokens_cached_by_source_total/device", cached),
            ("vllm:prefix_cache_queries_total", prompt),
            ("vllm:prefix_cache_hits_total", cached),
        ] {
            self.add(name, real(tokens));
        }
    }

    /// The first token came after so many seconds.
    pub(crate) fn first_token(&self, seconds: f64) {
        self.add("vllm:generation_tokens_total", 1.0);
        self.template
            .observe("vllm:time_to_first_token_seconds", seconds);
    }

    /// A further token came so many seconds after the last.
    pub(crate) fn further_token(&self, seconds: f64) {
        self.add("vllm:generation_tokens_total", 1.0);
        self.template
            .observe("vllm:inter_token_latency_seconds", seconds);
    }

    /// A sequence has ended by itself.
    pub(crate) fn finished(&self, end: &Finished) {
        let reason = if end.by_length {
            "vllm:request_success_total/length"
        } else {
            "vllm:request_success_total/stop"
        };
        self.add(reason, 1.0);
        let inference = end.prefill + end.decode;
        let gaps = real(end.generated.saturating_sub(1).max(1));
        for (name, value) in [
            ("vllm:request_prompt_tokens", real(end.prompt)),
            ("vllm:request_generation_tokens", real(end.generated)),
            (
                "vllm:request_max_num_generation_tokens",
                real(end.generated),
            ),
            ("vllm:request_params_n", real(end.choices)),
            ("vllm:request_params_max_tokens", real(end.max_tokens)),
            (
                "vllm:request_time_per_output_token_seconds",
                end.decode / gaps,
            ),
            ("vllm:e2e_request_latency_seconds", end.queue + inference),
            ("vllm:request_queue_time_seconds", end.queue),
            ("vllm:request_inference_time_seconds", inference),
            ("vllm:request_prefill_time_seconds", end.prefill),
            ("vllm:request_decode_time_seconds", end.decode),
            ("vllm:request_num_preemptions", 0.0),
            (
                "vllm:request_prefill_kv_computed_tokens",
                real(end.prompt.saturating_sub(end.cached)),
            ),
        ] {
            self.template.observe(name, value);
        }
    }

    /// A request over HTTP was answered.
    pub(crate) fn http(&self, request: &HttpRequest<'_>) {
        self.http.lock().count(request);
    }

    fn add(&self, name: &'static str, by: f64) {
        *self.values.lock().entry(name).or_default() += by;
    }
}

/// A request over HTTP, as vLLM's instrumentation sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HttpRequest<'a> {
    /// The route, or `none`.
    pub(crate) handler: &'static str,
    /// The method.
    pub(crate) method: &'a str,
    /// The status.
    pub(crate) status: u16,
    /// `content-length` of the request.
    pub(crate) request_bytes: u64,
    /// `content-length` of the response; 0 for a stream.
    pub(crate) response_bytes: u64,
    /// How long it took to answer, seconds.
    pub(crate) seconds: f64,
}

/// Counts here stay far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn real(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
