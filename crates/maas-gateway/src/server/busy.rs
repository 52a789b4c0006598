//! Whether a connection has a request that is not answered to its last byte.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http_body::{Body, Frame, SizeHint};
use tokio::sync::watch;

/// Counts the requests of one connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Busy(watch::Sender<Count>);

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    running: usize,
    begun: u64,
}

/// One request, for as long as it lives.
#[derive(Debug)]
pub(super) struct OneRequest(watch::Sender<Count>);

/// The body of an answer, and with it the request.
#[derive(Debug)]
pub(super) struct OnConnection<B> {
    pub(super) body: B,
    pub(super) _on: OneRequest,
}

impl Busy {
    /// A request has come.
    pub(super) fn request(&self) -> OneRequest {
        self.0.send_modify(|count| {
            count.running += 1;
            count.begun += 1;
        });
        OneRequest(self.0.clone())
    }

    /// Waits until there has been no request for `span`.
    pub(super) async fn idle_for(&self, span: Duration) {
        let mut count = self.0.subscribe();
        loop {
            // Neither wait can fail: the sender is ours.
            let quiet = count.wait_for(|count| count.running == 0).await;
            let seen = quiet.map_or(0, |count| count.begun);
            let another = count.wait_for(|count| count.begun != seen);
            if tokio::time::timeout(span, another).await.is_err() {
                return;
            }
        }
    }
}

impl Drop for OneRequest {
    fn drop(&mut self) {
        self.0.send_modify(|count| count.running -= 1);
    }
}

impl<B: Body + Unpin> Body for OnConnection<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn idle_begins_when_the_last_request_ends() {
        let busy = Busy::default();
        let began = Instant::now();
        let (first, second) = (busy.request(), busy.request());
        let requests = async {
            tokio::time::sleep(Duration::from_secs(100)).await;
            drop(first);
            tokio::time::sleep(Duration::from_secs(100)).await;
            drop(second);
            tokio::time::sleep(Duration::from_secs(5)).await;
            drop(busy.request());
        };
        tokio::join!(busy.idle_for(Duration::from_secs(10)), requests);
        assert_eq!(began.elapsed(), Duration::from_secs(215));
    }
}
