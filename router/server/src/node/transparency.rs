//! Who used data: the answers for a citizen's portal, for an agency, and for everybody.
//!
//! Who may ask stands in `transparency.yaml`. To look up who used a person's data is a use of it too: [`Account`] tells the
//! ledger of it, refused or not, so that it stands in what that person sees next. Counts hold no person and are not
//! recorded.
//!
//! A node tells of its own log, and names it.

mod names;
mod statistics;
mod tracker;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use rabita_config::Country;
use rabita_contract::{Body, Inquiry, Page, Reason, Span};
use rabita_ledger::{Ledger, LedgerError, accesses};
use rabita_model::catalogue::Transparency as Rights;
use rabita_model::{AgencyId, BasisId, Code, Purpose, Refusal, Subject, SystemId};

use names::Names;

/// How many uses a page has where its caller does not say.
const LIMIT: u32 = 100;

/// What callers are told of who used data.
pub(super) struct Transparency {
    ledger: Option<Arc<Ledger>>,
    rules: ArcSwap<Rules>,
}

/// What of it the configuration decides.
struct Rules {
    rights: BTreeMap<SystemId, Rights>,
    auditors: BTreeSet<SystemId>,
    smallest: u64,
    names: Names,
}

/// What another configuration decides, ready to be put in place.
pub(super) struct PreparedTransparency(Arc<Rules>);

/// An answer, and what the ledger is told of it.
pub(super) struct Told {
    pub result: Result<Body, Refusal>,
    pub account: Account,
}

/// What the ledger is told of an inquiry, whatever came of it.
#[derive(Debug)]
pub(super) struct Account {
    /// What was asked.
    pub service: &'static str,
    pub subjects: Vec<Subject>,
    pub purpose: Option<Purpose>,
    pub basis: Option<BasisId>,
    pub user: Option<String>,
    pub case: Option<String>,
    /// How many uses were told.
    pub records: u32,
}

impl Account {
    /// Of what concerns nobody yet.
    pub fn of(service: &'static str) -> Self {
        Self { service, subjects: Vec::new(), purpose: None, basis: None, user: None, case: None, records: 0 }
    }

    /// Whether it is recorded: what tells of no person and of no use is not.
    pub fn is_recorded(&self) -> bool {
        ![STATISTICS, HEARTBEAT, PERIOD].contains(&self.service)
    }
}

const SUBJECT_ACCESSES: &str = "subject_accesses";
const AGENCY_ACCESSES: &str = "agency_accesses";
const STATISTICS: &str = "statistics";
const PERIOD: &str = "usage_period";
const HEARTBEAT: &str = "heartbeat";

impl Transparency {
    /// Over the node's ledger, where it keeps one.
    pub fn new(country: &Country, ledger: Option<Arc<Ledger>>) -> Self {
        Self { ledger, rules: ArcSwap::from_pointee(Rules::of(country)) }
    }

    /// What another configuration decides.
    pub fn prepare(country: &Country) -> PreparedTransparency {
        PreparedTransparency(Arc::new(Rules::of(country)))
    }

    /// Goes by it from now on.
    pub fn swap(&self, prepared: PreparedTransparency) {
        self.rules.store(prepared.0);
    }

    /// What a system may ask, for what describes the bus to it.
    pub fn rights(&self, system: &SystemId) -> Rights {
        // Without a ledger there is nothing to ask for.
        self.ledger.as_ref().and_then(|_| self.rules.load().rights.get(system).cloned()).unwrap_or_default()
    }

    /// Whether a system may read the ledger's entries.
    pub fn may_audit(&self, system: &SystemId) -> bool {
        self.rules.load().auditors.contains(system)
    }

    /// Answers an inquiry of a system.
    pub async fn answer(&self, inquiry: Inquiry, system: &SystemId, now: Timestamp) -> Told {
        let rules = self.rules.load_full();
        let mut account = Account::of(service(&inquiry));
        let result = self.result(inquiry, &rules, system, now, &mut account).await;
        Told { result, account }
    }

    async fn result(
        &self,
        inquiry: Inquiry,
        rules: &Rules,
        system: &SystemId,
        now: Timestamp,
        account: &mut Account,
    ) -> Result<Body, Refusal> {
        match inquiry {
            Inquiry::Subject(inquiry) => {
                account.concern(&inquiry.subject, inquiry.reason);
                account.permit(rules, system)?;
                let page = page(inquiry.span, inquiry.page);
                let found = self.ledger()?.accesses(&inquiry.subject, &page).await.map_err(refused)?;
                account.records = count(&found);
                Ok(Body::json(&view::of(found, &rules.names, view::Shows::Persons)))
            }
            Inquiry::Usage(inquiry) => {
                account.concern(&inquiry.subject, inquiry.reason);
                account.purpose = account.purpose.take().or_else(|| rules.only_purpose(system));
                account.permit(rules, system)?;
                let all = page(inquiry.span, Page::default());
                let page = accesses::Page { offset: inquiry.offset as usize, limit: inquiry.limit as usize, ..all };
                let found = self.ledger()?.accesses(&inquiry.subject, &page).await.map_err(refused)?;
                account.records = count(&found);
                Ok(Body::json(&tracker::usages(&found, &rules.names)))
            }
            Inquiry::UsagePeriod => {
                rules.may_ask_of_subjects(system)?;
                Ok(Body::json(&tracker::period(self.ledger()?, now)?))
            }
            Inquiry::Heartbeat => {
                rules.may_ask_of_subjects(system)?;
                Ok(Body::json(&tracker::heartbeat(self.ledger.as_deref())))
            }
            Inquiry::Agency(inquiry) => {
                rules.may_ask_of(&inquiry.agency, system)?;
                let page = page(inquiry.span, inquiry.page);
                let found = self.ledger()?.of_agency(&inquiry.agency, &page).await.map_err(refused)?;
                account.records = count(&found);
                Ok(Body::json(&view::of(found, &rules.names, view::Shows::NoPersons)))
            }
            Inquiry::Statistics(days) => Ok(Body::json(&statistics::of(self.ledger()?, days, rules.smallest, now).await?)),
        }
    }

