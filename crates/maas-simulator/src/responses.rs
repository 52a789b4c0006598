//! `POST /v1/responses`.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    answer::{Finish, Piece},
    app::App,
    chat::wish,
    error::ApiError,
    job::{Job, Prompt, Token},
    prompt::of_responses,
    reply::{self, Reply},
    request::Request,
    stream::{self, Broken, Script},
    wire::responses as wire,
};

/// Answers, or says why not.
pub(crate) async fn answer(app: &Arc<App>, request: &Request) -> Result<Reply, Broken> {
    app.check_model(request)?;
    let conversation = of_responses(&request.body)?;
    let limit = request.number("max_output_tokens")?;
    let wish = wish(request, &conversation, "stop")?;
    let job = Job::start(
        app,
        request,
        &conversation.prompt,
        ("max_output_tokens", limit),
        wish,
        1,
    )?;
    let prompt = job.prompt();
    let limit = limit.unwrap_or(app.settings.max_model_len.saturating_sub(prompt.tokens));
    let response = draft(app, request, limit);
    let mut script = ResponseScript::new(app, response, prompt);
    if request.is_on("stream") {
        return Ok(stream::events(job, script));
    }
    let whole = stream::whole(job, 1).await?;
    let choice = whole.choices.into_iter().next().unwrap_or_default();
    script.generated = whole.generated;
    script.text = choice.text();
    script.call = choice.call;
    script.end = choice.finish;
    Ok(reply::json(&script.completed()))
}

/// The response before anything is in it: what the request said, and defaults for the rest.
fn draft(app: &App, request: &Request, max_output_tokens: u64) -> wire::Response {
    let given = |key: &str, default: Value| {
        let value = request.body.get(key).filter(|value| !value.is_null());
        value.cloned().unwrap_or(default)
    };
    let tools = given("tools", json!([]));
    let no_tools = tools.as_array().is_some_and(Vec::is_empty);
    wire::Response {
        id: format!("resp_{}", app.fresh_id()),
        created_at: app.created(),
        incomplete_details: None,
        instructions: given("instructions", Value::Null),
        metadata: given("metadata", Value::Null),
        model: app.settings.name().to_owned(),
        object: "response",
        output: Vec::new(),
        parallel_tool_calls: given("parallel_tool_calls", json!(true))
            .as_bool()
            .unwrap_or(true),
        temperature: given("temperature", json!(1.0)),
        tool_choice: if no_tools {
            json!("none")
        } else {
            given("tool_choice", json!("auto"))
        },
        tools,
        top_p: given("top_p", json!(1.0)),
        background: false,
        max_output_tokens,
        max_tool_calls: given("max_tool_calls", Value::Null),
        previous_response_id: given("previous_response_id", Value::Null),
        prompt: None,
        reasoning: given("reasoning", Value::Null),
        service_tier: given("service_tier", json!("auto")),
        status: "in_progress",
        text: given("text", Value::Null),
        top_logprobs: None,
        truncation: given("truncation", json!("disabled")),
        usage: None,
        user: given("user", Value::Null),
        presence_penalty: 0.0,
        frequency_penalty: 0.0,
        kv_transfer_params: None,
        ec_transfer_params: None,
        input_messages: None,
        output_messages: None,
    }
}

struct ResponseScript {
    response: wire::Response,
    prompt: Prompt,
    item: String,
    call_id: String,
    sequence: u64,
    generated: u64,
    opened: bool,
    text: String,
    call: Option<(String, String)>,
    end: Option<Finish>,
}

impl ResponseScript {
    fn new(app: &App, response: wire::Response, prompt: Prompt) -> Self {
        Self {
            response,
            prompt,
            item: app.fresh_id(),
            call_id: format!("call_{}", app.fresh_id()),
            sequence: 0,
            generated: 0,
            opened: false,
            text: String::new(),
            call: None,
            end: None,
        }
    }

    /// The response with everything in it.
    fn completed(&self) -> wire::Response {
        let incomplete = match self.end.as_ref().unwrap_or(&Finish::Abort) {
            Finish::Stop(_) | Finish::ToolCalls => None,
            Finish::Length => Some("max_output_tokens"),
            Finish::Abort => Some("abort"),
        };
        let (prompt, output_tokens) = (self.prompt, self.generated);
        wire::Response {
            incomplete_details: incomplete.map(|reason| wire::Incomplete { reason }),
            output: vec![self.item("completed")],
            status: if incomplete.is_some() {
                "incomplete"
            } else {
                "completed"
            },
            usage: Some(wire::Usage {
                input_tokens: prompt.tokens,
                input_tokens_details: wire::InputDetails {
                    cached_tokens: prompt.cached,
                    ..wire::InputDetails::default()
                },
                output_tokens,
                output_tokens_details: wire::OutputDetails::default(),
                total_tokens: prompt.tokens + output_tokens,
            }),
            ..self.response.clone()
        }
    }

