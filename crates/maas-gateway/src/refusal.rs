//! Why a request is not answered by an engine, in one sentence for the person who reads it.
//!
//! Claude Code, OpenCode and Continue print `message` word for word, so each says what, which limit,
//! and when it ends. None of them names another model, another team, a file or an address of ours.

use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use maas_keys::{AuthRefusal, LimitRefusal};
use maas_metrics::Refusal as Counted;
use maas_types::EngineState;

use crate::body::scan::ScanError;

/// Why a request is refused, or broken off.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("there is no such path here; the API begins with /v1/ or /llm/<model>/v1/")]
    NoSuchPath,
    #[error("this path takes {allow} only")]
    WrongMethod { allow: &'static str },
    #[error("responses are served over HTTP: send POST /v1/responses; there is no WebSocket here")]
    NoWebSocket,
    #[error(
        "no API key; send `Authorization: Bearer sk-maas-…` or `x-api-key: sk-maas-…` \
         (an administrator makes one with `maas-appliance keys create`)"
    )]
    NoKey,
    #[error(
        "an API key does not belong into the URL, where logs keep it; send it in a header, and have this one revoked"
    )]
    KeyInUrl,
    #[error("the headers `authorization` and `x-api-key` hold two different keys; send one")]
    TwoKeys,
    #[error("the header `{0}` stands there twice")]
    RepeatedHeader(&'static str),
    #[error("the `authorization` header is not `Bearer` and a key")]
    NotBearer,
    /// What the key itself may learn is decided in [`Refusal::message`].
    #[error("{}", auth_sentence(*.0))]
    BadKey(AuthRefusal),
    #[error("the body is larger than the limit of {limit} bytes")]
    TooLarge { limit: usize },
    #[error("the body did not arrive: no byte for {} s", .0.as_secs())]
    BodyStalled(Duration),
    #[error("the body did not arrive within {} s", .0.as_secs())]
    BodyTooSlow(Duration),
    #[error("the body is {0}-encoded; send it as it is")]
    Encoded(String),
    #[error("the body is {0}")]
    NotJson(ScanError),
    #[error("`{field}` must be {want}")]
    BadField {
        field: &'static str,
        want: &'static str,
    },
    #[error("the body does not say which `model`; GET /v1/models lists those of this key")]
    NoModel,
    #[error("the path is for the model `{path}`, the body names another one")]
    ModelMismatch { path: String },
    #[error("`background` answers are not kept here; leave it out, or stream")]
    Background,
    /// The same words whether it does not exist or is not this key's: nobody learns by asking.
    #[error(
        "the model `{model}` does not exist, or this key may not use it; GET /v1/models lists those of this key"
    )]
    UnknownModel { model: String },
    #[error("{}", limit_sentence(.0))]
    Limit(LimitRefusal),
    #[error("the model `{model}` is not ready{}; try again shortly", state_words(*.state, *.progress))]
    NoEngine {
        model: String,
        state: Option<EngineState>,
        progress: Option<u8>,
    },
    #[error("the gateway is being restarted; try again shortly")]
    ShuttingDown,
    #[error("the engine broke off before the answer was complete; try again")]
    EngineBrokeOff,
    #[error(
        "the engine did not answer in its own protocol; the operator finds the request id in its log"
    )]
    EngineNonsense,
    /// An engine's own words, where its status can no longer be passed on.
    #[error("{message}")]
    EngineSaid { status: StatusCode, message: String },
    #[error("the engine was silent for {} s and was given up", .0.as_secs())]
    EngineSilent(Duration),
    #[error("the key was revoked while the answer was on its way")]
    RevokedMidway,
}

/// What a refusal is on the wire.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wire {
    /// The status for OpenAI clients.
    pub(crate) status: StatusCode,
    /// `error.type` for OpenAI clients.
    pub(crate) kind: &'static str,
    /// `error.code` for OpenAI clients.
    pub(crate) code: &'static str,
    /// `error.type` for Anthropic clients.
    pub(crate) anthropic: &'static str,
    /// What it is counted as; `None` for what happens after admission and for what has no request
    /// behind it.
    pub(crate) counted: Option<Counted>,
}

/// What Anthropic's API answers when it is overloaded; not in any RFC.
pub(crate) const OVERLOADED: u16 = 529;

