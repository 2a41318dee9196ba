//! What operators do with the ledger: look into an entry, make evidence of an exchange, archive, destroy pseudonym keys.
//!
//! Each of these is itself recorded, before it is done: an operator who looks leaves a trace that nobody can take back. The
//! node takes such orders on its admin listener, under the rules of [`super::operators`]; `rabita ledger` carries them out
//! itself on a ledger at rest.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::BufWriter;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use rabita_ledger::accesses::Accesses;
use rabita_ledger::entry::ActFact;
use rabita_ledger::period::{Keeper, KeyName};
use rabita_ledger::{Fact, Ledger, LedgerError};
use rabita_model::{AgencyId, ExchangeId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::operators::{self, Refused, json_response, may_order};

/// The path below which everything of this module lies.
pub(crate) const ROOT: &str = "/ledger";

const OPERATOR_MAX: usize = 200;
const REASON_MAX: usize = 1_000;

/// What is ordered, and by whom.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub operator: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(flatten)]
    pub act: Act,
}

/// What is done.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub(crate) enum Act {
    /// Shows an entry, and opens what is sealed in it.
    Show { index: u64 },
    /// Shows all entries of an exchange, and opens what is sealed in them.
    ShowExchange { exchange: ExchangeId },
    /// Makes a bundle that proves what was asked and answered.
    Evidence { exchange: ExchangeId },
    /// Writes the entries about an agency's registries into a file of the ledger's directory.
    Archive { agency: AgencyId, before: Date },
    /// Destroys the pseudonym keys of an agency whose periods ended before a day.
    Forget {
        /// An agency's id, or `_bus`.
        agency: String,
        before: Date,
        #[serde(default)]
        dry_run: bool,
    },
}

/// The ledger of a node, as operators reach it.
#[derive(Clone)]
pub(crate) struct LedgerDesk {
    ledger: Arc<Ledger>,
    /// Where archives are put.
    archives: PathBuf,
}

impl LedgerDesk {
    /// Over the node's ledger in this directory.
    pub(crate) fn new(ledger: Arc<Ledger>, directory: &Path) -> Self {
        Self { ledger, archives: directory.join("archives") }
    }

    /// How it is, for `/readyz`.
    pub(super) fn health(&self) -> Value {
        let log = self.ledger.log().checkpoint();
        match self.ledger.health() {
            Ok(()) => json!({ "writable": true, "size": log.size, "index_behind": self.ledger.behind() }),
            Err(why) => json!({ "writable": false, "why": why, "size": log.size, "index_behind": self.ledger.behind() }),
        }
    }

    /// Answers a request whose path begins with `/ledger`.
    pub(super) async fn answer(&self, request: operators::Request<'_>) -> Response<Full<Bytes>> {
        match self.told(request).await {
            Ok(told) => json_response(StatusCode::OK, &told),
            Err(refused) => json_response(refused.status, &json!({ "error": refused.message })),
        }
    }

    async fn told(&self, request: operators::Request<'_>) -> Result<Value, Refused> {
        let path = request.head.uri.path();
        if path != format!("{ROOT}/orders") {
            return Err(Refused::new(StatusCode::NOT_FOUND, format!("{ROOT}/orders takes what is done with the ledger")));
        }
        if request.head.method != Method::POST {
            return Err(Refused::new(StatusCode::METHOD_NOT_ALLOWED, format!("{path} takes POST")));
        }
        may_order(&request.head.headers, request.is_local)?;
        let order: Order = serde_json::from_slice(request.body)
            .map_err(|error| Refused::new(StatusCode::BAD_REQUEST, format!("this is no order: {error}")))?;
        self.carry_out(order, request.now).await
    }

    /// Records an order and does it.
    pub(crate) async fn carry_out(&self, order: Order, now: Timestamp) -> Result<Value, Refused> {
        let is_told = |text: &str, most| !text.trim().is_empty() && text.chars().count() <= most;
        if !is_told(&order.operator, OPERATOR_MAX) {
            return Err(bad(format!("`operator` says who orders it, in 1 to {OPERATOR_MAX} characters")));
        }
        if !order.reason.as_deref().is_none_or(|reason| is_told(reason, REASON_MAX)) {
            return Err(bad(format!("`reason` has 1 to {REASON_MAX} characters")));
        }
        match &order.act {
            Act::Show { index } => self.show(&order, *index, now).await,
            Act::ShowExchange { exchange } => self.show_exchange(&order, *exchange, now).await,
            Act::Evidence { exchange } => self.evidence(&order, *exchange, now).await,
            Act::Archive { agency, before } => self.archive(&order, agency, *before, now).await,
            Act::Forget { agency, before, dry_run } => self.forget(&order, agency, *before, *dry_run, now).await,
        }
    }

