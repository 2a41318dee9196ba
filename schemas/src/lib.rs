//! The contract's JSON Schemas, and what compiles, validates, narrows and compares them.
//!
//! The schemas themselves lie beside this crate in `<domain>/<entity>/v<N>/schema.json`, each with valid and invalid
//! examples. [`Library`] holds them together with those of a configuration directory; [`RecordSchema`] is one of
//! them compiled; [`cut()`] and [`compare()`] work on documents; [`Checker`] judges configuration.
//!
//! Sits on `rabita-model` alone. It must not know connectors, manifests or HTTP, and it never reaches for a network:
//! a reference leads into the document itself or to a name in the library. The validator underneath changes often,
//! so nothing of it shows outside `engine`, `explain` and `wording`.
//!
//! Start with [`record`].

pub mod library;
pub mod problem;

pub mod record;
pub mod selected;

pub mod compare;
pub mod cut;
pub mod field;
mod outline;

pub mod checker;

mod bundle;
mod document;
mod engine;
mod explain;
mod partial;
mod shipped;
mod wording;

pub use checker::{Checker, DetailedFault};
pub use compare::{Change, ChangeKind, compare};
pub use cut::{cut, rebased};
pub use field::{FieldShape, JsonType};
pub use library::Library;
pub use problem::SchemaProblem;
pub use record::{Narrowed, RecordSchema};
pub use selected::SelectedFields;
