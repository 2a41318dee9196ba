//! The connector for registries behind SOAP 1.1 and 1.2 (document/literal).
//!
//! A manifest writes each request as a small template and says where in the answer the record is; no WSDL is needed
//! at run time. Speaks WS-Security's UsernameToken and Timestamp. Documents are read with caps and never with a
//! document type, so that no answer can reach out for a file or grow in memory. Attachments (MTOM), signatures and
//! rpc/encoded messages are not spoken.
//!
//! Sits on `rabita-http`, which knows connections; it must not know contracts or the router. Start with [`settings`]
//! and [`origin`], the two halves of a manifest; then `connector.rs`, `service.rs` and `template.rs`.

pub mod kind;
pub mod origin;
pub mod settings;

mod answer;
mod connector;
mod double;
mod envelope;
mod fault;
mod plan;
mod security;
mod service;
mod survey;
mod template;
mod xml;

pub use double::{Exchange, Request, Response};
pub use kind::Soap;
pub use origin::Origin;
pub use settings::Settings;