    async fn show(&self, order: &Order, index: u64, now: Timestamp) -> Result<Value, Refused> {
        self.record(order, "ledger show", json!({ "index": index }), now).await?;
        Ok(shown(&self.ledger.entry(index).await.map_err(failed)?))
    }

    async fn show_exchange(&self, order: &Order, exchange: ExchangeId, now: Timestamp) -> Result<Value, Refused> {
        self.record(order, "ledger show", json!({ "exchange": exchange }), now).await?;
        Ok(shown(&self.ledger.of_exchange(exchange).await.map_err(failed)?))
    }

    async fn evidence(&self, order: &Order, exchange: ExchangeId, now: Timestamp) -> Result<Value, Refused> {
        self.record(order, "ledger evidence", json!({ "exchange": exchange }), now).await?;
        let bundle = self.ledger.evidence(exchange, None, None).await.map_err(failed)?;
        serde_json::to_value(bundle).map_err(|error| Refused::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
    }

    /// Records that it is ordered, and then what was written: the digest is what tells that an archive is the one.
    async fn archive(&self, order: &Order, agency: &AgencyId, before: Date, now: Timestamp) -> Result<Value, Refused> {
        let detail = json!({ "agency": agency, "before": before });
        self.record(order, "ledger archive", detail.clone(), now).await?;
        let file = self.archives.join(format!("{agency}-before-{before}-{}.jsonl", now.as_second()));
        let unwritten = |error| Refused::new(StatusCode::SERVICE_UNAVAILABLE, format!("{}: {error}", file.display()));
        let out = new_file(&file).map_err(unwritten)?;
        let durable = out.try_clone().map_err(unwritten)?;
        let archived = self.ledger.archive(agency, before, BufWriter::new(out)).await.map_err(failed)?;
        // Durable before it is on record: keys are destroyed on its word.
        let synced = tokio::task::spawn_blocking(move || durable.sync_all()).await;
        synced.unwrap_or_else(|error| Err(std::io::Error::other(error))).map_err(unwritten)?;
        let mut told = json!(archived);
        told["agency"] = detail["agency"].clone();
        told["before"] = detail["before"].clone();
        self.record(order, "ledger archived", told.clone(), now).await?;
        told["file"] = file.to_string_lossy().into();
        Ok(told)
    }

    async fn forget(&self, order: &Order, agency: &str, before: Date, dry_run: bool, now: Timestamp) -> Result<Value, Refused> {
        let keeper = Keeper::parse(agency).ok_or_else(|| bad(format!("`{agency}` is no id of an agency")))?;
        let midnight = TimeZone::UTC.to_timestamp(before.to_datetime(Time::midnight()));
        let before_at = midnight.map_err(|_| bad(format!("{before} is too far away")))?;
        if before_at > now {
            return Err(bad(format!("{before} is not over: keys that are in use are not destroyed")));
        }
        let kept = self.ledger.keys().into_iter().filter(|state| state.destroyed.is_none()).map(|state| state.key);
        let keys: Vec<KeyName> = kept.filter(|key| key.keeper == keeper && key.stretch.to() <= before_at).collect();
        if !dry_run && !keys.is_empty() {
            self.record(order, "ledger forget", json!({ "agency": agency, "before": before, "keys": keys }), now).await?;
            let why = order.reason.as_deref().unwrap_or("an operator's order");
            for key in &keys {
                self.ledger.destroy(key.clone(), why).await.map_err(failed)?;
            }
        }
        Ok(json!({ "dry_run": dry_run, "keys": keys }))
    }

    /// What cannot be recorded is not done.
    async fn record(&self, order: &Order, act: &str, mut detail: Value, now: Timestamp) -> Result<(), Refused> {
        if let Some(reason) = &order.reason {
            detail["reason"] = reason.as_str().into();
        }
        let fact = ActFact { at: now, operator: order.operator.clone(), act: act.to_owned(), detail };
        self.ledger.record(Fact::Act(fact)).await.map(|_| ()).map_err(failed)
    }
}

/// Entries as they stand in the log, each with what is sealed in it, where its key is kept.
fn shown(found: &Accesses) -> Value {
    let entries = found.accesses.iter().map(|access| {
        let mut told = json!({ "index": access.index, "entry": access.entry });
        if let Some(opened) = &access.opened {
            told["opened"] = json!(opened);
        }
        told
    });
    json!({ "entries": entries.collect::<Vec<_>>() })
}

/// An archive opens what it holds: its owner alone reads it.
fn new_file(file: &Path) -> std::io::Result<File> {
    if let Some(directory) = file.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)
}

