//! Makes the draft of a registry out of what its legacy system says of itself: a manifest, a JSON Schema for each
//! entity, and tests.
//!
//! [`draft()`] takes a [`rabita_sdk::Survey`], which is the same for all kinds; this crate names none of them. It
//! proposes a codec for each column by trying the codecs themselves on the sampled values, holds the whole draft
//! against every sample before it is handed out, and writes down what it was not sure of as a comment at the place.
//! No sampled value of a person gets into anything that it writes: tests have look-alikes ([`lookalike`]).
//!
//! Sits on model, sdk and schemas. It reads no disk and no network. Start with [`draft()`].

pub mod draft;

mod entity;
mod names;
mod operations;
mod profile;
mod propose;
mod schema;

pub mod lookalike;
mod made_up;
mod trials;
mod verify;

pub mod yaml;

pub use draft::{Draft, DraftError, DraftOptions, Held, Unsure, draft};
pub use lookalike::LookAlikes;
pub use names::slug;
