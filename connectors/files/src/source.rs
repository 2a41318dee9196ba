//! Where drops come from.

mod directory;
mod http;
mod sftp;

use std::path::{Path, PathBuf};

pub use directory::Directory;
pub use http::Http;
pub use sftp::Sftp;

/// A file that may be a drop, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub name: String,
    /// What changes whenever the file does: size and time, or what the server says.
    pub stamp: String,
    /// For the order of files by age; later is greater.
    pub age: u128,
}

/// Why a source did not answer: a sentence for operators, without names of records.
pub type Away = String;

/// Which names are wanted.
pub type Wants<'a> = dyn Fn(&str) -> bool + Send + Sync + 'a;

/// A place where an agency puts files.
#[async_trait::async_trait]
pub trait Origin: Send + Sync {
    /// The files that are there now and satisfy `wants`.
    ///
    /// # Errors
    /// When it does not answer.
    async fn list(&self, wants: &Wants<'_>) -> Result<Vec<Candidate>, Away>;

    /// A file on this machine with its bytes; where it has to be fetched, it is put into `staging`.
    ///
    /// # Errors
    /// When it does not answer, or the file is no longer the same.
    async fn fetch(&self, file: &Candidate, staging: &Path) -> Result<PathBuf, Away>;
}
