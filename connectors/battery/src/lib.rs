//! The behaviour that every kind of connector shows, tested against the real legacy system.
//!
//! A kind implements [`Subject`]: it sets up a registry of [`people`] and says how to reach it. [`battery!`] then
//! makes one test of each of the [`behaviours`]; `connectors/SPEC.md` names the one that holds each rule. Where
//! the connector's capabilities rule a behaviour out, the test checks that it says so: nothing is passed over.
//!
//! Between connector and legacy system stands the [`proxy`], which cuts, delays and garbles; integration tests use
//! it too. Knows the sdk and no connector. Start with [`subject`].

mod suite;

pub mod behaviours;
pub mod eventually;
pub mod people;
pub mod proxy;
pub mod silent;
pub mod subject;
pub mod world;

pub use eventually::eventually;
pub use people::Person;
pub use proxy::{Fault, Proxy};
pub use silent::SilentPort;
pub use subject::{Need, Stall, Stallable, Subject, Target};
pub use suite::BEHAVIOURS;
pub use world::World;
