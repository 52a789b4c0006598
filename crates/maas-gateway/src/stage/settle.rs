//! The end of an admitted request: billed once, counted once, logged once.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use maas_keys::LimitState;
use maas_metrics::{GatewayMetrics, Settled};
use maas_types::{EngineId, ModelName, Outcome, RequestId, Usage};
use tokio::time::Instant;

use super::{admit::Admitted, arrive::Arrived};
use crate::{body::understand::Understood, gateway::Shared, route::Api};

/// An admitted request that has not ended. Dropping it ends it as abandoned by its client: the server
/// drops a request's future, and the body of its answer, when the connection is gone.
#[derive(Debug)]
pub(crate) struct Settlement {
    admitted: Option<Admitted>,
    metrics: Arc<GatewayMetrics>,
    began: Instant,
    /// When it was admitted.
    pub(crate) at: Timestamp,
    /// Tokens of its prompt as they probably are.
    pub(crate) input_estimate: u64,
    pub(crate) id: RequestId,
    pub(crate) api: Api,
    model: ModelName,
    engine: Option<EngineId>,
    usage: Usage,
}

impl Settlement {
    pub(crate) fn new(
        shared: &Shared,
        arrived: &Arrived,
        request: &Understood,
        admitted: Admitted,
    ) -> Self {
        Self {
            at: admitted.at(),
            input_estimate: admitted.input_estimate(),
            // What it costs when its client leaves before anything is known.
            usage: Usage {
                input: admitted.input_estimate(),
                ..Usage::default()
            },
            admitted: Some(admitted),
            metrics: Arc::clone(&shared.metrics),
            began: arrived.began,
            id: arrived.id.clone(),
            api: request.api,
            model: request.model.clone(),
            engine: None,
        }
    }

    /// Waits until the key is revoked.
    pub(crate) async fn revoked(&self) {
        match &self.admitted {
            Some(admitted) => admitted.revoked().await,
            None => std::future::pending().await,
        }
    }

    pub(crate) fn limits(&self) -> LimitState {
        self.admitted
            .as_ref()
            .map(Admitted::limits)
            .unwrap_or_default()
    }

    pub(crate) fn output_cap(&self) -> Option<u64> {
        self.admitted.as_ref().and_then(Admitted::output_cap)
    }

    pub(crate) fn sent_to(&mut self, engine: &EngineId) {
        self.engine = Some(engine.clone());
        if let Some(admitted) = &mut self.admitted {
            admitted.sent_to(engine);
        }
    }

    /// Notes what is known to have been used so far.
    pub(crate) fn observe(&mut self, usage: Usage) {
        self.usage = usage;
        if let Some(admitted) = &mut self.admitted {
            admitted.observe(usage);
        }
    }

    /// Counts the first token of a stream.
    pub(crate) fn first_token(&self) {
        self.metrics.first_token(&self.model, self.began.elapsed());
    }

    /// Ends it for what was observed last.
    pub(crate) fn finish(&mut self, outcome: Outcome, status: http::StatusCode) {
        self.end(self.usage, outcome, Some(status));
    }

    /// Ends it for nothing: no engine has computed anything.
    pub(crate) fn finish_unserved(&mut self, outcome: Outcome, status: http::StatusCode) {
        self.end(Usage::default(), outcome, Some(status));
    }

    fn end(&mut self, usage: Usage, outcome: Outcome, status: Option<http::StatusCode>) {
        let Some(admitted) = self.admitted.take() else {
            return;
        };
        let took = self.began.elapsed();
        let (usage, ended) = admitted.settle(usage, outcome, took);
        self.metrics.settled(Settled {
            model: &self.model,
            team: ended.who.team(),
            route: self.api.counted(),
            outcome,
            usage,
            elapsed: took,
        });
        let log = Line {
            settlement: self,
            who: &ended.who,
            usage,
            outcome,
            took,
        };
        log.write(status.map_or(0, |status| status.as_u16()));
    }
}

impl Drop for Settlement {
    fn drop(&mut self) {
        let outcome = if std::thread::panicking() {
            Outcome::EngineFailed
        } else {
            Outcome::ClientGone
        };
        self.end(self.usage, outcome, None);
    }
}

/// The one line that an admitted request leaves in the log.
struct Line<'a> {
    settlement: &'a Settlement,
    who: &'a maas_keys::Principal,
    usage: Usage,
    outcome: Outcome,
    took: Duration,
}

impl Line<'_> {
    /// `status` is 0 when the client was gone before there was one.
    fn write(&self, status: u16) {
        let Settlement {
            id,
            api,
            model,
            engine,
            ..
        } = self.settlement;
        let engine = engine.as_ref().map_or("-", EngineId::as_str);
        let milliseconds = u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(
            request.id = %id,
            key.id = %self.who.key(),
            team = %self.who.team(),
            model = %model,
            route = api.counted().as_str(),
            status,
            outcome = self.outcome.as_str(),
            tokens.input = self.usage.input,
            tokens.cached = self.usage.cached,
            tokens.output = self.usage.output,
            duration_ms = milliseconds,
            engine.id = engine,
            "Answered {} for `{model}`: {}",
            api.counted().as_str(),
            self.outcome.as_str(),
        );
    }
}
