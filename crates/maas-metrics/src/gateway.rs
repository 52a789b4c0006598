//! What the gateway counts about its requests.

mod labels;

use std::time::Duration;

use jiff::Timestamp;
use maas_types::{ModelName, Outcome, TeamName, Usage};
use prometheus_client::{
    encoding::text::encode_registry,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Metric, Registry},
};

use crate::{Definition, Kind, catalogue, exposition::Exposition};
use labels::{Label, OfKind, OfModel, OfReason, OfRequest, OfVersion, TokenKind};
pub use labels::{Refusal, Route};

/// Bounds of `maas_request_seconds`, in seconds. A choice among vLLM's own bounds for
/// `vllm:e2e_request_latency_seconds`, so that both sides of a comparison have the same error: from
/// an embedding (under 0.3) to an agent's long answer. Twelve, because each costs a series per model.
const REQUEST_SECONDS: [f64; 12] = [
    0.3, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 480.0, 960.0,
];

/// Bounds of `maas_time_to_first_token_seconds`, in seconds. A choice among vLLM's own bounds for
/// `vllm:time_to_first_token_seconds`. People notice a wait from about 0.25 on and give up by 20;
/// beyond that a queue is full, and the last bounds only tell how full.
const TIME_TO_FIRST_TOKEN: [f64; 12] = [
    0.02, 0.04, 0.08, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 80.0,
];

type Histograms = Family<OfModel, Histogram, fn() -> Histogram>;

/// The gateway's own metrics. Share one value; every method may be called from any thread.
#[derive(Debug)]
pub struct GatewayMetrics {
    /// `maas_requests_total`
    requests: Family<OfRequest, Counter>,
    /// `maas_tokens_total`
    tokens: Family<OfKind, Counter>,
    /// `maas_requests_in_flight`
    in_flight: Family<OfModel, Gauge>,
    /// `maas_request_seconds`
    request_seconds: Histograms,
    /// `maas_time_to_first_token_seconds`
    first_token_seconds: Histograms,
    /// `maas_refusals_total`
    refusals: Family<OfReason, Counter>,
    /// `maas_revoked_streams_total`
    revoked_streams: Counter,
    /// The same metrics in the order of the page, each able to write its samples.
    families: Vec<(&'static Definition, Registry)>,
}

/// How an admitted request ended: what [`GatewayMetrics::settled`] counts.
#[derive(Debug, Clone, Copy)]
pub struct Settled<'a> {
    /// The model that answered.
    pub model: &'a ModelName,
    /// Who is billed.
    pub team: &'a TeamName,
    /// The route that was asked.
    pub route: Route,
    /// How it ended.
    pub outcome: Outcome,
    /// What is billed.
    pub usage: Usage,
    /// From admission to the end.
    pub elapsed: Duration,
}

/// An admitted request that has not ended. Dropping it takes it out of
/// `maas_requests_in_flight`, however it ends.
#[derive(Debug)]
#[must_use = "dropping it says that the request has ended"]
pub struct InFlight(Gauge);

impl GatewayMetrics {
    /// Metrics of a gateway of `version` that started at `started`; everything is zero.
    pub fn new(version: &'static str, started: Timestamp) -> Self {
        let build = Family::<OfVersion, Gauge>::default();
        build.get_or_create(&OfVersion { version }).set(1);
        let start_time = Gauge::<i64>::default();
        start_time.set(started.as_second());

        let requests = Family::default();
        let tokens = Family::default();
        let in_flight = Family::default();
        let request_seconds = Histograms::new_with_constructor(|| Histogram::new(REQUEST_SECONDS));
        let first_token_seconds =
            Histograms::new_with_constructor(|| Histogram::new(TIME_TO_FIRST_TOKEN));
        let refusals = Family::<OfReason, Counter>::default();
        for reason in Refusal::ALL.map(Label) {
            // An alert on the first refusal needs the zero before it.
            drop(refusals.get_or_create(&OfReason { reason }));
        }
        let revoked_streams = Counter::default();

        let families = vec![
            family(&catalogue::BUILD_INFO, build),
            family(&catalogue::GATEWAY_START_TIME, start_time),
            family(&catalogue::REQUESTS, Family::clone(&requests)),
            family(&catalogue::TOKENS, Family::clone(&tokens)),
            family(&catalogue::REQUESTS_IN_FLIGHT, Family::clone(&in_flight)),
            family(&catalogue::REQUEST_SECONDS, request_seconds.clone()),
            family(&catalogue::TIME_TO_FIRST_TOKEN, first_token_seconds.clone()),
            family(&catalogue::REFUSALS, refusals.clone()),
            family(
                &catalogue::REVOKED_STREAMS,
                Counter::clone(&revoked_streams),
            ),
        ];
        Self {
            requests,
            tokens,
            in_flight,
            request_seconds,
            first_token_seconds,
            refusals,
            revoked_streams,
            families,
        }
    }

