//! Labels: closed enums and admitted names, as `prometheus-client` wants them.

use std::fmt::{self, Write};

use maas_types::{ModelName, Outcome, TeamName};
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

/// What is asked of an engine: the last part of the path, the same below `/v1` and
/// `/llm/<model>/v1`. Routes that the gateway answers by itself are not counted as requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Route {
    /// `/v1/chat/completions`
    ChatCompletions,
    /// `/v1/completions`
    Completions,
    /// `/v1/responses`
    Responses,
    /// `/v1/messages`
    Messages,
    /// `/v1/messages/count_tokens`
    CountTokens,
    /// `/v1/embeddings`
    Embeddings,
    /// `/v1/rerank`
    Rerank,
    /// `/v1/score`
    Score,
    /// `/v1/tokenize`
    Tokenize,
    /// `/v1/detokenize`
    Detokenize,
}

impl Route {
    /// Every route.
    pub const ALL: [Self; 10] = [
        Self::ChatCompletions,
        Self::Completions,
        Self::Responses,
        Self::Messages,
        Self::CountTokens,
        Self::Embeddings,
        Self::Rerank,
        Self::Score,
        Self::Tokenize,
        Self::Detokenize,
    ];

    /// The word in metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat_completions",
            Self::Completions => "completions",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::CountTokens => "count_tokens",
            Self::Embeddings => "embeddings",
            Self::Rerank => "rerank",
            Self::Score => "score",
            Self::Tokenize => "tokenize",
            Self::Detokenize => "detokenize",
        }
    }
}

/// Why a request was refused before any engine saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// No key, two keys, or a key that is not valid.
    Unauthenticated,
    /// More requests in a minute than the key or its team may send.
    RequestRate,
    /// The token budget of the key or its team is spent.
    Budget,
    /// A model that does not exist or that the key may not use.
    ModelUnknown,
    /// A body or a prompt above the limit.
    TooLarge,
    /// Not the JSON that the route takes.
    BadRequest,
    /// No engine is ready for the model.
    NoEngine,
    /// The usage ledger cannot be written; what cannot be billed is not served.
    Ledger,
}

impl Refusal {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::Unauthenticated,
        Self::RequestRate,
        Self::Budget,
        Self::ModelUnknown,
        Self::TooLarge,
        Self::BadRequest,
        Self::NoEngine,
        Self::Ledger,
    ];

    /// The word in metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::RequestRate => "request_rate",
            Self::Budget => "budget",
            Self::ModelUnknown => "model_unknown",
            Self::TooLarge => "too_large",
            Self::BadRequest => "bad_request",
            Self::NoEngine => "no_engine",
            Self::Ledger => "ledger",
        }
    }
}

/// Which tokens: the fields of [`Usage`](maas_types::Usage).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum TokenKind {
    Input,
    Cached,
    Output,
}

/// Something with one word for it. Only what may be a label value has it.
pub(super) trait Word {
    fn word(&self) -> &str;
}

impl Word for ModelName {
    fn word(&self) -> &str {
        self.as_str()
    }
}

impl Word for TeamName {
    fn word(&self) -> &str {
        self.as_str()
    }
}

impl Word for Outcome {
    fn word(&self) -> &str {
        self.as_str()
    }
}

impl Word for Route {
    fn word(&self) -> &str {
        self.as_str()
    }
}

impl Word for Refusal {
    fn word(&self) -> &str {
        self.as_str()
    }
}

impl Word for TokenKind {
    fn word(&self) -> &str {
        match self {
            Self::Input => "input",
            Self::Cached => "cached",
            Self::Output => "output",
        }
    }
}

/// A label value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Label<W>(pub(super) W);

impl<W: Word> EncodeLabelValue for Label<W> {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(self.0.word())
    }
}

/// Labels of `maas_requests_total`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfRequest {
    pub(super) model: Label<ModelName>,
    pub(super) team: Label<TeamName>,
    pub(super) route: Label<Route>,
    pub(super) outcome: Label<Outcome>,
}

/// Labels of `maas_tokens_total`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfKind {
    pub(super) model: Label<ModelName>,
    pub(super) team: Label<TeamName>,
    pub(super) kind: Label<TokenKind>,
}

/// The label of what is counted per model.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfModel {
    model: Label<ModelName>,
}

impl OfModel {
    pub(super) fn new(model: &ModelName) -> Self {
        Self {
            model: Label(model.clone()),
        }
    }
}

/// The label of `maas_refusals_total`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfReason {
    pub(super) reason: Label<Refusal>,
}

/// The label of `maas_build_info`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfVersion {
    pub(super) version: &'static str,
}
