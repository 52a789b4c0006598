//! `POST /v1/chat/completions`.

use std::sync::Arc;

use crate::{
    answer::{Finish, Piece, Wish, asked_call},
    app::App,
    error::ApiError,
    job::{Job, Prompt, Token},
    logprobs,
    prompt::{Conversation, of_chat, offered_tools},
    reply::{self, Reply},
    request::Request,
    stream::{self, Answered, Broken, DONE, Script, UsageOn, data},
    wire::{ChunkUsage, Usage, chat as wire},
};

/// Answers, or says why not.
pub(crate) async fn answer(app: &Arc<App>, request: &Request) -> Result<Reply, Broken> {
    app.check_model(request)?;
    let conversation = of_chat(&request.body)?;
    let choices = request.number("n")?.unwrap_or(1).max(1);
    let limit = match request.number("max_completion_tokens")? {
        Some(limit) => ("max_completion_tokens", Some(limit)),
        None => ("max_tokens", request.number("max_tokens")?),
    };
    let wish = wish(request, &conversation, "stop")?;
    let job = Job::start(app, request, &conversation.prompt, limit, wish, choices)?;
    let choices = usize::try_from(choices).unwrap_or(1);
    let head = Head {
        id: format!("chatcmpl-{}", app.request_id(request)),
        created: app.created(),
        logprobs: request
            .is_on("logprobs")
            .then(|| request.number("top_logprobs")),
        app: Arc::clone(app),
        prompt: job.prompt(),
    };
    if request.is_on("stream") {
        return Ok(stream::events(job, ChatScript::new(head, request, choices)));
    }
    let whole = stream::whole(job, choices).await?;
    let usage = Usage::new(&app.settings, whole.prompt, whole.generated);
    Ok(reply::json(&head.completion(&whole.choices, usage)))
}

/// What the request says about its answer, in the words of chat; `stop` is the name of its stops.
pub(crate) fn wish(
    request: &Request,
    conversation: &Conversation,
    stop: &str,
) -> Result<Wish, ApiError> {
    let offered = offered_tools(&request.body);
    let message = conversation.last_user.as_deref().unwrap_or_default();
    Ok(Wish {
        min_tokens: request.number("min_tokens")?.unwrap_or(0),
        ignore_eos: request.is_on("ignore_eos"),
        stop: request.texts(stop),
        call: asked_call(message, &offered),
        ..Wish::default()
    })
}

/// `finish_reason` of an end.
pub(crate) const fn finish_reason(finish: &Finish) -> &'static str {
    match finish {
        Finish::Stop(_) => "stop",
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::Abort => "abort",
    }
}

/// `stop_reason` of an end: the stop text, if one ended it.
pub(crate) fn stop_reason(finish: &Finish) -> Option<String> {
    match finish {
        Finish::Stop(text) => text.clone(),
        Finish::Length | Finish::ToolCalls | Finish::Abort => None,
    }
}

/// What is the same in every chunk.
struct Head {
    app: Arc<App>,
    id: String,
    created: i64,
    prompt: Prompt,
    logprobs: Option<Result<Option<u64>, ApiError>>,
}

impl Head {
    fn logprobs(&self, tokens: &[(u64, String)]) -> Option<wire::Logprobs> {
        let top = self.logprobs.as_ref()?.as_ref().ok()?.unwrap_or(0);
        Some(logprobs::chat(tokens, top))
    }

    fn completion(&self, choices: &[Answered], usage: Usage) -> wire::Completion {
        wire::Completion {
            id: self.id.clone(),
            object: "chat.completion",
            created: self.created,
            model: self.app.settings.name().to_owned(),
            choices: choices
                .iter()
                .enumerate()
                .map(|(index, choice)| self.choice(index, choice))
                .collect(),
            service_tier: None,
            system_fingerprint: App::fingerprint(),
            usage,
            prompt_logprobs: None,
            prompt_token_ids: None,
            prompt_text: None,
            kv_transfer_params: None,
            ec_transfer_params: None,
            metrics: None,
        }
    }

    fn choice(&self, index: usize, choice: &Answered) -> wire::Choice {
        let finish = choice.finish.as_ref().unwrap_or(&Finish::Abort);
        let tool_calls = choice.call.iter().map(|(name, arguments)| wire::ToolCall {
            id: format!("chatcmpl-tool-{}", self.app.fresh_id()),
            r#type: "function",
            function: wire::Function {
                name: name.clone(),
                arguments: arguments.clone(),
            },
        });
        wire::Choice {
            index,
            message: wire::Message {
                role: "assistant",
                content: choice.call.is_none().then(|| choice.text()),
                refusal: None,
                annotations: None,
                audio: None,
                function_call: None,
                tool_calls: tool_calls.collect(),
                reasoning: None,
            },
            logprobs: self.logprobs(&choice.tokens),
            finish_reason: finish_reason(finish),
            stop_reason: stop_reason(finish),
            token_ids: None,
            routed_experts: None,
        }
    }