/// How long to wait for an engine that loads, or for a ledger that writes slowly: long enough not to
/// be a storm, short enough for a person. Codex, which does not retry after 429, does after 503.
const SHORTLY: Duration = Duration::from_secs(5);

impl Refusal {
    /// What it is on the wire.
    pub(crate) fn wire(&self) -> Wire {
        let invalid = |status, code, counted| Wire {
            status,
            kind: "invalid_request_error",
            code,
            anthropic: "invalid_request_error",
            counted,
        };
        let bad = |code| invalid(StatusCode::BAD_REQUEST, code, Some(Counted::BadRequest));
        match self {
            Self::NoSuchPath => Wire {
                anthropic: "not_found_error",
                ..invalid(StatusCode::NOT_FOUND, "unknown_url", None)
            },
            Self::WrongMethod { .. } => {
                invalid(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", None)
            }
            Self::NoWebSocket => invalid(StatusCode::UPGRADE_REQUIRED, "no_websocket", None),
            Self::NoKey | Self::NotBearer | Self::BadKey(_) => unauthenticated("invalid_api_key"),
            Self::RevokedMidway => unauthenticated("key_revoked"),
            Self::KeyInUrl | Self::TwoKeys => invalid(
                StatusCode::BAD_REQUEST,
                "ambiguous_api_key",
                Some(Counted::Unauthenticated),
            ),
            Self::RepeatedHeader(_) => bad("repeated_header"),
            Self::TooLarge { .. } => Wire {
                anthropic: "request_too_large",
                ..invalid(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "request_too_large",
                    Some(Counted::TooLarge),
                )
            },
            Self::BodyStalled(_) | Self::BodyTooSlow(_) => invalid(
                StatusCode::REQUEST_TIMEOUT,
                "body_timeout",
                Some(Counted::BadRequest),
            ),
            Self::Encoded(_) => invalid(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_encoding",
                Some(Counted::BadRequest),
            ),
            Self::NotJson(_) => bad("invalid_json"),
            Self::BadField { .. } => bad("invalid_value"),
            Self::NoModel => bad("missing_model"),
            Self::ModelMismatch { .. } => bad("model_mismatch"),
            Self::Background => bad("unsupported_parameter"),
            Self::UnknownModel { .. } => unknown_model(),
            Self::Limit(limit) => limit_wire(limit),
            Self::NoEngine { .. } => overloaded("model_not_ready", Some(Counted::NoEngine)),
            Self::ShuttingDown => overloaded("restarting", None),
            Self::EngineBrokeOff | Self::EngineNonsense => {
                broken(StatusCode::BAD_GATEWAY, "engine_failed")
            }
            Self::EngineSaid { status, .. } if status.is_client_error() => {
                invalid(*status, "engine_refused", None)
            }
            Self::EngineSaid { status, .. } => broken(*status, "engine_failed"),
            Self::EngineSilent(_) => broken(StatusCode::GATEWAY_TIMEOUT, "engine_timeout"),
        }
    }

    /// The member that is wrong.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a new refusal is about no member"
    )]
    pub(crate) fn param(&self) -> Option<&'static str> {
        match self {
            Self::UnknownModel { .. } | Self::NoModel | Self::ModelMismatch { .. } => Some("model"),
            Self::BadField { field, .. } => Some(field),
            Self::NotJson(ScanError::Twice { key, .. }) => Some(key),
            Self::Background => Some("background"),
            _ => None,
        }
    }

    /// When the same request would be let in, where that is known.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        if let Self::Limit(LimitRefusal::RequestRate { retry_after, .. }) = self {
            return *retry_after;
        }
        (self.wire().status == StatusCode::SERVICE_UNAVAILABLE).then_some(SHORTLY)
    }

    /// Whether SDKs should try again by themselves. OpenAI's read `x-should-retry`.
    pub(crate) fn should_retry(&self) -> Option<bool> {
        let wire = self.wire();
        let refused = wire.counted == Some(Counted::Budget);
        let limited = wire.counted == Some(Counted::RequestRate);
        (refused || limited).then(|| self.retry_after().is_some())
    }
}

fn unauthenticated(code: &'static str) -> Wire {
    Wire {
        status: StatusCode::UNAUTHORIZED,
        kind: "invalid_request_error",
        code,
        anthropic: "authentication_error",
        counted: Some(Counted::Unauthenticated),
    }
}

