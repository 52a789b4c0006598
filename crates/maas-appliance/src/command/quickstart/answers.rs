//! One real HTTPS call in each dialect, and what each was billed.

use camino::Utf8Path;
use maas_types::{Exit, ModelName};
use serde_json::{Value, json};

use super::{https::HttpsClient, stage::chapter};
use crate::{error::CommandError, output};

/// What is asked. A base model answers it, with the stop word below, in one word.
const QUESTION: &str = "What is the capital of France?";

/// Longest answer, tokens: a sentence, so that a CPU answers at once.
const ANSWER_TOKENS: u32 = 24;

/// A dialect: its name, its path, its request, and where text and usage stand in the answer.
struct Dialect {
    path: &'static str,
    body: Value,
    text: &'static str,
    input: &'static str,
    output: &'static str,
}

fn dialects(model: &ModelName) -> [Dialect; 3] {
    let messages = json!([{ "role": "user", "content": QUESTION }]);
    [
        Dialect {
            path: "/v1/chat/completions",
            body: json!({
                "model": model, "messages": messages, "max_tokens": ANSWER_TOKENS,
                "temperature": 0, "stop": ["\n"],
            }),
            text: "/choices/0/message/content",
            input: "/usage/prompt_tokens",
            output: "/usage/completion_tokens",
        },
        Dialect {
            path: "/v1/messages",
            body: json!({
                "model": model, "messages": messages, "max_tokens": ANSWER_TOKENS,
                "temperature": 0, "stop_sequences": ["\n"],
            }),
            text: "/content/0/text",
            input: "/usage/input_tokens",
            output: "/usage/output_tokens",
        },
        Dialect {
            path: "/v1/responses",
            body: json!({
                "model": model, "input": QUESTION, "max_output_tokens": ANSWER_TOKENS,
                "temperature": 0,
            }),
            text: "/output/0/content/0/text",
            input: "/usage/input_tokens",
            output: "/usage/output_tokens",
        },
    ]
}

/// Asks the question three times and shows the answers and what they cost.
pub(super) async fn ask_in_three_dialects(
    port: u16,
    ca: &Utf8Path,
    key: &str,
    model: &ModelName,
) -> Result<(), CommandError> {
    chapter("A developer's calls over HTTPS, with that CA and that key");
    let client = HttpsClient::new(port, ca, key)?;
    for dialect in dialects(model) {
        let (status, answer) = client.post(dialect.path, &dialect.body).await?;
        if !status.is_success() {
            return Err(CommandError::new(
                Exit::Failed,
                format!("POST {} answered {status}: {answer}", dialect.path),
            ));
        }
        let text = answer
            .pointer(dialect.text)
            .and_then(Value::as_str)
            .unwrap_or_default();
        let tokens = |at| {
            answer
                .pointer(at)
                .and_then(Value::as_u64)
                .unwrap_or_default()
        };
        output::words(&format!(
            "\n> POST {}   {QUESTION}\n< {status}   {}\n  {} tokens in, {} out",
            dialect.path,
            text.trim(),
            tokens(dialect.input),
            tokens(dialect.output),
        ));
    }
    Ok(())
}
