//! The gate: what passes here has a permit, and only what passes here can be forwarded.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use maas_keys::{Ask, LimitRefusal, LimitState, Permit, Principal};
use maas_metrics::InFlight;
use maas_types::{EngineId, EngineState, Outcome, RequestId, Usage};

use crate::{
    body::understand::Understood, engine::table::View, gateway::Shared, refusal::Refusal,
    route::Billing,
};

/// Tokens to reserve for an answer without a bound when the engine has not said how long it can be.
/// Why 4,096: vLLM's usual answers are shorter; what exceeds it is reserved when it is seen.
const UNBOUNDED_OUTPUT: u64 = 4_096;

/// Leave to be forwarded. Private fields: [`admit`] alone makes one.
#[derive(Debug)]
pub(crate) struct Admitted {
    /// `None` where nothing is billed: counting tokens computes none.
    permit: Option<Permit>,
    who: Principal,
    in_flight: InFlight,
    at: Timestamp,
    input_estimate: u64,
}

/// What is left of an [`Admitted`] when its request has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) who: Principal,
    _in_flight: InFlight,
}

/// Checks the model, that an engine is ready, and every limit; then reserves.
pub(crate) fn admit(
    shared: &Shared,
    view: &View,
    id: &RequestId,
    who: Principal,
    request: &Understood,
) -> Result<Admitted, Refusal> {
    let at = shared.now();
    let context = known_and_ready(view, &who, request)?;
    let permit = match request.api.billing() {
        Billing::Free => None,
        Billing::Tokens => {
            let ask = ask(id, request, context);
            let permit = shared.registry.admit(&who, ask, at);
            Some(permit.map_err(|why| {
                if why == LimitRefusal::ModelNotAllowed {
                    return unknown(request);
                }
                Refusal::Limit(why)
            })?)
        }
    };
    let in_flight = shared.metrics.admitted(&request.model);
    Ok(Admitted {
        permit,
        who,
        in_flight,
        at,
        input_estimate: request.prompts.within(context).likely,
    })
}

fn unknown(request: &Understood) -> Refusal {
    Refusal::UnknownModel {
        model: request.model.to_string(),
    }
}

/// The model's context length, if the key may know of it and an engine is ready.
fn known_and_ready(
    view: &View,
    who: &Principal,
    request: &Understood,
) -> Result<Option<u64>, Refusal> {
    if !who.may_use(&request.model) {
        return Err(unknown(request));
    }
    let mut engines = view.of(&request.model).peekable();
    if engines.peek().is_none() && !view.engines.is_empty() {
        return Err(unknown(request));
    }
    let mut furthest: Option<&Arc<_>> = None;
    for engine in engines {
        if engine.entry.state == EngineState::Ready {
            return Ok(engine.entry.max_model_len);
        }
        if furthest.is_none() || engine.entry.state == EngineState::Starting {
            furthest = Some(engine);
        }
    }
    Err(Refusal::NoEngine {
        model: request.model.to_string(),
        state: furthest.map(|engine| engine.entry.state),
        progress: furthest.and_then(|engine| engine.entry.progress_percent),
    })
}

/// What to reserve.
fn ask(id: &RequestId, request: &Understood, context: Option<u64>) -> Ask {
    let prompts = request.prompts.within(context);
    let answers = request.answers();
    // What the context leaves beside each prompt. A quarter of it when the estimate leaves nothing:
    // the prompt is then shorter than estimated, or the engine refuses it.
    let rest = context.map_or(UNBOUNDED_OUTPUT, |context| {
        match context.saturating_sub(prompts.likely / prompts.count) {
            0 => context / 4,
            rest => rest,
        }
    });
    let longest = context.unwrap_or(u64::MAX);
    Ask {
        request: id.clone(),
        model: request.model.clone(),
        requested_as: None,
        route: request.api.engine_path(),
        input_estimate: prompts.likely,
        input_most: prompts.most,
        answers,
        max_output: request
            .most_output
            .map(|most| most.min(longest).saturating_mul(answers)),
        default_output: rest.saturating_mul(answers),
    }
}

impl Admitted {
    /// What all answers together may have, tokens.
    pub(crate) fn output_cap(&self) -> Option<u64> {
        self.permit.as_ref().and_then(Permit::output_cap)
    }

    /// When it was admitted.
    pub(crate) fn at(&self) -> Timestamp {
        self.at
    }

    /// Tokens of the prompt as they probably are.
    pub(crate) fn input_estimate(&self) -> u64 {
        self.input_estimate
    }

    /// Where the limits stand.
    pub(crate) fn limits(&self) -> LimitState {
        self.permit.as_ref().map(Permit::limits).unwrap_or_default()
    }

    /// Waits until the key is revoked. What is not billed ends before anybody could notice.
    pub(crate) async fn revoked(&self) {
        match &self.permit {
            Some(permit) => permit.revoked().cancelled().await,
            None => std::future::pending().await,
        }
    }

    /// Notes which engine has it.
    pub(crate) fn sent_to(&mut self, engine: &EngineId) {
        if let Some(permit) = &mut self.permit {
            permit.sent_to(engine.clone());
        }
    }

    /// Notes what is known to have been used so far.
    pub(crate) fn observe(&mut self, usage: Usage) {
        if let Some(permit) = &mut self.permit {
            permit.observe(usage);
        }
    }

    /// Bills it. Returns what was billed.
    pub(crate) fn settle(self, usage: Usage, outcome: Outcome, took: Duration) -> (Usage, Ended) {
        let free = self.permit.is_none() || outcome == Outcome::EngineRefused;
        let usage = if free { Usage::default() } else { usage };
        if let Some(permit) = self.permit {
            permit.settle(usage, outcome, took);
        }
        let ended = Ended {
            who: self.who,
            _in_flight: self.in_flight,
        };
        (usage, ended)
    }
}
