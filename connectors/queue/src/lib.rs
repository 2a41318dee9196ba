//! The connector for registries that answer requests from a queue, over AMQP 0-9-1 (such as RabbitMQ) or Apache Kafka.
//!
//! A manifest writes each request as a JSON template and says where in the reply the record is. One connection carries
//! the requests of all callers; a reply finds its caller by the correlation id. What a broker is, only the modules `amqp`
//! and `kafka` know.
//!
//! Sits on `rabita-sdk`, and on `rabita-http` for the settings of TLS; it must not know contracts or the router. Start
//! with [`settings`] and [`from`], the two halves of a manifest; then `connector.rs` and `broker.rs`.

pub mod from;
pub mod settings;

mod access;
mod amqp;
mod broker;
mod connector;
mod double;
mod kafka;
mod kind;
mod pending;
mod plan;
mod supervisor;
mod template;
mod wire;

pub use kind::kind;
