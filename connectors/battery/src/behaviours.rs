//! Each behaviour is a function over any [`Subject`](crate::Subject): it panics where the connector behaves otherwise.

mod actions;
mod binary;
mod cancellation;
mod capabilities;
mod changes;
mod concurrency;
mod disturbance;
mod duplicates;
mod feed;
mod forgoing;
mod hostile;
mod outage;
mod pages;
mod reads;
mod search;
mod versions;

pub use actions::*;
pub use binary::*;
pub use cancellation::*;
pub use capabilities::*;
pub use changes::*;
pub use concurrency::*;
pub use disturbance::*;
pub use duplicates::*;
pub use feed::*;
pub use forgoing::*;
pub use hostile::*;
pub use outage::*;
pub use pages::*;
pub use reads::*;
pub use search::*;
pub use versions::*;

use rabita_sdk::{Applied, Change, Failure};

use crate::{Subject, World};

/// The connector does not serve this change, so it has to say so, and do nothing.
async fn says_that_it_does_not_serve<S: Subject>(world: &World<S>, change: Change) {
    let before = world.subject.people().await;
    let kind = change.kind;
    let outcome = world.apply(change).await;
    assert!(matches!(outcome, Err(Failure::Unsupported { .. })), "{kind:?} is not declared, and answered {outcome:?}");
    world.holds(&before).await;
}

/// Applies a change that must be done.
async fn done<S: Subject>(world: &World<S>, change: Change) {
    let kind = change.kind;
    assert_eq!(world.apply(change).await, Ok(Applied::Done), "{kind:?}");
}