    /// The one item of the output, as it is when in this status.
    fn item(&self, status: &'static str) -> wire::Item {
        let begun = status == "in_progress";
        match &self.call {
            Some((name, arguments)) => wire::Item::Call(wire::Call {
                arguments: if begun {
                    String::new()
                } else {
                    arguments.clone()
                },
                call_id: self.call_id.clone(),
                name: name.clone(),
                r#type: "function_call",
                id: self.item_id(),
                status,
            }),
            None => wire::Item::Message(wire::Message {
                id: self.item_id(),
                content: if begun {
                    Vec::new()
                } else {
                    vec![part(&self.text, None)]
                },
                role: "assistant",
                status,
                r#type: "message",
                phase: None,
            }),
        }
    }

    fn item_id(&self) -> String {
        let kind = if self.call.is_some() { "fc" } else { "msg" };
        format!("{kind}_{}", self.item)
    }

    /// Writes an event with the next sequence number.
    fn write(&mut self, event: wire::Event) -> String {
        let event = wire::Event {
            sequence_number: self.sequence,
            ..event
        };
        self.sequence += 1;
        stream::event(event.r#type, &reply::json_text(&event))
    }

    fn of_response(&mut self, r#type: &'static str, response: wire::Response) -> String {
        let response = Some(Box::new(response));
        self.write(wire::Event {
            response,
            r#type,
            ..wire::Event::default()
        })
    }

    fn of_item(&mut self, r#type: &'static str, status: &'static str) -> String {
        let item = Some(self.item(status));
        let output_index = Some(0);
        self.write(wire::Event {
            item,
            output_index,
            r#type,
            ..wire::Event::default()
        })
    }

    /// An event about the item's first part.
    fn of_part(&mut self, r#type: &'static str, event: wire::Event) -> String {
        let item_id = Some(self.item_id());
        let (content_index, output_index) = (Some(0), Some(0));
        self.write(wire::Event {
            content_index,
            item_id,
            output_index,
            r#type,
            ..event
        })
    }

    /// An event about the arguments of the item's call.
    fn of_call(&mut self, r#type: &'static str, event: wire::Event) -> String {
        let item_id = Some(self.item_id());
        self.write(wire::Event {
            item_id,
            output_index: Some(0),
            r#type,
            ..event
        })
    }

    fn begin(&mut self, piece: &Piece) -> Vec<String> {
        if std::mem::replace(&mut self.opened, true) {
            return Vec::new();
        }
        if let Piece::CallName(name) = piece {
            self.call = Some((name.clone(), String::new()));
            return vec![self.of_item("response.output_item.added", "in_progress")];
        }
        let part = Some(part("", Some([])));
        let event = wire::Event {
            part,
            ..wire::Event::default()
        };
        vec![
            self.of_item("response.output_item.added", "in_progress"),
            self.of_part("response.content_part.added", event),
        ]
    }
}

fn part(text: &str, logprobs: Option<[(); 0]>) -> wire::Part {
    wire::Part {
        annotations: [],
        text: text.to_owned(),
        r#type: "output_text",
        logprobs,
    }
}

impl Script for ResponseScript {
    fn open(&mut self) -> Vec<String> {
        let response = self.response.clone();
        vec![
            self.of_response("response.created", response.clone()),
            self.of_response("response.in_progress", response),
        ]
    }

    fn token(&mut self, token: &Token) -> Vec<String> {
        let mut events = self.begin(&token.piece);
        self.generated = token.generated;
        self.end.clone_from(&token.finish);
        match &token.piece {
            Piece::Text(text) if !text.is_empty() => {
                self.text.push_str(text);
                let (delta, logprobs) = (Some(text.clone()), Some([]));
                let event = wire::Event {
                    delta,
                    logprobs,
                    ..wire::Event::default()
                };
                events.push(self.of_part("response.output_text.delta", event));
            }
            Piece::CallArguments(more) if !more.is_empty() => {
                if let Some((_, arguments)) = &mut self.call {
                    arguments.push_str(more);
                }
                let event = wire::Event {
                    delta: Some(more.clone()),
                    ..wire::Event::default()
                };
                events.push(self.of_call("response.function_call_arguments.delta", event));
            }
            Piece::Text(_) | Piece::CallName(_) | Piece::CallArguments(_) => {}
        }
        events
    }

    fn close(&mut self) -> Vec<String> {
        let mut events = Vec::new();
        if let Some((name, arguments)) = self.call.clone() {
            let (name, arguments) = (Some(name), Some(arguments));
            let event = wire::Event {
                arguments,
                name,
                ..wire::Event::default()
            };
            events.push(self.of_call("response.function_call_arguments.done", event));
        } else {
            let (text, logprobs) = (Some(self.text.clone()), Some([]));
            let event = wire::Event {
                logprobs,
                text,
                ..wire::Event::default()
            };
            events.push(self.of_part("response.output_text.done", event));
            let part = Some(part(&self.text, None));
            let event = wire::Event {
                part,
                ..wire::Event::default()
            };
            events.push(self.of_part("response.content_part.done", event));
        }
        events.push(self.of_item("response.output_item.done", "completed"));
        let completed = self.completed();
        events.push(self.of_response("response.completed", completed));
        events
    }

    fn failed(&mut self, error: &ApiError) -> Vec<String> {
        vec![stream::data(&error.openai()), stream::DONE.to_owned()]
    }
}
