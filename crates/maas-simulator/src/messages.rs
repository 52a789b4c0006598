//! `POST /v1/messages` and `POST /v1/messages/count_tokens`.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::{
    answer::{Finish, Piece},
    app::App,
    chat::wish,
    error::ApiError,
    job::{Job, Prompt, Token},
    prompt::{missing, of_messages},
    reply::{self, Reply},
    request::Request,
    stream::{self, Broken, Script, event},
    tokens,
    wire::messages as wire,
};

/// Answers, or says why not.
pub(crate) async fn answer(app: &Arc<App>, request: &Request) -> Result<Reply, Broken> {
    app.check_model(request)?;
    let conversation = of_messages(&request.body)?;
    let limit = request.number("max_tokens")?;
    let limit = limit.ok_or_else(|| missing(&request.body, "max_tokens"))?;
    let wish = wish(request, &conversation, "stop_sequences")?;
    let job = Job::start(
        app,
        request,
        &conversation.prompt,
        ("max_tokens", Some(limit)),
        wish,
        1,
    )?;
    let id = format!("chatcmpl-{}", app.request_id(request));
    let prompt = job.prompt();
    if request.is_on("stream") {
        let script = MessageScript {
            app: Arc::clone(app),
            id,
            prompt,
            block: None,
            generated: 0,
            end: None,
        };
        return Ok(stream::events(job, script));
    }
    let whole = stream::whole(job, 1).await?;
    let choice = whole.choices.into_iter().next().unwrap_or_default();
    let block = match &choice.call {
        None => wire::Block::Text {
            text: choice.text(),
        },
        Some((name, arguments)) => wire::Block::ToolUse {
            id: format!("chatcmpl-tool-{}", app.fresh_id()),
            name: name.clone(),
            input: serde_json::from_str(arguments).unwrap_or_default(),
        },
    };
    Ok(reply::json(&wire::Message {
        id,
        r#type: "message",
        role: "assistant",
        content: vec![block],
        model: app.settings.name().to_owned(),
        stop_reason: stop_reason(choice.finish.as_ref().unwrap_or(&Finish::Abort)),
        usage: usage(app, prompt, whole.generated),
    }))
}

/// Counts, or says why not.
pub(crate) fn count(app: &App, request: &Request) -> Result<Reply, Broken> {
    app.check_model(request)?;
    let tokens = tokens::count(&of_messages(&request.body)?.prompt);
    Ok(reply::json(&wire::Count {
        input_tokens: tokens,
        context_management: wire::Original {
            original_input_tokens: tokens,
        },
    }))
}

/// The prompt without what the cache had, as Anthropic counts it.
fn usage(app: &App, prompt: Prompt, generated: u64) -> wire::Usage {
    let details = app.settings.prompt_tokens_details.is_on();
    let cached = if details { prompt.cached } else { 0 };
    wire::Usage {
        input_tokens: prompt.tokens - cached,
        output_tokens: generated,
        cache_read_input_tokens: (cached > 0).then_some(cached),
    }
}

const fn stop_reason(finish: &Finish) -> &'static str {
    match finish {
        Finish::Stop(Some(_)) => "stop_sequence",
        Finish::Stop(None) => "end_turn",
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
        Finish::Abort => "abort",
    }
}

struct MessageScript {
    app: Arc<App>,
    id: String,
    prompt: Prompt,
    /// The index of the open block.
    block: Option<usize>,
    generated: u64,
    end: Option<Finish>,
}

impl MessageScript {
    fn start(&self) -> wire::Event {
        wire::Event::MessageStart {
            message: wire::Start {
                id: self.id.clone(),
                r#type: "message",
                role: "assistant",
                content: [],
                model: self.app.settings.name().to_owned(),
                stop_reason: None,
                stop_sequence: None,
                usage: usage(&self.app, self.prompt, 0),
            },
        }
    }

    fn block(&self, piece: &Piece) -> wire::Block {
        match piece {
            // A call begins with its name; there are no arguments without a block.
            Piece::Text(_) | Piece::CallArguments(_) => wire::Block::Text {
                text: String::new(),
            },
            Piece::CallName(name) => wire::Block::ToolUse {
                id: format!("chatcmpl-tool-{}", self.app.fresh_id()),
                name: name.clone(),
                input: Map::<String, Value>::new(),
            },
        }
    }
}

fn write(event: &wire::Event) -> String {
    stream::event(event.name(), &reply::json_text(event))
}

impl Script for MessageScript {
    fn open(&mut self) -> Vec<String> {
        Vec::new()
    }

    fn token(&mut self, token: &Token) -> Vec<String> {
        let mut events = Vec::new();
        if self.block.is_none() {
            events.push(self.start());
            events.push(wire::Event::ContentBlockStart {
                content_block: self.block(&token.piece),
                index: 0,
            });
            self.block = Some(0);
        }
        let delta = match &token.piece {
            Piece::Text(text) => Some(wire::Delta::TextDelta { text: text.clone() }),
            Piece::CallName(_) => None,
            Piece::CallArguments(more) => Some(wire::Delta::InputJsonDelta {
                partial_json: more.clone(),
            }),
        };
        events.extend(delta.map(|delta| wire::Event::ContentBlockDelta { delta, index: 0 }));
        self.generated = token.generated;
        self.end.clone_from(&token.finish);
        events.iter().map(write).collect()
    }

    fn close(&mut self) -> Vec<String> {
        let finish = self.end.clone().unwrap_or(Finish::Abort);
        let stop_sequence = match &finish {
            Finish::Stop(text) => text.clone(),
            Finish::Length | Finish::ToolCalls | Finish::Abort => None,
        };
        let delta = wire::Stop {
            stop_reason: stop_reason(&finish),
            stop_sequence,
        };
        let usage = usage(&self.app, self.prompt, self.generated);
        let events = [
            wire::Event::ContentBlockStop { index: 0 },
            wire::Event::MessageDelta { delta, usage },
            wire::Event::MessageStop,
        ];
        events.iter().map(write).collect()
    }

    fn failed(&mut self, error: &ApiError) -> Vec<String> {
        vec![event("error", &error.anthropic())]
    }
}