    fn chunk(&self, choices: Vec<wire::Delta>, usage: Option<ChunkUsage>) -> wire::Chunk {
        wire::Chunk {
            id: self.id.clone(),
            object: "chat.completion.chunk",
            created: self.created,
            model: self.app.settings.name().to_owned(),
            choices,
            usage,
            system_fingerprint: None,
            prompt_token_ids: None,
            prompt_text: None,
        }
    }
}

struct ChatScript {
    head: Head,
    choices: usize,
    opened: bool,
    usage_on: UsageOn,
    generated: u64,
}

impl ChatScript {
    fn new(head: Head, request: &Request, choices: usize) -> Self {
        Self {
            usage_on: UsageOn::asked(&head.app.settings, request),
            head,
            choices,
            opened: false,
            generated: 0,
        }
    }

    fn usage(&self, generated: u64) -> Option<ChunkUsage> {
        (self.usage_on == UsageOn::Every).then(|| ChunkUsage::so_far(self.head.prompt, generated))
    }

    /// The chunks with the role, which vLLM sends with the first token.
    fn roles(&mut self) -> Vec<String> {
        if std::mem::replace(&mut self.opened, true) {
            return Vec::new();
        }
        let role = |index| wire::Delta {
            index,
            delta: wire::DeltaMessage {
                role: Some("assistant"),
                content: Some(String::new()),
                tool_calls: None,
            },
            logprobs: None,
            finish_reason: None,
            stop_reason: None,
            token_ids: None,
        };
        let chunks = (0..self.choices).map(|index| wire::Chunk {
            prompt_token_ids: Some(wire::Null),
            prompt_text: Some(wire::Null),
            ..self.head.chunk(vec![role(index)], self.usage(0))
        });
        chunks
            .map(|chunk| data(&reply::json_text(&chunk)))
            .collect()
    }

    fn delta(&self, token: &Token) -> wire::DeltaMessage {
        let (id, r#type, name, arguments) = match &token.piece {
            Piece::Text(text) => {
                let content = Some(text.clone());
                return wire::DeltaMessage {
                    content,
                    ..wire::DeltaMessage::default()
                };
            }
            Piece::CallName(name) => {
                let id = format!("chatcmpl-tool-{}", self.head.app.fresh_id());
                (
                    Some(id),
                    Some("function"),
                    Some(name.clone()),
                    String::new(),
                )
            }
            Piece::CallArguments(more) => (None, None, None, more.clone()),
        };
        let function = wire::DeltaFunction { name, arguments };
        let call = wire::DeltaToolCall {
            id,
            r#type,
            index: 0,
            function,
        };
        wire::DeltaMessage {
            tool_calls: Some([call]),
            ..wire::DeltaMessage::default()
        }
    }
}

impl Script for ChatScript {
    fn open(&mut self) -> Vec<String> {
        Vec::new()
    }

    fn token(&mut self, token: &Token) -> Vec<String> {
        let mut events = self.roles();
        self.generated = token.generated;
        let logprobs = match &token.piece {
            Piece::Text(text) => self.head.logprobs(&[(token.id, text.clone())]),
            Piece::CallName(_) | Piece::CallArguments(_) => None,
        };
        let delta = wire::Delta {
            index: token.choice,
            delta: self.delta(token),
            logprobs,
            finish_reason: token.finish.as_ref().map(finish_reason),
            stop_reason: token
                .finish
                .as_ref()
                .map(|finish| wire::StopReason(stop_reason(finish))),
            token_ids: Some(wire::Null),
        };
        // vLLM 0.32 stamps the last chunk of an answer unless a chunk with usage is to follow
        // (`chat_completion_stream_generator`).
        let is_last = token.finish.is_some() && self.usage_on == UsageOn::Nothing;
        let chunk = wire::Chunk {
            system_fingerprint: is_last.then(App::fingerprint),
            ..self.head.chunk(vec![delta], self.usage(token.generated))
        };
        events.push(data(&reply::json_text(&chunk)));
        events
    }

    fn close(&mut self) -> Vec<String> {
        let mut events = Vec::new();
        if self.usage_on != UsageOn::Nothing {
            let settings = &self.head.app.settings;
            let usage = ChunkUsage::last(settings, self.head.prompt, self.generated);
            let chunk = wire::Chunk {
                system_fingerprint: Some(App::fingerprint()),
                ..self.head.chunk(Vec::new(), Some(usage))
            };
            events.push(data(&reply::json_text(&chunk)));
        }
        events.push(DONE.to_owned());
        events
    }

    fn failed(&mut self, error: &ApiError) -> Vec<String> {
        vec![data(&error.openai()), DONE.to_owned()]
    }
}
