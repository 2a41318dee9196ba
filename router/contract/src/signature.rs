//! Signatures of HTTP messages (RFC 9421) and digests of their content (RFC 9530).
//!
//! Answers are signed with the label `rabita`; requests are read, and refused where a signature leaves out what counts.
//! What is here makes and reads the text that is signed, and no more: who signs, who verifies and what time it is, comes
//! from outside, and so do hashes.
//!
//! - [`sign_answer`] covers the status, what tells of the content and of the exchange, and the request that was
//!   answered: its method, its target and, where it was signed, its signature.
//! - [`signed_request`] takes exactly one signature. Fields have to be in the form in which RFC 9651 serialises them, so
//!   that nothing can stand twice in them and nobody can read them otherwise.
//! - Of components, those of RFC 9421, 2.1 and 2.2, without parameters. Fields are covered byte by byte as they came,
//!   without blanks around them.

mod answer;
mod component;
mod digest;
mod request;

pub use answer::{AnswerBase, Signing, sign_answer};
pub use digest::{Hash, check_content_digest, content_digest};
pub use request::{SignedRequest, signed_request};

use http::header::HeaderName;

const SIGNATURE: HeaderName = HeaderName::from_static("signature");
const SIGNATURE_INPUT: HeaderName = HeaderName::from_static("signature-input");
const CONTENT_DIGEST: &str = "content-digest";