    /// The ledger, as long as it can be written: to ask who used data is recorded, too.
    fn ledger(&self) -> Result<&Arc<Ledger>, Refusal> {
        let none = || Refusal::new(Code::LedgerUnavailable).detail("the node keeps no ledger");
        let ledger = self.ledger.as_ref().ok_or_else(none)?;
        ledger.health().map_err(|why| Refusal::new(Code::LedgerUnavailable).detail(why))?;
        Ok(ledger)
    }
}

impl Account {
    fn concern(&mut self, subject: &Subject, reason: Reason) {
        let Reason { purpose, user, case } = reason;
        self.subjects = vec![subject.clone()];
        (self.purpose, self.user, self.case) = (purpose, user, case);
    }

    /// Whether the system may ask for this purpose; says by what right.
    fn permit(&mut self, rules: &Rules, system: &SystemId) -> Result<(), Refusal> {
        let permitted = rules.may_ask_of_subjects(system)?;
        // One that is not permitted may be no purpose at all, so it is not recorded.
        let named = self.purpose.take().ok_or(Code::PurposeMissing)?;
        let purpose = permitted.iter().find(|permitted| **permitted == named).ok_or(Code::PurposeNotPermitted)?;
        self.basis = rules.names.basis(purpose).cloned();
        self.purpose = Some(named);
        Ok(())
    }
}

impl Rules {
    fn of(country: &Country) -> Self {
        let mut rights: BTreeMap<SystemId, Rights> = BTreeMap::new();
        for view in &country.transparency.subjects {
            rights.entry(view.system.clone()).or_default().subjects.extend(view.purposes.iter().cloned());
        }
        for view in &country.transparency.agencies {
            rights.entry(view.system.clone()).or_default().agencies.push(view.agency.clone());
        }
        for own in rights.values_mut() {
            own.subjects.sort();
            own.subjects.dedup();
            own.agencies.sort();
            own.agencies.dedup();
        }
        let auditors = country.transparency.auditors.iter().cloned().collect();
        Self { rights, auditors, smallest: country.transparency.statistics.smallest, names: Names::of(country) }
    }

    /// The purposes for which a system may ask who used a person's data.
    fn may_ask_of_subjects(&self, system: &SystemId) -> Result<&[Purpose], Refusal> {
        let purposes = self.rights.get(system).map(|rights| rights.subjects.as_slice()).filter(|own| !own.is_empty());
        purposes.ok_or_else(|| Code::NotPermitted.into())
    }

    /// An agency that there is not is refused like one of which the system may not ask.
    fn may_ask_of(&self, agency: &AgencyId, system: &SystemId) -> Result<(), Refusal> {
        let may = self.rights.get(system).is_some_and(|rights| rights.agencies.contains(agency));
        if may { Ok(()) } else { Err(Code::NotPermitted.into()) }
    }

    /// What a caller asks for that has no way to say so, where there is but one purpose.
    fn only_purpose(&self, system: &SystemId) -> Option<Purpose> {
        match self.rights.get(system)?.subjects.as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        }
    }
}

const fn service(inquiry: &Inquiry) -> &'static str {
    match inquiry {
        Inquiry::Subject(_) | Inquiry::Usage(_) => SUBJECT_ACCESSES,
        Inquiry::Agency(_) => AGENCY_ACCESSES,
        Inquiry::UsagePeriod => PERIOD,
        Inquiry::Heartbeat => HEARTBEAT,
        Inquiry::Statistics(_) => STATISTICS,
    }
}

/// Both ends of a span belong to it; the ledger takes the first time after its end, and finds by microseconds.
fn page(span: Span, page: Page) -> accesses::Page {
    let to = span.to.map(|to| to.checked_add(SignedDuration::from_micros(1)).unwrap_or(Timestamp::MAX));
    let limit = page.limit.unwrap_or(LIMIT) as usize;
    accesses::Page { from: span.from, to, limit, offset: 0, cursor: page.cursor }
}

fn count(found: &accesses::Accesses) -> u32 {
    u32::try_from(found.accesses.len()).unwrap_or(u32::MAX)
}

fn refused(error: LedgerError) -> Refusal {
    match error {
        LedgerError::Cursor => Code::CursorInvalid.into(),
        error => Refusal::new(Code::LedgerUnavailable).detail(error.to_string()),
    }
}
