//! What a broken exchange means: nothing was sent, it is unknown, or the answer is none.

use std::error::Error;
use std::io;

use rabita_sdk::Failure;

/// The failure of an exchange that ended before the head of an answer.
pub fn before_answer(error: &reqwest::Error, changes: bool) -> Failure {
    if error.is_builder() {
        return Failure::refused("the request can't be written as HTTP: its address is too long or not an address");
    }
    if error.is_connect() {
        return Failure::unavailable(format!("no connection: {}", why_unconnected(error)));
    }
    if error.is_timeout() {
        return Failure::timed_out("the registry did not answer");
    }
    let broken = "the connection broke before an answer";
    match (changes, is_garbage(error)) {
        (true, true) => unknown("what answered the change does not speak HTTP"),
        (true, false) => unknown(broken),
        (false, true) => Failure::malformed("what answered does not speak HTTP"),
        (false, false) => Failure::unavailable(broken),
    }
}

/// The failure of an exchange that ended within the body of an answer.
pub fn within_answer(error: &reqwest::Error, changes: bool) -> Failure {
    let detail = if error.is_decode() && !is_broken(error) {
        "the answer can't be decompressed"
    } else {
        "the connection broke within the answer"
    };
    if changes { unknown(detail) } else { Failure::malformed(detail) }
}

/// Whether the connection was closed from the other side with no byte of an answer: what a connection does that
/// the registry gave up while it lay unused.
pub fn is_stale(error: &reqwest::Error) -> bool {
    !error.is_connect() && !error.is_timeout() && !is_garbage(error) && is_broken(error)
}

pub fn unknown(detail: &str) -> Failure {
    Failure::Unknown { detail: detail.to_owned() }
}

fn why_unconnected(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it took longer than connect_timeout_ms".to_owned();
    }
    if let Some(tls) = causes(error).find_map(rustls_error) {
        return format!("TLS: {tls}");
    }
    if causes(error).any(|cause| cause.to_string().starts_with("dns error")) {
        return "the registry's host name has no address".to_owned();
    }
    match causes(error).find_map(|cause| cause.downcast_ref::<io::Error>()) {
        Some(error) => error.kind().to_string(),
        None => "it could not be made".to_owned(),
    }
}

/// An `io::Error` does not give what it wraps as its `source`, and here one may wrap another.
fn rustls_error<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut inner = cause;
    while let Some(wrapped) = inner.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        inner = wrapped;
    }
    inner.downcast_ref()
}

fn is_garbage(error: &reqwest::Error) -> bool {
    causes(error).filter_map(|cause| cause.downcast_ref::<hyper::Error>()).any(hyper::Error::is_parse)
}

fn is_broken(error: &reqwest::Error) -> bool {
    causes(error).any(|cause| {
        cause.downcast_ref::<hyper::Error>().is_some_and(|error| {
            error.is_incomplete_message() || error.is_closed() || error.is_canceled() || error.is_body_write_aborted()
        }) || cause.downcast_ref::<io::Error>().is_some_and(|error| {
            matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe)
        })
    })
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |cause| (*cause).source())
}