fn bad(message: String) -> Refused {
    Refused::new(StatusCode::BAD_REQUEST, message)
}

fn failed(error: LedgerError) -> Refused {
    let status = match error {
        LedgerError::Absent => StatusCode::NOT_FOUND,
        LedgerError::Forgotten(_) => StatusCode::GONE,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    Refused::new(status, error.to_string())
}

#[cfg(test)]
mod tests {
    use rabita_keys::{Algorithm, SigningKey};
    use rabita_ledger::entry::{Answered, ExchangeFact};
    use rabita_ledger::{Entry, Options, Period};
    use rabita_model::Subject;
    use uuid::Uuid;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn order(act: Act) -> Order {
        Order { operator: "ayten".to_owned(), reason: Some("the law".to_owned()), act }
    }

    fn asked(exchange: ExchangeId, at: Timestamp) -> Fact {
        Fact::Exchange(Box::new(ExchangeFact {
            at,
            exchange,
            caller: None,
            credential: None,
            user: Some("official-7".to_owned()),
            user_by: None,
            purpose: None,
            basis: None,
            case: None,
            consent: None,
            about: None,
            service: Some("catalogue".to_owned()),
            subjects: vec![Subject::new("5ZJBKH7")],
            fields: Vec::new(),
            records: 1,
            update: None,
            request: b"GET /bus/catalogue\n\n".to_vec(),
            answer: Answered::Digest([7; 32]),
            status: 200,
            code: None,
            signature: None,
        }))
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_is_forgotten_cannot_be_shown_and_that_it_was_ordered_stays() {
        let directory = std::env::temp_dir().join(format!("rabita-desk-{}", Uuid::now_v7()));
        let (key, _) = SigningKey::generate("ledger", Algorithm::Ed25519).expect("a key");
        let options = Options {
            directory: directory.clone(),
            origin: "bus".to_owned(),
            key: Arc::new(key),
            period: Period::Year,
            keep_months: std::collections::BTreeMap::new(),
            rule_stands: std::time::Duration::ZERO,
            clock: Arc::new(Timestamp::now),
        };
        let desk = LedgerDesk::new(Arc::new(Ledger::open(options).expect("a ledger")), &directory);
        let (old, new) = (ExchangeId::new(Uuid::now_v7()), ExchangeId::new(Uuid::now_v7()));
        desk.ledger.record(asked(old, at("2020-05-05T00:00:00Z"))).await.expect("a receipt");
        desk.ledger.record(asked(new, at("2022-05-05T00:00:00Z"))).await.expect("a receipt");
        let now = at("2022-06-01T00:00:00Z");
        let forget = |before: &str, dry_run| {
            order(Act::Forget { agency: "_bus".to_owned(), before: before.parse().expect("a date"), dry_run })
        };
        let size = || desk.ledger.log().checkpoint().size;

        let told = desk.carry_out(forget("2022-01-01", true), now).await.expect("a dry run");
        assert_eq!((told, size()), (json!({ "dry_run": true, "keys": ["_bus/2020"] }), 2));
        assert_eq!(
            desk.carry_out(forget("2022-07-01", false), now).await.map_err(|refused| refused.status),
            Err(StatusCode::BAD_REQUEST)
        );
        let told = desk.carry_out(forget("2022-01-01", false), now).await.expect("done");
        assert_eq!((&told["keys"], size()), (&json!(["_bus/2020"]), 3));
        let act = desk.ledger.entry(2).await.expect("an entry").accesses.remove(0).entry;
        assert!(matches!(&act, Entry::Act(act) if act.act == "ledger forget" && act.detail["reason"] == "the law"), "{act:?}");

        let told = desk.carry_out(order(Act::ShowExchange { exchange: old }), now).await.expect("shown");
        assert!(!told.to_string().contains("official-7"), "{told}");
        let told = desk.carry_out(order(Act::ShowExchange { exchange: new }), now).await.expect("shown");
        assert_eq!(told["entries"][0]["opened"]["user"], "official-7");
        let nobody = Order { operator: " ".to_owned(), ..order(Act::Show { index: 0 }) };
        assert_eq!(desk.carry_out(nobody, now).await.map_err(|refused| refused.status), Err(StatusCode::BAD_REQUEST));
        assert_eq!(size(), 5);
        desk.ledger.close().await;
        let _ = std::fs::remove_dir_all(directory);
    }
}
