//! A request that is answered before its body was read: refused by its head alone. What is still on its way would
//! stand before the next request of that connection, so it is read and thrown away, up to a bound; where that is not
//! the end of it, the answer says that the connection closes.

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, header};
use hyper::body::{Frame, SizeHint};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

/// A body that is on its way arrives within this.
const WITHIN: Duration = Duration::from_secs(1);

/// What became of a body that was handed on.
pub(super) enum Left {
    /// Whoever got it still has it.
    Held,
    /// It was let go before its end.
    Unread(Body),
    /// It was read to its end.
    Over,
}

/// A body that comes back once it is let go.
struct Watched {
    inner: Body,
    left: Arc<Mutex<Left>>,
    is_over: bool,
}

/// The same body, and where to see what became of it.
pub(super) fn watched(inner: Body) -> (Body, Arc<Mutex<Left>>) {
    let left = Arc::new(Mutex::new(Left::Held));
    let is_over = inner.is_end_stream();
    (Body::new(Watched { inner, left: Arc::clone(&left), is_over }), left)
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        if matches!(polled, Poll::Ready(None)) {
            self.is_over = true;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let left = match self.is_over || self.inner.is_end_stream() {
            true => Left::Over,
            false => Left::Unread(std::mem::take(&mut self.inner)),
        };
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = left;
    }
}

/// Whether the next request of the connection can be told from what is left of this one.
pub(super) async fn is_over(headers: &HeaderMap, left: &Mutex<Left>, limit: usize) -> bool {
    let taken = std::mem::replace(&mut *left.lock().unwrap_or_else(PoisonError::into_inner), Left::Held);
    match taken {
        Left::Over => true,
        Left::Held => false,
        // Whoever asks first whether to send a body is not told to by being read.
        Left::Unread(_) if headers.contains_key(header::EXPECT) => false,
        Left::Unread(body) => tokio::time::timeout(WITHIN, read_away(body, limit)).await.unwrap_or(false),
    }
}

/// Reads so many bytes and throws them away; whether that was all.
async fn read_away(mut body: Body, limit: usize) -> bool {
    let mut read: usize = 0;
    while read <= limit {
        match poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
            None => return true,
            Some(Err(_)) => return false,
            Some(Ok(frame)) => read = read.saturating_add(frame.data_ref().map_or(0, Bytes::len)),
        }
    }
    false
}
