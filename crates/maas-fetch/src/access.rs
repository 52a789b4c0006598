//! With which rights a server is asked.

use http::{HeaderValue, StatusCode};

use crate::{
    FetchError, Progress,
    registry::Session,
    wire::{Answer, Ask, Document, Patience, Wire},
};

/// Who we are for one server.
#[derive(Debug)]
pub(crate) enum Access<'a> {
    /// The same header with each request, or none.
    Fixed(Option<HeaderValue>),
    /// A registry, which says what it wants when it is asked for the first time.
    Session(Session<'a>),
}

impl Access<'_> {
    /// Asks with our rights; a registry's challenge is answered once.
    pub(crate) async fn exchange(&self, wire: &Wire, ask: Ask<'_>) -> Result<Answer, FetchError> {
        match self {
            Self::Fixed(header) => {
                let authorization = header.as_ref();
                let ask = Ask {
                    authorization,
                    ..ask
                };
                wire.send(&ask).await.map_err(FetchError::from)
            }
            Self::Session(session) => {
                let ticket = session.ticket().await;
                let authorization = ticket.as_ref();
                let first = Ask {
                    authorization,
                    ..ask.clone()
                };
                let answer = wire.send(&first).await.map_err(FetchError::from)?;
                if answer.status != StatusCode::UNAUTHORIZED {
                    return Ok(answer);
                }
                let Some(ticket) = session.renew(wire, &answer).await? else {
                    return Ok(answer);
                };
                let authorization = Some(&ticket);
                let again = Ask {
                    authorization,
                    ..ask
                };
                wire.send(&again).await.map_err(FetchError::from)
            }
        }
    }

    /// Reads a whole document of at most `limit` bytes, with patience.
    pub(crate) async fn document(
        &self,
        wire: &Wire,
        ask: &Ask<'_>,
        limit: usize,
        progress: &dyn Progress,
    ) -> Result<Document, FetchError> {
        let mut patience = Patience::new(progress);
        loop {
            let answer = self.exchange(wire, ask.clone()).await;
            let document = match answer.map(Answer::success) {
                Ok(Ok(answer)) => answer.document(limit).await,
                Ok(Err(error)) => Err(error),
                Err(FetchError::Wire(error)) => Err(*error),
                Err(error) => return Err(error),
            };
            match document {
                Ok(document) => return Ok(document),
                Err(error) => patience.wait(error).await?,
            }
        }
    }
}
