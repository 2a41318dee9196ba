//! A feed: what of the events one system may see, from its grants of `subscribe`.
//!
//! A feed is made once for a stream or a subscription and asked for every event, so that a grant that ends meanwhile
//! ends for it too. What it leaves of an event is a list of fields; the contract cuts the event to them.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::civil::Date;
use rabita_model::{Code, EntityName, Event, FieldName, Operation, Purpose, Refusal, RegistryId, SystemId, Target};

use crate::Clock;
use crate::registry::{Entities, Entity};
use crate::stage::{Granted, Grants};

/// Which events are asked for. What is not given does not narrow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interest {
    pub registry: Option<RegistryId>,
    pub entity: Option<EntityName>,
}

/// What of the events one system may see, for one purpose.
pub struct Feed {
    access: HashMap<Target, Vec<Access>>,
    clock: Arc<dyn Clock>,
}

/// What one grant lets be seen of one entity.
struct Access {
    fields: Vec<FieldName>,
    /// The last day on which it holds.
    until: Option<Date>,
}

impl Interest {
    fn is_in(&self, target: &Target) -> bool {
        self.registry.as_ref().is_none_or(|registry| *registry == target.registry)
            && self.entity.as_ref().is_none_or(|entity| *entity == target.entity)
    }
}

impl Feed {
    /// The feed of a system, where at least one grant of `subscribe` holds today for the purpose.
    ///
    /// # Errors
    /// `not_permitted`, and, where only that is missing, `grant_expired`, `purpose_missing` or `purpose_not_permitted`.
    pub(crate) fn of(
        (grants, entities): (&Grants, &Entities),
        clock: Arc<dyn Clock>,
        system: &SystemId,
        interest: &Interest,
        purpose: Option<&Purpose>,
    ) -> Result<Self, Refusal> {
        let today = clock.today();
        let mut access: HashMap<Target, Vec<Access>> = HashMap::new();
        let mut nearest = Code::NotPermitted;
        for (target, granted) in grants.of(system).filter(|(target, _)| interest.is_in(target)) {
            let Some((_, entity)) = entities.get(target) else { continue };
            if !entity.manifest.offers(Operation::Subscribe) {
                continue;
            }
            for grant in granted.iter().filter(|grant| grant.covers(Operation::Subscribe, None)) {
                if grant.holds(today, purpose) {
                    access.entry(target.clone()).or_default().push(Access::of(grant, entity));
                } else {
                    nearest = lacking(grant, today, purpose);
                }
            }
        }
        if access.is_empty() { Err(nearest.into()) } else { Ok(Self { access, clock }) }
    }

    /// The fields of an event that the system may see at this moment; `None` where it may see nothing of it.
    #[must_use]
    pub fn view(&self, event: &Event) -> Option<Vec<FieldName>> {
        let today = self.clock.today();
        let current = self.access.get(&event.target)?.iter().filter(|access| access.until.is_none_or(|until| today <= until));
        let mut fields: Vec<FieldName> = Vec::new();
        for field in current.flat_map(|access| &access.fields) {
            if !fields.contains(field) {
                fields.push(field.clone());
            }
        }
        (!fields.is_empty()).then_some(fields)
    }

    /// Whether any grant still holds: a feed that shows nothing any more is at its end.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let today = self.clock.today();
        self.access.values().flatten().any(|access| access.until.is_none_or(|until| today <= until))
    }
}

impl Access {
    fn of(grant: &Granted, entity: &Entity) -> Self {
        // A binary value stands in no event.
        let fields = entity.mapping.selected(&grant.selection.and(&entity.all)).cloned().collect();
        Self { fields, until: grant.until }
    }
}

/// What a grant that does not hold lacks.
fn lacking(grant: &Granted, today: Date, purpose: Option<&Purpose>) -> Code {
    match purpose {
        _ if grant.until.is_some_and(|until| until < today) => Code::GrantExpired,
        None => Code::PurposeMissing,
        Some(_) => Code::PurposeNotPermitted,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use jiff::Timestamp;
    use rabita_model::{EventId, Happened, Version};
    use serde_json::Map;
    use uuid::Uuid;

    use super::*;

    /// A clock that is set by hand, in days since 1970.
    struct Days(AtomicI64);

    impl Clock for Days {
        fn now(&self) -> Timestamp {
            Timestamp::from_second(self.0.load(Ordering::Relaxed) * 86_400).expect("a time")
        }
    }

    fn event(entity: &str) -> Event {
        let target = Target {
            registry: RegistryId::new("people").expect("an id"),
            version: Version::new("v1").expect("a version"),
            entity: EntityName::new(entity).expect("a name"),
        };
        Event {
            id: EventId::new(Uuid::nil()),
            target,
            happened: Happened::Changed,
            at: Timestamp::UNIX_EPOCH,
            key: Map::new(),
            changed: Vec::new(),
            record: Map::new(),
            update: None,
            traceparent: None,
        }
    }

    #[test]
    fn what_a_grant_shows_ends_with_its_last_day_and_the_feed_with_the_last_grant() {
        let field = |name| FieldName::new(name).expect("a field");
        let day = |number| Some(jiff::civil::date(1970, 1, number));
        let access = vec![
            Access { fields: vec![field("pin"), field("name.family")], until: day(1) },
            Access { fields: vec![field("pin")], until: day(2) },
        ];
        let clock = Arc::new(Days(AtomicI64::new(0)));
        let feed = Feed { access: HashMap::from([(event("persons").target, access)]), clock: Arc::clone(&clock) as _ };
        assert_eq!(feed.view(&event("persons")), Some(vec![field("pin"), field("name.family")]));
        assert_eq!(feed.view(&event("plots")), None);
        clock.0.store(1, Ordering::Relaxed);
        assert_eq!(feed.view(&event("persons")), Some(vec![field("pin")]));
        assert!(feed.is_open());
        clock.0.store(2, Ordering::Relaxed);
        assert_eq!(feed.view(&event("persons")), None);
        assert!(!feed.is_open());
    }
}
