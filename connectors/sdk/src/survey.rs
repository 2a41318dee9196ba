//! What a kind finds out about a legacy system by asking the system itself, so that its manifest can be drafted.
//!
//! A kind tells what there is ([`Survey`]) in terms that all kinds share; what is made of it (names, schemas, codecs,
//! tests) is the same for all kinds and no business of theirs. A survey never changes anything in the legacy system,
//! and bears easily on it: [`SurveyLimits`] say how easily.

mod found;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value};

pub use found::{
    ClosedList, CodeTable, ListedCode, Offers, Reference, Samples, Searchable, Survey, SurveyedColumn, SurveyedEntity, ValueType,
};

use crate::{Legacy, Row, Source, TextOrSecret};

/// What a survey is pointed at.
#[derive(Clone)]
pub struct SurveySource {
    /// The address of the legacy system, or of a document or file that describes it or is it: a URL or a path. By
    /// reference where it holds a secret; the manifest then names the reference.
    pub address: TextOrSecret,
    /// The address as it may be shown: without user, password and query.
    pub shown: String,
    /// The file or directory that the address names, where it names one that is there.
    pub path: Option<PathBuf>,
    /// The beginning of that file, or of what the http or https address answered: 64 KiB at most, nothing for others.
    pub head: Vec<u8>,
    /// What was given of the manifest's `connector:` beforehand (a user, `tls:`), secrets by reference. It comes back in
    /// [`Survey::settings`].
    pub settings: Map<String, Value>,
    /// The tables, resources, classes or record types that are wanted, as the legacy system names them; all that there
    /// are, if empty.
    pub only: Vec<String>,
    /// Which records are wanted of each, in the words of the legacy system: a condition of SQL, a filter of LDAP.
    pub narrow: Option<String>,
    /// The configuration directory that the manifest is going to stand in: what relative file names are relative to.
    pub directory: PathBuf,
    /// Fetches further documents that a document leads to.
    pub documents: Arc<dyn Documents>,
}

impl SurveySource {
    /// Whether the address begins with one of these schemes (`postgres`, `ldaps`).
    #[must_use]
    pub fn has_scheme(&self, schemes: &[&str]) -> bool {
        self.shown.split_once(':').is_some_and(|(own, _)| schemes.iter().any(|scheme| own.eq_ignore_ascii_case(scheme)))
    }

    /// Whether the address ends, its query aside, with one of these endings (`csv`, `json`).
    #[must_use]
    pub fn has_ending(&self, endings: &[&str]) -> bool {
        self.shown.rsplit_once('.').is_some_and(|(_, own)| endings.iter().any(|ending| own.eq_ignore_ascii_case(ending)))
    }

    /// Whether this entity is among those that are wanted. A name may leave out what stands before its last dot.
    #[must_use]
    pub fn wants(&self, entity: &str) -> bool {
        let short = entity.rsplit_once('.').map_or(entity, |(_, short)| short);
        self.only.is_empty() || self.only.iter().any(|wanted| wanted == entity || wanted == short)
    }
}

/// How much a survey may ask of the legacy system.
#[derive(Debug, Clone, Copy)]
pub struct SurveyLimits {
    /// Records that are sampled of each entity, at most.
    pub samples: usize,
    /// Entities that are looked at, at most; of more, the survey says so among its notes.
    pub entities: usize,
    /// Codes that are read of a table of codes, at most; a table with more is an entity.
    pub codes: usize,
    /// The longest that one question may take.
    pub question: Duration,
    /// The longest that the survey may take.
    pub whole: Duration,
}

impl Default for SurveyLimits {
    fn default() -> Self {
        Self { samples: 200, entities: 200, codes: 5_000, question: Duration::from_secs(10), whole: Duration::from_secs(300) }
    }
}

/// Fetches documents for a survey. Only the binary has one that reads the disk and the network.
#[async_trait]
pub trait Documents: Send + Sync {
    /// The document in a file or at an http or https address.
    ///
    /// # Errors
    /// When it can't be had, or is too large.
    async fn get(&self, place: &str) -> Result<Vec<u8>, SurveyError>;
}

/// How sure a kind is that an address is of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Recognised {
    /// It is something else.
    No,
    /// It could be.
    Perhaps,
    /// It can be nothing else.
    Surely,
}

/// Why a legacy system could not be surveyed.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum SurveyError {
    /// The kind has no way to ask.
    #[error("this kind of registry cannot be asked what it holds; its manifest is written by hand")]
    Unaskable,
    /// Nothing answers, or it does not let us in.
    #[error("{0}")]
    Unreachable(String),
    /// What was given is missing something, or does not go together: a password in the open, a table that is not there.
    #[error("{0}")]
    Unsuitable(String),
    /// A document that can't be understood, with the place in it.
    #[error("{place}: {message}")]
    Unreadable { place: String, message: String },
}

/// A question of a test, and the made-up rows by which a stand-in has to answer it.
#[derive(Debug)]
pub struct Foreseen<'a> {
    /// The manifest's `connector:`, without `kind`.
    pub settings: &'a Map<String, Value>,
    pub entity: &'a SurveyedEntity,
    pub question: Question<'a>,
    /// The rows of the entity that the stand-in holds: none for what is not there.
    pub rows: &'a [Row],
    /// The tables of codes that the manifest reads from the registry, with the rows that the stand-in holds of each.
    pub tables: &'a [(&'a CodeTable, Vec<Row>)],
}

/// What a test asks.
#[derive(Debug, Clone, Copy)]
pub enum Question<'a> {
    /// The record with this key: one value for each of [`SurveyedEntity::key`].
    Read(&'a [Legacy]),
    /// The records of which a source has exactly this value.
    Search(&'a Source, &'a Legacy),
}
