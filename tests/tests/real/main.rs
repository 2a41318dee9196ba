//! Real registries, plugged in by manifests alone: the examples of `config/examples`, served over TLS, against the data
//! and the descriptions of interfaces that the registries themselves publish.

mod brp;
mod brp_files;
mod brreg;
mod check;
mod new;
mod vies;

/// The command line, built with these tests.
const RABITA: &str = env!("CARGO_BIN_EXE_rabita-under-test");
