//! What a connector is written against, and what plugs a registry in.
//!
//! A connector adapts one *kind* of legacy technology. It speaks in plain messages ([`message`]), with a deadline,
//! and knows neither HTTP's contract side nor where it runs. What a record looks like to callers is not its
//! business either: it hands over [`value::Row`]s of legacy values, and the [`mapping`] turns them into contract
//! records and back.
//!
//! Depends on `rabita-model` alone. `connectors/SPEC.md` says in MUST and SHOULD what a connector does;
//! `connectors/battery` tests it. Start with [`connector`].

pub mod connector;
pub mod double;
pub mod failure;
pub mod finding;
pub mod message;
pub mod secret;
pub mod value;

pub mod codec;
pub mod codes;
pub mod condition;
pub mod expression;
pub mod manifest;
pub mod mapping;
pub mod paging;
pub mod plan;
pub mod promise;
pub mod reply;
pub mod request;
pub mod survey;
pub mod template;

pub use connector::{Capabilities, Connector, Duplicates, Kind, Kinds, OpenError};
pub use double::Double;
pub use failure::Failure;
pub use finding::{Finding, Rule};
pub use message::{
    Act, ActSpec, Acted, Applied, BinaryStream, Call, Change, ChangeKind, ChangePage, Changes, Condition, Detected, EntitySpec,
    FeedSpec, FilterSpec, GroupSpec, Ignore, OpenBinary, Page, Read, RegistrySpec, Search, TableSpec, Wanted,
};
pub use promise::Promise;
pub use secret::{SecretRef, SecretText, Secrets, TextOrSecret};
pub use survey::{Survey, SurveyError, SurveyLimits, SurveySource};
pub use value::{Legacy, Row, Source};
