//! `POST /v1/completions`.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    answer::{Finish, Piece, Wish},
    app::App,
    chat::{finish_reason, stop_reason},
    error::ApiError,
    job::{Job, Prompt, Token},
    logprobs,
    prompt::missing,
    reply::{self, Reply},
    request::Request,
    stream::{self, Answered, Broken, DONE, Script, UsageOn, data},
    tokens,
    wire::{ChunkUsage, Usage, completions as wire},
};

/// OpenAI's default for this route, and vLLM's.
const DEFAULT_MAX_TOKENS: u64 = 16;

/// Answers, or says why not.
pub(crate) async fn answer(app: &Arc<App>, request: &Request) -> Result<Reply, Broken> {
    app.check_model(request)?;
    let prompt = prompt(request)?;
    let choices = request.number("n")?.unwrap_or(1).max(1);
    let limit = request.number("max_tokens")?.unwrap_or(DEFAULT_MAX_TOKENS);
    let wish = Wish {
        min_tokens: request.number("min_tokens")?.unwrap_or(0),
        ignore_eos: request.is_on("ignore_eos"),
        stop: request.texts("stop"),
        ..Wish::default()
    };
    let job = Job::start(
        app,
        request,
        &prompt,
        ("max_tokens", Some(limit)),
        wish,
        choices,
    )?;
    let choices = usize::try_from(choices).unwrap_or(1);
    let head = Head {
        id: format!("cmpl-{}", app.request_id(request)),
        created: app.created(),
        app: Arc::clone(app),
        prompt: job.prompt(),
        logprobs: request.number("logprobs")?.is_some(),
    };
    if request.is_on("stream") {
        return Ok(stream::events(
            job,
            CompletionScript::new(head, request, choices),
        ));
    }
    let whole = stream::whole(job, choices).await?;
    let usage = Usage::new(&app.settings, whole.prompt, whole.generated);
    Ok(reply::json(&head.completion(&whole.choices, usage)))
}

/// A text, or the ids of one. Batches of several prompts are not simulated.
fn prompt(request: &Request) -> Result<String, ApiError> {
    match request.body.get("prompt") {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Array(list)) => match list.as_slice() {
            [Value::String(text)] => Ok(text.clone()),
            ids => {
                let ids: Option<Vec<u64>> = ids.iter().map(Value::as_u64).collect();
                let what = "the simulated engine takes one prompt: a text or a list of token ids";
                ids.map(|ids| tokens::decode(&ids))
                    .ok_or_else(|| ApiError::bad_request(what.to_owned(), "prompt"))
            }
        },
        _ => Err(missing(&request.body, "prompt")),
    }
}

/// What is the same in every chunk.
struct Head {
    app: Arc<App>,
    id: String,
    created: i64,
    prompt: Prompt,
    logprobs: bool,
}

impl Head {
    fn completion(&self, choices: &[Answered], usage: Usage) -> wire::Completion {
        wire::Completion {
            id: self.id.clone(),
            object: "text_completion",
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
            kv_transfer_params: None,
            ec_transfer_params: None,
            metrics: None,
        }
    }

    fn choice(&self, index: usize, choice: &Answered) -> wire::Choice {
        let finish = choice.finish.as_ref().unwrap_or(&Finish::Abort);
        wire::Choice {
            index,
            text: choice.text(),
            logprobs: self
                .logprobs
                .then(|| logprobs::completions(&choice.tokens, 0)),
            finish_reason: finish_reason(finish),
            stop_reason: stop_reason(finish),
            token_ids: None,
            prompt_logprobs: None,
            prompt_token_ids: None,
            routed_experts: None,
        }
    }
}

struct CompletionScript {
    head: Head,
    /// Characters of each choice so far, for the offsets of log probabilities.
    offsets: Vec<usize>,
    usage_on: UsageOn,
    generated: u64,
}

impl CompletionScript {
    fn new(head: Head, request: &Request, choices: usize) -> Self {
        Self {
            usage_on: UsageOn::asked(&head.app.settings, request),
            offsets: vec![0; choices],
            head,
            generated: 0,
        }
    }
}

impl Script for CompletionScript {
    fn open(&mut self) -> Vec<String> {
        Vec::new()
    }

    fn token(&mut self, token: &Token) -> Vec<String> {
        self.generated = token.generated;
        let text = match &token.piece {
            Piece::Text(text) => text.clone(),
            Piece::CallName(_) | Piece::CallArguments(_) => String::new(),
        };
        let offset = self.offsets.get_mut(token.choice).map_or(0, |offset| {
            let before = *offset;
            *offset += text.chars().count();
            before
        });
        let logprobs = self
            .head
            .logprobs
            .then(|| logprobs::completions(&[(token.id, text.clone())], offset));
        let usage = (self.usage_on == UsageOn::Every)
            .then(|| ChunkUsage::so_far(self.head.prompt, token.generated));
        // vLLM 0.32, `completion_stream_generator`.
        let is_last = token.finish.is_some() && self.usage_on == UsageOn::Nothing;
        let chunk = wire::Chunk {
            id: self.head.id.clone(),
            object: "text_completion",
            created: self.head.created,
            model: self.head.app.settings.name().to_owned(),
            choices: vec![wire::Delta {
                index: token.choice,
                text,
                logprobs,
                finish_reason: token.finish.as_ref().map(finish_reason),
                stop_reason: token.finish.as_ref().and_then(stop_reason),
                prompt_token_ids: None,
                token_ids: None,
            }],
            usage,
            system_fingerprint: is_last.then(App::fingerprint),
        };
        vec![data(&reply::json_text(&chunk))]
    }

    fn close(&mut self) -> Vec<String> {
        let mut events = Vec::new();
        if self.usage_on != UsageOn::Nothing {
            let settings = &self.head.app.settings;
            let chunk = wire::LastChunk {
                id: self.head.id.clone(),
                object: "text_completion",
                created: self.head.created,
                model: settings.name().to_owned(),
                choices: [],
                usage: ChunkUsage::last(settings, self.head.prompt, self.generated),
                system_fingerprint: App::fingerprint(),
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
