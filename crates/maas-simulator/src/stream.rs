//! Answers, whole or as server-sent events.

use std::collections::VecDeque;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, Response, header};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;

use crate::{
    Settings,
    answer::{Finish, Piece},
    error::ApiError,
    job::{Job, Moment, Prompt, Token},
    reply::{Cut, Reply},
    request::Request,
};

/// A dialect's words for a stream: each text is one event with its empty line, and travels as one
/// chunk, as uvicorn sends it.
pub(crate) trait Script: Send + 'static {
    /// Events before the first token.
    fn open(&mut self) -> Vec<String>;
    /// Events for a token.
    fn token(&mut self, token: &Token) -> Vec<String>;
    /// Events after the last.
    fn close(&mut self) -> Vec<String>;
    /// Events when it breaks.
    fn failed(&mut self, error: &ApiError) -> Vec<String>;
}

/// A data-only event.
pub(crate) fn data(json: &str) -> String {
    format!("data: {json}\n\n")
}

/// A named event.
pub(crate) fn event(name: &str, json: &str) -> String {
    format!("event: {name}\ndata: {json}\n\n")
}

/// Which chunks of a stream carry usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UsageOn {
    /// None.
    Nothing,
    /// One at the end, without choices.
    Last,
    /// Every one, and that one.
    Every,
}

impl UsageOn {
    /// What the request, or `--enable-force-include-usage`, asks for.
    pub(crate) fn asked(settings: &Settings, request: &Request) -> Self {
        let every = request.stream_option("continuous_usage_stats");
        if settings.force_include_usage.is_on() {
            Self::Every
        } else if !request.stream_option("include_usage") {
            Self::Nothing
        } else if every {
            Self::Every
        } else {
            Self::Last
        }
    }
}

/// The end of a stream in OpenAI's chat and completions.
pub(crate) const DONE: &str = "data: [DONE]\n\n";

struct State<S> {
    /// Gone when nothing more is to come; dropping it cancels the request.
    job: Option<Job>,
    script: S,
    ready: VecDeque<String>,
}

/// Streams a job in the words of `script`. Nothing runs unless the client reads: when it leaves, the
/// body is dropped, and the job with it.
pub(crate) fn events<S: Script>(job: Job, mut script: S) -> Reply {
    let ready = script.open().into();
    let state = State {
        job: Some(job),
        script,
        ready,
    };
    let frames = stream::unfold(state, |mut state| async {
        let next = state.next().await?;
        Some((next, state))
    });
    let mut reply = Response::new(BodyExt::boxed_unsync(StreamBody::new(frames)));
    let kind = HeaderValue::from_static("text/event-stream; charset=utf-8");
    reply.headers_mut().insert(header::CONTENT_TYPE, kind);
    reply
}

impl<S: Script> State<S> {
    async fn next(&mut self) -> Option<Result<Frame<Bytes>, Cut>> {
        loop {
            if let Some(text) = self.ready.pop_front() {
                return Some(Ok(Frame::data(Bytes::from(text))));
            }
            let moment = self.job.as_mut()?.next().await;
            match moment {
                Moment::Token(token) => self.ready.extend(self.script.token(&token)),
                Moment::Done => {
                    self.job = None;
                    self.ready.extend(self.script.close());
                }
                Moment::Failed(error) => {
                    self.job = None;
                    self.ready.extend(self.script.failed(&error));
                }
                Moment::Cut => {
                    self.job = None;
                    return Some(Err(Cut));
                }
            }
        }
    }
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// By choice.
    pub(crate) choices: Vec<Answered>,
    /// Tokens of the prompt.
    pub(crate) prompt: Prompt,
    /// Tokens of all choices.
    pub(crate) generated: u64,
}

/// A whole choice.
#[derive(Debug, Default)]
pub(crate) struct Answered {
    /// Ids and texts of its tokens, tool calls left out.
    pub(crate) tokens: Vec<(u64, String)>,
    /// The name and arguments of its tool call.
    pub(crate) call: Option<(String, String)>,
    /// Why it ended.
    pub(crate) finish: Option<Finish>,
}

impl Answered {
    /// Its text.
    pub(crate) fn text(&self) -> String {
        self.tokens.iter().map(|(_, text)| text.as_str()).collect()
    }
}

/// Why there is no whole answer.
#[derive(Debug)]
pub(crate) enum Broken {
    /// An error to be answered.
    Error(ApiError),
    /// The connection is to be cut.
    Cut,
}

impl From<ApiError> for Broken {
    fn from(error: ApiError) -> Self {
        Self::Error(error)
    }
}

/// Waits for the whole answer.
pub(crate) async fn whole(mut job: Job, choices: usize) -> Result<Answer, Broken> {
    let mut answer = Answer {
        choices: std::iter::repeat_with(Answered::default)
            .take(choices)
            .collect(),
        prompt: job.prompt(),
        generated: 0,
    };
    loop {
        match job.next().await {
            Moment::Done => return Ok(answer),
            Moment::Failed(error) => return Err(error.into()),
            Moment::Cut => return Err(Broken::Cut),
            Moment::Token(token) => {
                answer.generated = token.generated;
                let Some(choice) = answer.choices.get_mut(token.choice) else {
                    continue;
                };
                match token.piece {
                    Piece::Text(text) => choice.tokens.push((token.id, text)),
                    Piece::CallName(name) => choice.call = Some((name, String::new())),
                    Piece::CallArguments(more) => {
                        if let Some((_, arguments)) = &mut choice.call {
                            arguments.push_str(&more);
                        }
                    }
                }
                choice.finish = token.finish;
            }
        }
    }
}
