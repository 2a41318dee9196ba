//! A feed: what of the events one system may see, from its grants of `subscribe`.
//!
//! A feed is made once for a stream or a subscription and asked for every event. It looks at the grants that are in force
//! at that moment, so that one that ends or is withdrawn meanwhile ends for it too. What it leaves of an event is a list
//! of fields; the contract cuts the event to them.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rabita_ledger::entry::About;
use rabita_model::{
    AgencyId, BasisId, EntityName, Event, FieldName, Happened, Operation, Purpose, Refusal, RegistryId, Subject, SystemId, Target,
};
use rabita_sdk::mapping::Selection;
use serde_json::{Map, Value};

use crate::Clock;
use crate::access::{Access, Granted, Holdings, Shape, Wish, refusal, unknown_agency};
use crate::caller::Evidence;
use crate::release::subject_in;

/// Which events are asked for. What is not given does not narrow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interest {
    pub registry: Option<RegistryId>,
    pub entity: Option<EntityName>,
}

/// What of the events one system may see, for one purpose.
pub struct Feed {
    access: Arc<ArcSwap<Access>>,
    clock: Arc<dyn Clock>,
    system: SystemId,
    interest: Interest,
    purpose: Option<Purpose>,
    shown: Shown,
}

/// What the ledger is told of an event that the feed shows.
#[derive(Debug, Clone)]
pub struct Account {
    /// The system that the feed is of, and its agency.
    pub caller: (SystemId, AgencyId),
    pub purpose: Option<Purpose>,
    /// The legal basis of the purpose.
    pub basis: Option<BasisId>,
    pub about: About,
    /// Whom the record is about, where the event tells it.
    pub subjects: Vec<Subject>,
}

/// What was shown when the feed was asked for.
#[derive(Debug, Clone, Copy)]
struct Shown {
    is_signed: bool,
    is_bound: bool,
}

impl Interest {
    fn is_in(&self, target: &Target) -> bool {
        self.registry.as_ref().is_none_or(|registry| *registry == target.registry)
            && self.entity.as_ref().is_none_or(|entity| *entity == target.entity)
    }
}

impl Feed {
    /// The feed of a system, where at least one grant of `subscribe` holds now for the purpose. Without evidence it is
    /// one that was let in before: what a grant demands of the request was held against that one.
    ///
    /// # Errors
    /// `not_permitted`, and, where only that is missing, what [`Holdings::weigh`] would say.
    pub(crate) fn of(
        access: &Arc<ArcSwap<Access>>,
        clock: Arc<dyn Clock>,
        system: &SystemId,
        interest: &Interest,
        purpose: Option<&Purpose>,
        evidence: Option<&Evidence>,
    ) -> Result<Self, Refusal> {
        let is_bound = |evidence: &Evidence| evidence.token.as_ref().is_some_and(|token| token.is_bound);
        let feed = Self {
            access: Arc::clone(access),
            clock,
            system: system.clone(),
            interest: interest.clone(),
            purpose: purpose.cloned(),
            shown: Shown {
                is_signed: evidence.is_none_or(|evidence| evidence.is_signed),
                is_bound: evidence.is_none_or(is_bound),
            },
        };
        if feed.is_open() {
            return Ok(feed);
        }
        let access = feed.access.load();
        let offered: Vec<&Holdings> = feed.holdings(&access).collect();
        Err(refusal(offered.iter().flat_map(|holdings| &holdings.grants), &feed.wish()))
    }

    /// The fields of an event that the system may see at this moment; `None` where it may see nothing of it. A grant with
    /// a row condition shows an event only where the event itself tells that the record is one of them.
    #[must_use]
    pub fn view(&self, event: &Event) -> Option<Vec<FieldName>> {
        if !self.interest.is_in(&event.target) {
            return None;
        }
        let access = self.access.load();
        let holdings = access.grants.get(&self.system, &event.target)?;
        let shape = &holdings.shape;
        if !shape.manifest.offers(Operation::Subscribe) {
            return None;
        }
        let wish = self.wish();
        let holding = holdings.grants.iter().filter(|grant| grant.lack(&wish).is_none());
        let attributes = || access.callers.get(&self.system).map(|caller| &caller.attributes);
        let admitting = holding.filter(|grant| match (&grant.rows, attributes()) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(rows), Some(attributes)) => {
                tells(shape, event, &rows.looks_at)
                    && rows.condition.admits(&known(event), attributes, wish.today).unwrap_or(false)
            }
        });
        let fields = admitting.fold(shape.none.clone(), |all, grant| all.or(&grant.selection));
        // A binary value stands in no event.
        let fields = fields.and(&shape.all);
        (!fields.is_empty()).then(|| shape.names(&fields))
    }

    /// What the ledger is told of an event that it shows.
    #[must_use]
    pub fn account(&self, event: &Event) -> Account {
        let access = self.access.load();
        let shape = access.shapes.get(&event.target);
        Account {
            caller: (self.system.clone(), access.agency_of(&self.system)),
            purpose: self.purpose.clone(),
            basis: self.purpose.as_ref().and_then(|purpose| access.basis(purpose)).cloned(),
            about: About {
                target: event.target.clone(),
                owner: shape.map_or_else(unknown_agency, |shape| shape.owner.clone()),
                operation: Operation::Subscribe,
                action: None,
            },
            subjects: shape.and_then(|shape| subject_in(shape, &known(event))).into_iter().collect(),
        }
    }

    /// Whether any grant still holds: a feed that shows nothing any more is at its end.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let access = self.access.load();
        let wish = self.wish();
        let holds = |grant: &Arc<Granted>| grant.lack(&wish).is_none();
        self.holdings(&access).any(|holdings| holdings.grants.iter().any(holds))
    }

    /// What the system holds of the entities of interest that offer their events.
    fn holdings<'a>(&'a self, access: &'a Access) -> impl Iterator<Item = &'a Holdings> {
        access.grants.of(&self.system).filter(|holdings| {
            self.interest.is_in(&holdings.shape.target) && holdings.shape.manifest.offers(Operation::Subscribe)
        })
    }

    fn wish(&self) -> Wish<'_> {
        Wish {
            operation: Operation::Subscribe,
            action: None,
            purpose: self.purpose.as_ref(),
            // Nobody names a consent for what has not happened yet.
            names_consent: false,
            is_signed: self.shown.is_signed,
            is_bound: self.shown.is_bound,
            now: self.clock.now(),
            today: self.clock.today(),
        }
    }
}

/// Whether an event tells what these fields are after it: they are of the key, or among what changed. That a field is not
/// there counts only where something else is.
fn tells(shape: &Shape, event: &Event, fields: &Selection) -> bool {
    let mut told: Vec<FieldName> = shape.mapping.key_fields().cloned().collect();
    if !event.record.is_empty() && !matches!(event.happened, Happened::Deleted | Happened::Acted(_)) {
        told.extend_from_slice(&event.changed);
    }
    shape.mapping.selected(fields).all(|field| told.iter().any(|told| told.covers(field)))
}

/// What an event tells of its record.
fn known(event: &Event) -> Value {
    let mut known: Map<String, Value> = event.key.clone();
    rabita_model::update::merge_patch(&mut known, &event.record);
    Value::Object(known)
}
