//! READY is one real token, and nothing less: vLLM answers `/health` with 200 while its core hangs,
//! and a model has been seen that was healthy and died of its first token.

use camino::Utf8Path;
use http::{Method, StatusCode};
use maas_types::Task;
use serde_json::{Value, json};

use crate::{http as client, spec::EngineSpec};

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoToken {
    /// It may come yet.
    NotYet(String),
    /// It never will: the engine refuses the request itself.
    Refused(String),
}

/// Asks a loading engine for one token.
pub(crate) async fn first_token(spec: &EngineSpec) -> Result<(), NoToken> {
    let socket = spec.socket.as_path();
    let (status, _) = ask(socket, Method::GET, "/health", None).await?;
    if status != StatusCode::OK {
        return Err(NoToken::NotYet(format!("/health answers {status}")));
    }
    let model = spec.manifest.name.as_str();
    let (path, body) = match spec.manifest.task {
        // Not a chat: a base model has no chat template.
        Task::Generate => (
            "/v1/completions",
            json!({"model": model, "prompt": "Hello", "max_tokens": 1, "temperature": 0}),
        ),
        Task::Embed => ("/v1/embeddings", json!({"model": model, "input": "Hello"})),
    };
    let (status, answer) = ask(socket, Method::POST, path, Some(&body)).await?;
    judge(path, status, &answer)
}

async fn ask(
    socket: &Utf8Path,
    method: Method,
    path: &'static str,
    body: Option<&Value>,
) -> Result<(StatusCode, bytes::Bytes), NoToken> {
    client::ask(socket, method, path, body)
        .await
        .map_err(|error| NoToken::NotYet(chain(path, &error)))
}

fn judge(path: &str, status: StatusCode, answer: &[u8]) -> Result<(), NoToken> {
    let said = || {
        let text = String::from_utf8_lossy(answer);
        let text: String = text
            .chars()
            .take(300)
            .flat_map(char::escape_debug)
            .collect();
        format!("{path} answers {status}: {text}")
    };
    if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS {
        return Err(NoToken::Refused(said()));
    }
    let has_token = serde_json::from_slice::<Value>(answer).is_ok_and(|answer| {
        let completion = answer["usage"]["completion_tokens"].as_u64();
        let vector = answer["data"][0]["embedding"].as_array();
        completion.is_some_and(|n| n > 0) || vector.is_some_and(|v| !v.is_empty())
    });
    if status == StatusCode::OK && has_token {
        return Ok(());
    }
    Err(NoToken::NotYet(said()))
}

fn chain(path: &str, error: &dyn std::error::Error) -> String {
    let mut text = format!("{path}: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_token_is_a_token() {
        let judged = |status: u16, answer: &str| {
            judge(
                "/v1/x",
                StatusCode::from_u16(status).unwrap(),
                answer.as_bytes(),
            )
        };
        let completion = r#"{"usage":{"prompt_tokens":2,"completion_tokens":1}}"#;
        assert_eq!(judged(200, completion), Ok(()));
        assert_eq!(judged(200, r#"{"data":[{"embedding":[0.1]}]}"#), Ok(()));
        for (status, answer) in [
            (
                200,
                r#"{"usage":{"prompt_tokens":2,"completion_tokens":0}}"#,
            ),
            (200, r#"{"data":[{"embedding":[]}]}"#),
            (200, "<html>"),
            (200, ""),
            (500, completion),
            (503, "{}"),
            (429, "{}"),
        ] {
            assert!(
                matches!(judged(status, answer), Err(NoToken::NotYet(_))),
                "{status} {answer}"
            );
        }
        assert_eq!(
            judged(404, "no such model\u{1b}"),
            Err(NoToken::Refused(
                "/v1/x answers 404 Not Found: no such model\\u{1b}".to_owned()
            )),
        );
    }
}
