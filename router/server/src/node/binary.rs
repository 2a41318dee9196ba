//! A binary answer: streamed, with its digest (RFC 9530) in the head where it is short and in a trailer where it is not.

use std::pin::Pin;
use std::task::{Context, Poll};

use aws_lc_rs::digest::{self, SHA256, digest};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use http::header::TRAILER;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use http_body::{Body, Frame as BodyFrame};
use http_body_util::{BodyExt as _, Either, Full};
use rabita_contract::{Asked, Frame};
use rabita_model::{Code, Refusal};
use rabita_sdk::{BinaryStream, Failure};

use super::exchange::AnswerBody;

/// A value up to this is held back until its digest is known.
const WHOLE_MAX: usize = 1 << 20;

const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// Answers with a binary value.
///
/// # Errors
/// `registry_unavailable`, when it breaks off before anything of it was sent.
pub(super) async fn respond(
    stream: BinaryStream,
    media_type: &str,
    asked: &Asked,
    frame: &Frame<'_>,
) -> Result<Response<AnswerBody>, Refusal> {
    let mut chunks = stream.chunks;
    let mut begin = BytesMut::new();
    loop {
        match chunks.next().await {
            None => return Ok(whole(begin.freeze(), media_type, asked, frame)),
            Some(Ok(chunk)) => begin.extend_from_slice(&chunk),
            Some(Err(failure)) => return Err(Refusal::new(Code::RegistryUnavailable).detail(failure.to_string())),
        }
        if begin.len() > WHOLE_MAX {
            return Ok(streamed(begin.freeze(), chunks, media_type, asked, frame));
        }
    }
}

fn whole(bytes: Bytes, media_type: &str, asked: &Asked, frame: &Frame<'_>) -> Response<AnswerBody> {
    let hash = digest(&SHA256, &bytes);
    let hash: Option<&[u8; 32]> = hash.as_ref().try_into().ok();
    let head = rabita_contract::binary_head(media_type, Some(bytes.len() as u64), hash, frame);
    let bytes = if asked.head_only { Bytes::new() } else { bytes };
    head.map(|()| Either::Left(Full::new(bytes)))
}

fn streamed(begin: Bytes, chunks: Chunks, media_type: &str, asked: &Asked, frame: &Frame<'_>) -> Response<AnswerBody> {
    let mut head = rabita_contract::binary_head(media_type, None, None, frame);
    head.headers_mut().insert(TRAILER, HeaderValue::from_static("repr-digest"));
    if asked.head_only {
        return head.map(|()| Either::Left(Full::new(Bytes::new())));
    }
    let body = BinaryBody { begin: Some(begin), chunks: Some(chunks), hash: digest::Context::new(&SHA256) };
    head.map(|()| Either::Right(body.boxed_unsync()))
}

type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, Failure>> + Send>>;

/// The chunks, and after the last one the trailer.
struct BinaryBody {
    begin: Option<Bytes>,
    chunks: Option<Chunks>,
    hash: digest::Context,
}

impl Body for BinaryBody {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<BodyFrame<Bytes>, Failure>>> {
        if let Some(begin) = self.begin.take() {
            self.hash.update(&begin);
            return Poll::Ready(Some(Ok(BodyFrame::data(begin))));
        }
        let Some(chunks) = &mut self.chunks else { return Poll::Ready(None) };
        match std::task::ready!(chunks.as_mut().poll_next(context)) {
            Some(Ok(chunk)) => {
                self.hash.update(&chunk);
                Poll::Ready(Some(Ok(BodyFrame::data(chunk))))
            }
            // The caller sees a body that breaks off, never one that merely looks whole.
            Some(Err(failure)) => {
                self.chunks = None;
                Poll::Ready(Some(Err(failure)))
            }
            None => {
                self.chunks = None;
                let hash = self.hash.clone().finish();
                let mut trailers = HeaderMap::new();
                if let Ok(hash) = hash.as_ref().try_into() {
                    trailers.insert(REPR_DIGEST, rabita_contract::signature::content_digest(hash));
                }
                Poll::Ready(Some(Ok(BodyFrame::trailers(trailers))))
            }
        }
    }
}
