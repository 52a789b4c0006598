//! One request on its way through the core: the answer is decided, the tokens come one by one.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::time::{Duration, Instant};

use crate::{
    Failure,
    answer::{Finish, Piece, Plan, Wish, hash},
    app::App,
    engine::{Generation, Life, Progress},
    error::ApiError,
    frame::{Add, Command},
    metrics::Finished,
    request::Request,
    tokens,
};

/// What happens next in a request.
#[derive(Debug)]
pub(crate) enum Moment {
    /// A token exists.
    Token(Token),
    /// It breaks with this error.
    Failed(ApiError),
    /// The connection is to be cut.
    Cut,
    /// Every choice has ended.
    Done,
}

/// A token of an answer.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    /// Whose.
    pub(crate) choice: usize,
    /// Its id.
    pub(crate) id: u64,
    /// What it adds.
    pub(crate) piece: Piece,
    /// Why it is the last of its choice.
    pub(crate) finish: Option<Finish>,
    /// Tokens of all choices so far, this one included.
    pub(crate) generated: u64,
}

/// Tokens of the prompt.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Prompt {
    /// All of them.
    pub(crate) tokens: u64,
    /// Those that the prefix cache had.
    pub(crate) cached: u64,
}

/// A running request. Dropping it cancels it.
#[derive(Debug)]
pub(crate) struct Job {
    app: Arc<App>,
    generation: Generation,
    choices: Vec<Choice>,
    prompt: Prompt,
    generated: u64,
    _load: Load,
}

#[derive(Debug)]
struct Choice {
    plan: Plan,
    next: usize,
    ended: bool,
    limit: u64,
    started: Instant,
    scheduled: Instant,
    first: Option<Instant>,
    last: Instant,
}

/// Keeps a request in `/load` while it lives.
#[derive(Debug)]
pub(crate) struct Load(Arc<AtomicU64>);

impl Load {
    pub(crate) fn count(app: &App) -> Self {
        app.load.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(&app.load))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Job {
    /// Refuses what cannot be run, and starts the rest. `limit` is the client's, with the name of
    /// its parameter.
    pub(crate) fn start(
        app: &Arc<App>,
        request: &Request,
        prompt: &str,
        limit: (&str, Option<u64>),
        wish: Wish,
        choices: u64,
    ) -> Result<Self, ApiError> {
        admit(app)?;
        let ids = tokens::encode(prompt);
        let limit = allowed(app, ids.len() as u64, limit)?;
        let cached = if app.settings.prefix_caching.is_on() {
            let salt = request.text("cache_salt").unwrap_or_default();
            app.prefix.lock().take(&ids, hash(salt.as_bytes()))
        } else {
            0
        };
        let prompt_tokens = Prompt {
            tokens: ids.len() as u64,
            cached,
        };
        let behaviour = app.behaviour();
        let wish = Wish {
            limit,
            natural: behaviour.answer_tokens,
            ..wish
        };
        let now = Instant::now();
        let choices: Vec<Choice> = (0..choices)
            .map(|choice| Choice::new(Plan::new(prompt, choice, &wish), limit, now))
            .collect();
        let adds: Vec<Add> = choices
            .iter()
            .map(|choice| Add {
                id: 0,
                prefill: prompt_tokens.tokens - cached,
                tokens: choice.plan.tokens.len() as u64,
                first: behaviour.first_token,
                each: behaviour.token,
            })
            .collect();
        Ok(Self {
            generation: app.engine.generate(&adds),
            choices,
            prompt: prompt_tokens,
            generated: 0,
            _load: Load::count(app),
            app: Arc::clone(app),
        })
    }

    /// Tokens of the prompt.
    pub(crate) fn prompt(&self) -> Prompt {
        self.prompt
    }

    /// Waits for what happens next.
    pub(crate) async fn next(&mut self) -> Moment {
        loop {
            if self.choices.iter().all(|choice| choice.ended) {
                return Moment::Done;
            }
            let (choice, progress) = self.generation.next().await;
            let at = usize::try_from(choice).unwrap_or(usize::MAX);
            let Some(choice) = self.choices.get_mut(at).filter(|choice| !choice.ended) else {
                continue;
            };
            match progress {
                Progress::Scheduled => choice.scheduled = Instant::now(),
                Progress::Dead => return Moment::Failed(ApiError::engine_dead()),
                Progress::Aborted => {
                    choice.ended = true;
                    let (id, piece) = (tokens::END, Piece::Text(String::new()));
                    let finish = Some(Finish::Abort);
                    let generated = self.generated;
                    return Moment::Token(Token {
                        choice: at,
                        id,
                        piece,
                        finish,
                        generated,
                    });
                }
                Progress::Token => return self.token(at),
            }
        }
    }

    fn token(&mut self, at: usize) -> Moment {
        match self.app.failure() {
            Some(Failure::StreamError(after)) if self.generated >= after => {
                return Moment::Failed(ApiError::internal("Simulated failure in mid-stream."));
            }
            Some(Failure::Drop(after)) if self.generated >= after => return Moment::Cut,
            _ => {}
        }
        let n = self.choices.len() as u64;
        let choice = &mut self.choices[at];
        let Some((id, piece)) = choice.plan.tokens.get(choice.next).cloned() else {
            choice.ended = true;
            return Moment::Failed(ApiError::internal("the core sent a token too many"));
        };
        choice.next += 1;
        self.generated += 1;
        choice.ended = choice.next == choice.plan.tokens.len();
        choice.measure(&self.app, self.prompt, n);
        let finish = choice.ended.then(|| choice.plan.finish.clone());
        Moment::Token(Token {
            choice: at,
            id,
            piece,
            finish,
            generated: self.generated,
        })
    }
}

impl Choice {
    fn new(plan: Plan, limit: u64, now: Instant) -> Self {
        Self {
            plan,
            next: 0,
            ended: false,
            limit,
            started: now,
            scheduled: now,
            first: None,
            last: now,
        }
    }

