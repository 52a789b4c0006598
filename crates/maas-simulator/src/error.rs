//! Errors as vLLM answers them.

use serde::Serialize;

/// An error that becomes a response or an event in a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    /// The HTTP status, and `code` in the body.
    pub(crate) status: u16,
    /// For a person.
    pub(crate) message: String,
    /// `NotFoundError`, `BadRequestError`, …
    pub(crate) kind: &'static str,
    /// The parameter at fault.
    pub(crate) param: Option<String>,
}

/// What `code: 500` events say when the core is gone, word for word.
const ENGINE_DEAD: &str =
    "EngineCore encountered an issue. See stack trace (above) for the root cause.";

#[derive(Serialize)]
struct Body<'a> {
    error: Info<'a>,
}

#[derive(Serialize)]
struct Info<'a> {
    message: &'a str,
    r#type: &'a str,
    param: Option<&'a str>,
    code: u16,
}

#[derive(Serialize)]
struct AnthropicBody<'a> {
    r#type: &'static str,
    error: AnthropicInfo<'a>,
}

#[derive(Serialize)]
struct AnthropicInfo<'a> {
    r#type: &'a str,
    message: &'a str,
}

impl ApiError {
    /// A value that vLLM itself refuses.
    pub(crate) fn bad_request(message: String, param: &str) -> Self {
        Self {
            status: 400,
            message,
            kind: "BadRequestError",
            param: Some(param.to_owned()),
        }
    }

    /// A body that the validation in front of vLLM refuses. The body is never quoted.
    pub(crate) fn invalid(kind: &str, at: &str, what: &str, fields: usize) -> Self {
        Self {
            status: 400,
            message: format!(
                "1 validation error:\n  {{'type': '{kind}', 'loc': '{at}', 'msg': '{what}', \
                 'input': '<dict of {fields} items>'}}"
            ),
            kind: "Bad Request",
            param: Some(at.to_owned()),
        }
    }

    /// A model that is not served here.
    pub(crate) fn unknown_model(asked: &str, served: &[String]) -> Self {
        let aliases = served.join(", ");
        Self {
            status: 404,
            message: format!("The model `{asked}` does not exist. Valid aliases: {aliases}."),
            kind: "NotFoundError",
            param: Some("model".to_owned()),
        }
    }

    /// The core is gone.
    pub(crate) fn engine_dead() -> Self {
        Self::internal(ENGINE_DEAD)
    }

    /// The engine drains.
    pub(crate) fn shutting_down() -> Self {
        Self::internal("cannot schedule new futures after shutdown")
    }

    /// Something broke.
    pub(crate) fn internal(message: &str) -> Self {
        Self {
            status: 500,
            message: message.to_owned(),
            kind: "InternalServerError",
            param: None,
        }
    }

    /// The engine takes no more, as `--max-num-queued-reqs` makes it say.
    pub(crate) fn overloaded() -> Self {
        Self {
            status: 503,
            message: "Simulated refusal: the engine takes no requests.".to_owned(),
            kind: "ServiceUnavailableError",
            param: None,
        }
    }

    /// The body in the words of OpenAI, which most routes use.
    pub(crate) fn openai(&self) -> String {
        let error = Info {
            message: &self.message,
            r#type: self.kind,
            param: self.param.as_deref(),
            code: self.status,
        };
        crate::reply::json_text(&Body { error })
    }

    /// The body in the words of Anthropic, for `/v1/messages` and below.
    pub(crate) fn anthropic(&self) -> String {
        let error = AnthropicInfo {
            r#type: self.kind,
            message: &self.message,
        };
        crate::reply::json_text(&AnthropicBody {
            r#type: "error",
            error,
        })
    }
}
