//! Which paths exist. Everything that is not listed here is 404 or 405, in the dialect of its path.
//!
//! Threat: an engine has more routes than clients may use (`/metrics`, `/v1/load_lora_adapter`,
//! `/invocations`, `/sleep`, `/collective_rpc`), and its own key check guards only some prefixes.
//! Defence: a client's path selects one of our routes by comparing whole strings, without decoding;
//! the path that an engine gets is [`Api::engine_path`], a constant.

use http::Method;
use maas_metrics::Route as Counted;
use maas_types::{Dialect, ModelName};

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// `GET /healthz`: the process answers.
    Alive,
    /// `GET /readyz`: requests can be served.
    Ready,
    /// `HEAD /` and `GET /`: some clients look before they speak (Claude Code 2.1.197).
    Root,
    /// `GET /v1/models`
    Models(Scope),
    /// `GET /v1/models/{id}`; the id as it stands in the path.
    Model(Scope, String),
    /// What an engine does.
    Engine(Scope, Api),
}

/// Below which prefix a route was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    /// `/v1/…`: the body names the model.
    All,
    /// `/llm/<model>/v1/…`: the path does.
    One(ModelName),
}

/// The routes that an engine answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Api {
    Chat,
    Completions,
    Responses,
    Messages,
    CountTokens,
    Embeddings,
    Tokenize,
    Detokenize,
}

/// How a request is billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Billing {
    /// By tokens, against every quota.
    Tokens,
    /// Not at all: the engine computes no token for it.
    Free,
}

impl Api {
    /// Every route.
    pub(crate) const ALL: [Self; 8] = [
        Self::Chat,
        Self::Completions,
        Self::Responses,
        Self::Messages,
        Self::CountTokens,
        Self::Embeddings,
        Self::Tokenize,
        Self::Detokenize,
    ];

    /// The path below `/v1/`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat/completions",
            Self::Completions => "completions",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::CountTokens => "messages/count_tokens",
            Self::Embeddings => "embeddings",
            Self::Tokenize => "tokenize",
            Self::Detokenize => "detokenize",
        }
    }

    /// The engine's path.
    pub(crate) const fn engine_path(self) -> &'static str {
        match self {
            Self::Chat => "/v1/chat/completions",
            Self::Completions => "/v1/completions",
            Self::Responses => "/v1/responses",
            Self::Messages => "/v1/messages",
            Self::CountTokens => "/v1/messages/count_tokens",
            Self::Embeddings => "/v1/embeddings",
            Self::Tokenize => "/tokenize",
            Self::Detokenize => "/detokenize",
        }
    }

    /// The words in which its client reads errors.
    pub(crate) const fn dialect(self) -> Dialect {
        match self {
            Self::Messages | Self::CountTokens => Dialect::Anthropic,
            Self::Chat
            | Self::Completions
            | Self::Responses
            | Self::Embeddings
            | Self::Tokenize
            | Self::Detokenize => Dialect::OpenAi,
        }
    }

    /// Whether `"stream": true` means something.
    pub(crate) const fn can_stream(self) -> bool {
        matches!(
            self,
            Self::Chat | Self::Completions | Self::Responses | Self::Messages
        )
    }

    /// How it is billed. Claude Code counts tokens about 25 times for one `/context`.
    pub(crate) const fn billing(self) -> Billing {
        match self {
            Self::CountTokens | Self::Tokenize | Self::Detokenize => Billing::Free,
            Self::Chat
            | Self::Completions
            | Self::Responses
            | Self::Messages
            | Self::Embeddings => Billing::Tokens,
        }
    }

    /// Its word in metrics and logs.
    pub(crate) const fn counted(self) -> Counted {
        match self {
            Self::Chat => Counted::ChatCompletions,
            Self::Completions => Counted::Completions,
            Self::Responses => Counted::Responses,
            Self::Messages => Counted::Messages,
            Self::CountTokens => Counted::CountTokens,
            Self::Embeddings => Counted::Embeddings,
            Self::Tokenize => Counted::Tokenize,
            Self::Detokenize => Counted::Detokenize,
        }
    }
}

