//! Who we are at a registry, for one repository (distribution's token authentication, and Basic).
//!
//! Threats: a registry that sends our password to somebody else, or has us fetch a token for another
//! repository or for more than reading. Defences: the token's server must be reached over HTTPS (a
//! loopback registry may have a loopback one); the scope is ours, not the registry's: to pull this
//! repository; the token goes to the registry's own origin only. That the registry names the server
//! that gets the password is how the protocol works: a password is given for a registry that one trusts.

use http::{HeaderValue, header};
use serde::Deserialize;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::challenge::Challenge;
use crate::{
    Address, FetchError, Secret, Silent, plain,
    wire::{Answer, Ask, Patience, Wire},
};

/// Tokens are JSON web tokens of 1 to 10 kB.
const LONGEST_TOKEN: usize = 256 << 10;

/// A user of a registry.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The name; for tokens, what the registry says to write (`oauth2accesstoken`, `$oauthtoken`).
    pub user: String,
    /// The password or token.
    pub password: Secret,
}

/// Our standing with one repository.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    registry: Address,
    repository: &'a str,
    credentials: Option<&'a Credentials>,
    /// What the last challenge has brought.
    ticket: Mutex<Option<HeaderValue>>,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        registry: Address,
        repository: &'a str,
        credentials: Option<&'a Credentials>,
    ) -> Self {
        Self {
            registry,
            repository,
            credentials,
            ticket: Mutex::new(None),
        }
    }

    pub(super) fn has_credentials(&self) -> bool {
        self.credentials.is_some()
    }

    pub(crate) async fn ticket(&self) -> Option<HeaderValue> {
        self.ticket.lock().await.clone()
    }

    /// Answers the challenge of a 401; `None` when we have nothing to answer with.
    pub(crate) async fn renew(
        &self,
        wire: &Wire,
        answer: &Answer,
    ) -> Result<Option<HeaderValue>, FetchError> {
        if answer.address.origin() != self.registry.origin() {
            return Ok(None);
        }
        let lines = answer.headers.get_all(header::WWW_AUTHENTICATE).iter();
        let texts = lines.filter_map(|line| line.to_str().ok());
        let challenges: Vec<_> = texts.map(Challenge::parse).collect();
        let by = |scheme: &str| {
            challenges
                .iter()
                .find(|challenge| challenge.scheme == scheme)
        };
        let ticket = match (by("bearer"), by("basic")) {
            (Some(challenge), _) => Some(self.token(wire, challenge).await?),
            (None, Some(_)) => self.basic(),
            (None, None) => None,
        };
        self.ticket.lock().await.clone_from(&ticket);
        Ok(ticket)
    }

    fn basic(&self) -> Option<HeaderValue> {
        let credentials = self.credentials?;
        credentials.password.basic(&credentials.user)
    }

    async fn token(&self, wire: &Wire, challenge: &Challenge) -> Result<HeaderValue, FetchError> {
        let realm = challenge.get("realm").unwrap_or_default();
        let realm = realm.parse::<Address>()?;
        if realm.is_plain() && !self.registry.is_plain() {
            let reason = format!("it sends us to {realm} for a token, over plain HTTP");
            return self.refuse(&reason);
        }
        let scope = format!("repository:{}:pull", self.repository);
        let mut query = vec![("scope", scope.as_str())];
        query.extend(challenge.get("service").map(|service| ("service", service)));
        let address = realm.with_query(&query);
        let basic = self.basic();
        let ask = Ask::new(&address, basic.as_ref());
        let mut patience = Patience::new(&Silent);
        let document = loop {
            let document = match wire.send(&ask).await.and_then(Answer::success) {
                Ok(answer) => answer.document(LONGEST_TOKEN).await,
                Err(error) => Err(error),
            };
            match document {
                Ok(document) => break document,
                Err(error) => patience.wait(error).await?,
            }
        };
        let bytes = Zeroizing::new(document.bytes);
        match token_in(&bytes) {
            Some(ticket) => Ok(ticket),
            None => self.refuse(&format!("{realm} gives no token that can be used")),
        }
    }

    fn refuse<T>(&self, reason: &str) -> Result<T, FetchError> {
        let (what, reason) = (self.registry.to_string(), plain(reason));
        Err(FetchError::Malformed { what, reason })
    }
}

/// Docker says `token`, OAuth 2 `access_token`; some send both, alike.
#[derive(Deserialize)]
struct TokenAnswer<'a> {
    token: Option<&'a str>,
    access_token: Option<&'a str>,
}

fn token_in(bytes: &[u8]) -> Option<HeaderValue> {
    let answer = serde_json::from_slice::<TokenAnswer<'_>>(bytes).ok()?;
    Secret::new(answer.token.or(answer.access_token)?).bearer()
}