fn unknown_model() -> Wire {
    Wire {
        status: StatusCode::NOT_FOUND,
        kind: "invalid_request_error",
        code: "model_not_found",
        anthropic: "not_found_error",
        counted: Some(Counted::ModelUnknown),
    }
}

fn overloaded(code: &'static str, counted: Option<Counted>) -> Wire {
    Wire {
        status: StatusCode::SERVICE_UNAVAILABLE,
        kind: "server_error",
        code,
        anthropic: "overloaded_error",
        counted,
    }
}

fn broken(status: StatusCode, code: &'static str) -> Wire {
    Wire {
        status,
        kind: "server_error",
        code,
        anthropic: "api_error",
        counted: None,
    }
}

fn limit_wire(limit: &LimitRefusal) -> Wire {
    match limit {
        LimitRefusal::RequestRate { .. } => Wire {
            status: StatusCode::TOO_MANY_REQUESTS,
            kind: "rate_limit_error",
            code: "rate_limit_exceeded",
            anthropic: "rate_limit_error",
            counted: Some(Counted::RequestRate),
        },
        // Not `insufficient_quota`: Codex prints its own text about billing for that code.
        LimitRefusal::Budget { .. } => Wire {
            status: StatusCode::PAYMENT_REQUIRED,
            kind: "billing_error",
            code: "budget_spent",
            anthropic: "billing_error",
            counted: Some(Counted::Budget),
        },
        LimitRefusal::ModelNotAllowed => unknown_model(),
        LimitRefusal::Revoked => unauthenticated("invalid_api_key"),
        LimitRefusal::LedgerBusy => overloaded("ledger_busy", Some(Counted::Ledger)),
    }
}

/// An unknown id and a wrong secret read the same. The rest is said only to whoever holds the secret.
fn auth_sentence(refusal: AuthRefusal) -> &'static str {
    match refusal {
        AuthRefusal::Malformed => {
            "the API key is mistyped or for another service: its form or checksum is wrong \
             (a key of this appliance begins with sk-maas-)"
        }
        AuthRefusal::Unknown => "the API key is not known here",
        AuthRefusal::Revoked => "the API key was revoked; ask an administrator for a new one",
        AuthRefusal::Expired => "the API key has expired; ask an administrator for a new one",
        AuthRefusal::TeamDisabled => "the team of this API key is disabled; ask an administrator",
    }
}

fn limit_sentence(limit: &LimitRefusal) -> String {
    match limit {
        LimitRefusal::RequestRate {
            scope,
            limit,
            retry_after: Some(wait),
        } => format!(
            "too many requests: the {scope} may send {limit} per minute; the next one is free in {}",
            seconds(*wait)
        ),
        LimitRefusal::RequestRate {
            scope,
            limit,
            retry_after: None,
        } => format!(
            "the {scope} may send {limit} requests per minute; an administrator can change that"
        ),
        LimitRefusal::Budget {
            scope,
            limit,
            used,
            resets,
        } => format!(
            "the {scope}'s budget of {limit} tokens per day leaves too little for this request: \
             {used} are used or reserved; it starts again at {}",
            minute(*resets)
        ),
        LimitRefusal::ModelNotAllowed => "this key may not use the model".to_owned(),
        LimitRefusal::Revoked => auth_sentence(AuthRefusal::Revoked).to_owned(),
        LimitRefusal::LedgerBusy => {
            "usage cannot be written down at the moment, so nothing is served; try again shortly"
                .to_owned()
        }
    }
}

fn state_words(state: Option<EngineState>, progress: Option<u8>) -> String {
    match (state, progress) {
        (None, _) => String::new(),
        (Some(state), Some(percent)) => format!(" ({}, {percent} %)", state.as_str()),
        (Some(state), None) => format!(" ({})", state.as_str()),
    }
}

/// Whole seconds, rounded up: waiting less would be refused again.
fn seconds(wait: Duration) -> String {
    format!("{} s", whole_seconds(wait))
}

/// Whole seconds, rounded up, at least one; for `Retry-After`.
pub(crate) fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// What a caller wrote, fit for a sentence: at most 80 characters, none of them a control character.
pub(crate) fn quoted(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_debug).collect()
}
