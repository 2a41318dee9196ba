//! How making the country can fail.

use std::path::PathBuf;

/// Why the country could not be made.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The directory holds something that the demo did not put there, so that it would be lost.
    #[error("{} is not empty and was not made by the demo: name another directory, or empty this one", .0.display())]
    DirectoryTaken(PathBuf),
    /// A demo runs on the directory, and would lose its registries.
    #[error("a demo is running in {}: end it, or name another directory", .0.display())]
    DirectoryInUse(PathBuf),
    /// The directory was to be kept, and no demo made it.
    #[error("there is no country in {} to keep: start without --keep first", .0.display())]
    NothingToKeep(PathBuf),
    /// What the demo wrote of the country is not as it wrote it.
    #[error("{}: {why}; start without --keep", path.display())]
    Unreadable { path: PathBuf, why: String },
    /// A file or directory could not be written, read or removed.
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    /// A certificate or a key could not be made.
    #[error("making the certificate or key of {name}: {source}")]
    Certificate { name: &'static str, source: rcgen::Error },
    /// A day that a certificate is valid to lies beyond the calendar.
    #[error("the days of the certificates: {0}")]
    Calendar(jiff::Error),
    /// A registry's database could not be filled.
    #[error("filling {database}: {source}")]
    Database { database: &'static str, source: sqlx::Error },
    /// A legacy server could not listen.
    #[error("listening for {registry} at {address}: {source}")]
    Listen { registry: &'static str, address: String, source: std::io::Error },
}