    /// Counts a request that was refused before any engine saw it.
    pub fn refused(&self, reason: Refusal) {
        let reason = Label(reason);
        self.refusals.get_or_create(&OfReason { reason }).inc();
    }

    /// Counts a request as in flight for as long as the returned value lives.
    pub fn admitted(&self, model: &ModelName) -> InFlight {
        let gauge = self.in_flight.get_or_create_owned(&OfModel::new(model));
        gauge.inc();
        InFlight(gauge)
    }

    /// Counts the first token of a streamed answer, `elapsed` after its admission.
    pub fn first_token(&self, model: &ModelName, elapsed: Duration) {
        self.first_token_seconds
            .get_or_create(&OfModel::new(model))
            .observe(elapsed.as_secs_f64());
    }

    /// Counts the end of an admitted request. Call it exactly once for each.
    pub fn settled(&self, settled: Settled<'_>) {
        let Settled {
            model,
            team,
            route,
            outcome,
            usage,
            elapsed,
        } = settled;
        self.requests
            .get_or_create(&OfRequest {
                model: Label(model.clone()),
                team: Label(team.clone()),
                route: Label(route),
                outcome: Label(outcome),
            })
            .inc();
        self.request_seconds
            .get_or_create(&OfModel::new(model))
            .observe(elapsed.as_secs_f64());
        for (kind, tokens) in [
            (TokenKind::Input, usage.input),
            (TokenKind::Cached, usage.cached),
            (TokenKind::Output, usage.output),
        ] {
            self.tokens
                .get_or_create(&OfKind {
                    model: Label(model.clone()),
                    team: Label(team.clone()),
                    kind: Label(kind),
                })
                .inc_by(tokens);
        }
    }

    /// Counts `streams` answers that were cut off by a revocation.
    pub fn streams_revoked(&self, streams: u64) {
        self.revoked_streams.inc_by(streams);
    }

    /// Writes all of them, in the order of the catalogue and of their labels.
    ///
    /// `prometheus-client` writes `OpenMetrics`: a counter is announced without its `_total`, each
    /// HELP gets a full stop, and label sets come in hash order. The engines' pages, which share the
    /// body, are in format 0.0.4. So only its sample lines are taken, which are the same in both
    /// formats, and they are sorted below headers from our own definitions.
    pub(crate) fn write(&self, page: &mut Exposition) {
        for (definition, registry) in &self.families {
            let mut text = String::new();
            encode_registry(&mut text, registry).expect("writing to a string cannot fail");
            let mut series = series(definition, &text);
            if series.is_empty() {
                continue;
            }
            series.sort_unstable();
            page.header(definition.name, definition.kind.as_str(), definition.help);
            for line in series.into_iter().flatten() {
                page.line(line);
            }
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn family(definition: &'static Definition, metric: impl Metric) -> (&'static Definition, Registry) {
    // It adds `_total` to a counter by itself.
    let name = definition.name.trim_end_matches("_total");
    let mut registry = Registry::default();
    registry.register(name, definition.help, metric);
    (definition, registry)
}

/// The sample lines of `text`, those of one label set together.
fn series<'a>(definition: &Definition, text: &'a str) -> Vec<Vec<&'a str>> {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let mut series: Vec<Vec<&str>> = Vec::new();
    for line in samples {
        // A histogram has many lines per label set, and `_sum` is written first.
        let first = match definition.kind {
            Kind::Counter | Kind::Gauge => true,
            Kind::Histogram => line[definition.name.len()..].starts_with("_sum"),
        };
        match series.last_mut() {
            Some(last) if !first => last.push(line),
            _ => series.push(vec![line]),
        }
    }
    series
}

#[cfg(test)]
mod tests;
