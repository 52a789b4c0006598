//! From the messages of three dialects to one prompt.
//!
//! The same conversation renders to the same prompt whichever dialect it came in, so that its token
//! count is the same in `usage`, `/tokenize` and `count_tokens`, as recorded.

use std::fmt::Write;

use serde_json::{Map, Value};

use crate::error::ApiError;

/// A conversation, rendered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Conversation {
    /// What is tokenised.
    pub(crate) prompt: String,
    /// The last message, if a user wrote it and it is not a tool's result.
    pub(crate) last_user: Option<String>,
}

/// What a user's message holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Words,
    ToolResult,
}

/// The messages of `/v1/chat/completions` and of `/tokenize`.
pub(crate) fn of_chat(body: &Map<String, Value>) -> Result<Conversation, ApiError> {
    let mut conversation = Conversation::default();
    conversation.tools(body.get("tools"));
    for message in list(body, "messages")? {
        conversation.message(message);
    }
    Ok(conversation.ended())
}

/// The system text and messages of `/v1/messages`.
pub(crate) fn of_messages(body: &Map<String, Value>) -> Result<Conversation, ApiError> {
    let mut conversation = Conversation::default();
    conversation.tools(body.get("tools"));
    conversation.turn_if_given("system", body.get("system"));
    for message in list(body, "messages")? {
        conversation.message(message);
    }
    Ok(conversation.ended())
}

/// The instructions and input of `/v1/responses`.
pub(crate) fn of_responses(body: &Map<String, Value>) -> Result<Conversation, ApiError> {
    let mut conversation = Conversation::default();
    conversation.tools(body.get("tools"));
    conversation.turn_if_given("system", body.get("instructions"));
    match body.get("input") {
        Some(Value::String(text)) => conversation.turn("user", text, Content::Words),
        Some(Value::Array(items)) => items.iter().for_each(|item| conversation.message(item)),
        Some(_) | None => return Err(missing(body, "input")),
    }
    Ok(conversation.ended())
}

/// The names of the tools that a request offers, in any dialect.
pub(crate) fn offered_tools(body: &Map<String, Value>) -> Vec<String> {
    if body.get("tool_choice").and_then(Value::as_str) == Some("none") {
        return Vec::new();
    }
    let tools = body.get("tools").and_then(Value::as_array);
    let names = tools.into_iter().flatten().filter_map(|tool| {
        let of = tool.get("function").unwrap_or(tool);
        of.get("name").and_then(Value::as_str).map(str::to_owned)
    });
    names.collect()
}

/// A required field that is not there.
pub(crate) fn missing(body: &Map<String, Value>, field: &str) -> ApiError {
    ApiError::invalid(
        "missing",
        &format!("body.{field}"),
        "Field required",
        body.len(),
    )
}

impl Conversation {
    fn tools(&mut self, tools: Option<&Value>) {
        if let Some(Value::Array(tools)) = tools
            && !tools.is_empty()
        {
            self.turn(
                "tools",
                &Value::Array(tools.clone()).to_string(),
                Content::Words,
            );
        }
    }

    fn turn_if_given(&mut self, role: &str, content: Option<&Value>) {
        if let Some(content) = content.filter(|content| !content.is_null()) {
            self.turn(role, &text_of(content), Content::Words);
        }
    }

    fn message(&mut self, message: &Value) {
        let role = message
            .get("role")
            .and_then(Value::as_str)
            .unwrap_or("tool");
        let content = ["content", "output", "arguments"]
            .iter()
            .find_map(|key| message.get(key));
        let mut text = content.map(text_of).unwrap_or_default();
        if let Some(calls) = message.get("tool_calls") {
            text.push_str(&calls.to_string());
        }
        let is_result = content.and_then(Value::as_array).is_some_and(|parts| {
            parts
                .iter()
                .any(|part| part.get("type").and_then(Value::as_str) == Some("tool_result"))
        });
        let of = if is_result {
            Content::ToolResult
        } else {
            Content::Words
        };
        self.turn(role, &text, of);
    }

    fn turn(&mut self, role: &str, text: &str, of: Content) {
        writeln!(self.prompt, "<{role}> {text}").expect("writing to a string cannot fail");
        self.last_user = (role == "user" && of == Content::Words).then(|| text.to_owned());
    }

    fn ended(mut self) -> Self {
        self.prompt.push_str("<assistant>");
        self
    }
}

fn list<'a>(body: &'a Map<String, Value>, field: &str) -> Result<&'a Vec<Value>, ApiError> {
    body.get(field)
        .and_then(Value::as_array)
        .ok_or_else(|| missing(body, field))
}

/// The text of a message's content: a string, or the parts of a list one after the other. What is
/// not text (images, tool calls) counts with its JSON.
fn text_of(content: &Value) -> String {
    match content {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(text_of).collect(),
        Value::Object(part) => match (part.get("text"), part.get("content")) {
            (Some(Value::String(text)), _) => text.clone(),
            (_, Some(content)) => text_of(content),
            _ => content.to_string(),
        },
        Value::Bool(_) | Value::Number(_) => content.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_conversation_renders_alike_in_every_dialect() {
        let chat = of_chat(&map(&json!({"messages":[
            {"role":"system","content":"be brief"},
            {"role":"user","content":[{"type":"text","text":"hello"}]}]})));
        let messages = of_messages(&map(&json!({"system":[{"type":"text","text":"be brief"}],
            "messages":[{"role":"user","content":"hello"}]})));
        let responses = of_responses(&map(&json!({"instructions":"be brief","input":[
            {"type":"message","role":"user","content":[{"type":"input_text","text":"hello"}]}]})));
        assert_eq!(chat, messages);
        assert_eq!(chat, responses);
        assert_eq!(chat.unwrap().last_user.as_deref(), Some("hello"));
    }

    #[test]
    fn a_tool_result_is_not_a_users_last_word_in_any_dialect() {
        let chat = of_chat(&map(
            &json!({"messages":[{"role":"user","content":"CALL_TOOL f {}"},
            {"role":"assistant","content":null,"tool_calls":[]},
            {"role":"tool","content":"done"}]}),
        ));
        let messages = of_messages(&map(&json!({"messages":[{"role":"user","content":[
            {"type":"tool_result","tool_use_id":"1","content":"CALL_TOOL f {}"}]}]})));
        let responses = of_responses(&map(&json!({"input":[
            {"role":"user","content":"CALL_TOOL f {}"},
            {"type":"function_call_output","call_id":"1","output":"done"}]})));
        for conversation in [chat, messages, responses] {
            assert_eq!(conversation.unwrap().last_user, None);
        }
    }

    #[test]
    fn a_body_without_messages_is_refused_without_quoting_it() {
        let error = of_chat(&map(&json!({"prompt":"secret"}))).unwrap_err();
        assert_eq!(
            (error.status, error.param.as_deref()),
            (400, Some("body.messages"))
        );
        assert!(!error.message.contains("secret"));
    }
}
