//! Bodies that are counted while they are read, and answers that keep their place until they are sent.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};

use super::shares;

/// What a frame costs beside its bytes: a body of single bytes is no cheaper to hold.
const FRAME: usize = 64;

/// There is no room for more of this body now.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("there is no room for more of this body now")]
pub(super) struct NoRoom;

/// A request's body, each piece of which takes room before it is kept.
pub(super) struct Metered {
    pub(super) body: Body,
    pub(super) bytes: Arc<shares::Bytes>,
}

impl HttpBody for Metered {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        let size = match &polled {
            Poll::Ready(Some(Ok(frame))) => frame.data_ref().map_or(0, Bytes::len).saturating_add(FRAME),
            Poll::Ready(_) | Poll::Pending => return polled,
        };
        if self.bytes.take(size) { polled } else { Poll::Ready(Some(Err(axum::Error::new(NoRoom)))) }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer's body and the place of its request.
pub(super) struct Kept {
    pub(super) body: Body,
    #[expect(dead_code, reason = "given back when the answer is dropped, sent or not")]
    pub(super) place: Arc<shares::Place>,
}

impl HttpBody for Kept {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
