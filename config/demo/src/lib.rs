//! A small country in a scratch directory, for `rabita demo`, the documentation and the tests of the whole bus.
//!
//! Five agencies with registries of different kinds and eras, ten thousand citizens with families, and the dirt that
//! real registers gather: blanks, lost alphabets, unknown days, codes that no list knows. Two registries are SQLite
//! files, three are servers in this process (SOAP, two kinds of REST), one of which misbehaves on demand.
//!
//! The configuration directory is kept as plain files in `country/`, good to read and to copy from. This crate knows
//! no other crate of the bus: it makes what the bus finds, as an agency would. Start with [`country`].

pub mod commands;
pub mod country;
pub mod error;

pub mod calendar;
pub mod names;
pub mod people;
pub mod places;
pub mod random;

pub mod certificates;
pub mod companies;
pub mod companies_rest;
pub mod diplomas;
pub mod diplomas_rest;
pub mod dirt;
pub mod land;
pub mod photo;
pub mod population;
pub mod server;
pub mod vehicles;
pub mod vehicles_soap;

mod configuration;
mod database;
mod files;

pub use commands::Command;
pub use country::{Country, Options, build, keep};
pub use error::DemoError;
pub use server::Servers;