    /// Writes into the metrics what the token that has just come tells.
    fn measure(&mut self, app: &App, prompt: Prompt, choices: u64) {
        let now = Instant::now();
        let since = |then: Instant| now.duration_since(then).as_secs_f64();
        match self.first {
            None => {
                app.metrics.prefilled(prompt.tokens, prompt.cached);
                app.metrics.first_token(since(self.started));
                self.first = Some(now);
            }
            Some(_) => app.metrics.further_token(since(self.last)),
        }
        self.last = now;
        if self.ended {
            let between = |a: Instant, b: Instant| b.saturating_duration_since(a).as_secs_f64();
            let first = self.first.unwrap_or(now);
            app.metrics.finished(&Finished {
                by_length: self.plan.finish == Finish::Length,
                prompt: prompt.tokens,
                cached: prompt.cached,
                generated: self.plan.tokens.len() as u64,
                max_tokens: self.limit,
                choices,
                queue: between(self.started, self.scheduled),
                prefill: between(self.scheduled, first),
                decode: between(first, now),
            });
        }
    }
}

/// Whether requests are taken at all.
pub(crate) fn admit(app: &App) -> Result<(), ApiError> {
    let life = *app.engine.life().borrow();
    match life {
        Life::Serving => {}
        Life::Draining => return Err(ApiError::shutting_down()),
        Life::Dead => return Err(ApiError::engine_dead()),
    }
    match app.failure() {
        Some(Failure::Refuse) => Err(ApiError::overloaded()),
        Some(Failure::DieOnFirstToken) => {
            app.engine.send(Command::Die);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// One step of the core for a request that produces no text.
pub(crate) fn one_step(first: Duration, prefill: u64) -> Add {
    Add {
        id: 0,
        prefill,
        tokens: 1,
        first,
        each: Duration::ZERO,
    }
}

/// How many tokens the answer may have, or why the request is too long.
fn allowed(app: &App, prompt: u64, limit: (&str, Option<u64>)) -> Result<u64, ApiError> {
    let whole = app.settings.max_model_len;
    let (param, asked) = limit;
    if let Some(0) = asked {
        let message = format!("{param} must be at least 1, got 0. (parameter={param}, value=0)");
        return Err(ApiError::bad_request(message, param));
    }
    if let Some(asked) = asked.filter(|asked| *asked > whole) {
        let message = format!(
            "{param}={asked} cannot be greater than max_model_len={whole}. Please request fewer \
             output tokens. (parameter={param}, value={asked})"
        );
        return Err(ApiError::bad_request(message, param));
    }
    let least = asked.unwrap_or(1);
    if prompt + least > whole {
        let asked = asked.unwrap_or(0);
        let message = format!(
            "This model's maximum context length is {whole} tokens. However, you requested {asked} \
             output tokens and your prompt contains at least {prompt} input tokens, for a total of \
             at least {} tokens. Please reduce the length of the input prompt or the number of \
             requested output tokens. (parameter=input_tokens, value={prompt})",
            prompt + asked
        );
        return Err(ApiError::bad_request(message, "input_tokens"));
    }
    Ok(asked.unwrap_or(whole - prompt))
}