/// Why no route was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misrouted {
    /// There is no such path.
    NoSuchPath,
    /// The path exists, for these methods.
    WrongMethod(&'static str),
    /// `GET /v1/responses`: Codex tries WebSocket there first and must be told at once.
    NoWebSocket,
}

/// Finds the route. The query is not looked at: `?beta=true` is Claude Code's way to say nothing.
pub(crate) fn find(method: &Method, path: &str) -> Result<Route, Misrouted> {
    let get = |route: Route| match *method {
        Method::GET | Method::HEAD => Ok(route),
        _ => Err(Misrouted::WrongMethod("GET, HEAD")),
    };
    match path {
        "/" => return get(Route::Root),
        "/healthz" => return get(Route::Alive),
        "/readyz" => return get(Route::Ready),
        _ => {}
    }
    let (scope, name) = split(path).ok_or(Misrouted::NoSuchPath)?;
    if name == "models" {
        return get(Route::Models(scope));
    }
    if let Some(id) = name.strip_prefix("models/") {
        return get(Route::Model(scope, id.to_owned()));
    }
    let api = Api::ALL
        .into_iter()
        .find(|api| api.name() == name)
        .ok_or(Misrouted::NoSuchPath)?;
    match *method {
        Method::POST => Ok(Route::Engine(scope, api)),
        Method::GET if api == Api::Responses => Err(Misrouted::NoWebSocket),
        _ => Err(Misrouted::WrongMethod("POST")),
    }
}

/// The dialect of a path, whether or not it exists.
pub(crate) fn dialect(path: &str) -> Dialect {
    match split(path) {
        Some((_, name)) if name == "messages" || name.starts_with("messages/") => {
            Dialect::Anthropic
        }
        Some(_) | None => Dialect::OpenAi,
    }
}

/// `/v1/name` or `/llm/<model>/v1/name`.
fn split(path: &str) -> Option<(Scope, &str)> {
    if let Some(name) = path.strip_prefix("/v1/") {
        return Some((Scope::All, name));
    }
    let (model, name) = path.strip_prefix("/llm/")?.split_once("/v1/")?;
    Some((Scope::One(model.parse().ok()?), name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_api_is_found_below_both_prefixes_and_by_post_alone() {
        let model: ModelName = "tiny".parse().unwrap();
        for api in Api::ALL {
            let plain = format!("/v1/{}", api.name());
            let scoped = format!("/llm/tiny{plain}");
            assert_eq!(
                find(&Method::POST, &plain),
                Ok(Route::Engine(Scope::All, api))
            );
            assert_eq!(
                find(&Method::POST, &scoped),
                Ok(Route::Engine(Scope::One(model.clone()), api))
            );
            assert!(find(&Method::PUT, &plain).is_err());
            assert_eq!(
                (dialect(&plain), dialect(&scoped)),
                (api.dialect(), api.dialect())
            );
        }
    }

    #[test]
    fn dangerous_routes_of_the_engine_do_not_exist() {
        for path in [
            "/metrics",
            "/load",
            "/v1/load_lora_adapter",
            "/v1/unload_lora_adapter",
            "/invocations",
            "/inference/v1/generate",
            "/sleep",
            "/wake_up",
            "/collective_rpc",
            "/reset_prefix_cache",
            "/simulate",
            "/tokenize",
            "/health",
            "/version",
            "/v1/../metrics",
            "/v1/chat/completions/../../../metrics",
            "/v1//chat/completions",
            "/v1/chat%2Fcompletions",
            "/V1/chat/completions",
            "/v1/chat/completions/",
            "/llm/tiny/metrics",
            "/llm//v1/chat/completions",
            "/llm/../v1/chat/completions",
            "/llm/a/b/v1/chat/completions",
            "",
            "*",
        ] {
            for method in [Method::GET, Method::POST, Method::DELETE, Method::CONNECT] {
                assert_eq!(
                    find(&method, path),
                    Err(Misrouted::NoSuchPath),
                    "{method} {path}"
                );
            }
        }
    }

    #[test]
    fn a_web_socket_for_responses_is_refused_by_name() {
        assert_eq!(
            find(&Method::GET, "/v1/responses"),
            Err(Misrouted::NoWebSocket)
        );
        assert_eq!(
            find(&Method::GET, "/v1/messages"),
            Err(Misrouted::WrongMethod("POST"))
        );
    }
}
