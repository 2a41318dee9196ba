//! Consents: whether the consent that a request names is one of this caller, purpose and registry, and of whom it is.
//!
//! The consent registry is plugged in like any other; the bus asks it here for itself. Of whom the record is that the
//! consent has to cover is known later, so that is held against [`crate::release::Guard`].

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use moka::future::Cache;
use rabita_config::consent::ConsentSpec;
use rabita_model::{Code, ExchangeId, FieldName, Purpose, Refusal, RegistryId, Subject, Target};
use rabita_sdk::Read;
use serde_json::{Map, Value};

use crate::caller::Caller;
use crate::registry::{Entities, Entity, Registry};

/// For how long a consent is remembered: a withdrawal is felt within this time.
const KEPT: Duration = Duration::from_secs(5);
const KEPT_MAX: u64 = 10_000;
/// The longest that the consent registry is waited for.
const TIME: Duration = Duration::from_secs(2);

/// Where consents are looked up.
pub(crate) struct Consents {
    spec: ConsentSpec,
    target: Target,
    /// By reference; `None` for one that is not there.
    kept: Cache<String, Option<Map<String, Value>>>,
}

/// For what a consent is needed.
pub(crate) struct Need<'a> {
    pub caller: &'a Caller,
    pub purpose: Option<&'a Purpose>,
    pub registry: &'a RegistryId,
    pub now: Timestamp,
}

impl Consents {
    pub fn new(spec: &ConsentSpec) -> Self {
        let target = Target { registry: spec.registry.clone(), version: spec.version, entity: spec.entity.clone() };
        let kept = Cache::builder().max_capacity(KEPT_MAX).time_to_live(KEPT).build();
        Self { spec: spec.clone(), target, kept }
    }

    /// Of whom the consent with this reference is, where it covers what it is needed for.
    ///
    /// # Errors
    /// `consent_invalid`; `registry_unavailable` where the consent registry cannot say.
    pub async fn subject(
        &self,
        entities: &Entities,
        reference: &str,
        need: &Need<'_>,
        exchange: ExchangeId,
        traceparent: Option<String>,
    ) -> Result<Subject, Refusal> {
        let consent = match self.kept.get(reference).await {
            Some(kept) => kept,
            None => {
                let found = self.find(entities, reference, exchange, traceparent).await.map_err(|refusal| {
                    let detail = format!("the consent registry says: {refusal}");
                    let wait = refusal.retry_after.unwrap_or(Duration::from_secs(1));
                    Refusal::new(Code::RegistryUnavailable).detail(detail).retry_after(wait)
                })?;
                self.kept.insert(reference.to_owned(), found.clone()).await;
                found
            }
        };
        let invalid = |why: &str| Refusal::new(Code::ConsentInvalid).detail(why);
        let consent = consent.ok_or_else(|| invalid("there is no such consent"))?;
        self.covers(&consent, need).map_err(invalid)
    }

    async fn find(
        &self,
        entities: &Entities,
        reference: &str,
        exchange: ExchangeId,
        traceparent: Option<String>,
    ) -> Result<Option<Map<String, Value>>, Refusal> {
        let unplugged = || Refusal::new(Code::Internal).detail("no manifest has the entity of consents");
        let (registry, entity) = entities.get(&self.target).ok_or_else(unplugged)?;
        let key = entity.mapping.key(&[Value::from(reference)]);
        // What cannot be a key is the key of nothing.
        let Ok(key) = key else { return Ok(None) };
        let selection = entity.mapping.select(&self.fields()).map_err(|_| unplugged())?;
        read(registry, entity, key, selection, exchange, traceparent).await
    }

    fn fields(&self) -> Vec<FieldName> {
        let ConsentSpec { subject, grantee, purpose, about, from, until, status, .. } = &self.spec;
        let optional = [grantee, purpose, about, from, until].into_iter().flatten();
        std::iter::once(subject).chain(optional).chain(status.iter().map(|status| &status.field)).cloned().collect()
    }

    /// Of whom a consent is, where it covers what it is needed for; else which condition fails.
    fn covers(&self, consent: &Map<String, Value>, need: &Need<'_>) -> Result<Subject, &'static str> {
        let spec = &self.spec;
        let is = |field: &Option<FieldName>, words: &[&str]| match field {
            None => true,
            Some(field) => field.value_in(consent).is_some_and(|value| names_one(value, words)),
        };
        let moment = |field: &Option<FieldName>| field.as_ref().map(|field| Moment::of(field.value_in(consent)));
        if let Some(status) = &spec.status
            && status.field.value_in(consent) != Some(&status.equals)
        {
            return Err("its status is another");
        }
        if !is(&spec.grantee, &[need.caller.id.as_str(), need.caller.agency.as_str()]) {
            return Err("it is for another system or agency");
        }
        let purpose: Vec<&str> = need.purpose.iter().map(|purpose| purpose.as_str()).collect();
        if !is(&spec.purpose, &purpose) {
            return Err("it is for another purpose");
        }
        if !is(&spec.about, &[need.registry.as_str()]) {
            return Err("it is for another registry");
        }
        if !moment(&spec.from).is_none_or(|from| from.is_past(need.now)) {
            return Err("it does not hold yet");
        }
        if !moment(&spec.until).is_none_or(|until| until.is_ahead(need.now)) {
            return Err("it has ended");
        }
        let subject = spec.subject.value_in(consent).and_then(Value::as_str).filter(|subject| !subject.is_empty());
        subject.map(Subject::new).ok_or("it names nobody who consented")
    }
}

async fn read(
    registry: &Registry,
    entity: &Entity,
    key: Vec<rabita_sdk::Legacy>,
    selection: rabita_sdk::mapping::Selection,
    exchange: ExchangeId,
    traceparent: Option<String>,
) -> Result<Option<Map<String, Value>>, Refusal> {
    let projection = entity.projection(&selection);
    let call = registry.call(exchange, traceparent, registry.timeout.min(TIME));
    let ask = Read { entity: entity.index, key, wanted: projection.wanted.clone() };
    let (row, _) = registry.deliver(&call, registry.connector.read(ask, &call)).await?;
    let Some(row) = row else { return Ok(None) };
    match entity.record(&row, &selection, &projection.selected)? {
        (Value::Object(consent), _) => Ok(Some(consent)),
        _ => Ok(None),
    }
}

/// Whether a value is one of some words, or a list with one of them.
fn names_one(value: &Value, words: &[&str]) -> bool {
    match value {
        Value::String(text) => words.contains(&text.as_str()),
        Value::Array(items) => items.iter().any(|item| item.as_str().is_some_and(|item| words.contains(&item))),
        _ => false,
    }
}

/// The first or last moment of a consent.
enum Moment {
    /// The field has no value: there is no such bound.
    Open,
    Time(Timestamp),
    Day(Date),
    /// It cannot be read, so nothing holds by it.
    Unclear,
}

impl Moment {
    fn of(value: Option<&Value>) -> Self {
        match value {
            None | Some(Value::Null) => Self::Open,
            Some(Value::String(text)) if text.contains('T') => text.parse().map_or(Self::Unclear, Self::Time),
            Some(Value::String(text)) => text.parse().map_or(Self::Unclear, Self::Day),
            Some(_) => Self::Unclear,
        }
    }

    fn is_past(&self, now: Timestamp) -> bool {
        match self {
            Self::Open => true,
            Self::Time(from) => *from <= now,
            Self::Day(from) => *from <= today(now),
            Self::Unclear => false,
        }
    }

    fn is_ahead(&self, now: Timestamp) -> bool {
        match self {
            Self::Open => true,
            Self::Time(until) => now <= *until,
            Self::Day(until) => today(now) <= *until,
            Self::Unclear => false,
        }
    }
}

fn today(now: Timestamp) -> Date {
    jiff::tz::TimeZone::UTC.to_datetime(now).date()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use rabita_model::{AgencyId, SystemId};
    use serde_json::json;

    use super::*;
    use crate::limit::Limiter;

    fn consents() -> Consents {
        let spec = json!({
            "registry": "consents", "version": "v1", "entity": "consents", "subject": "person", "grantee": "given_to",
            "purpose": "purposes", "about": "registry", "from": "from", "until": "until",
            "status": { "field": "status", "equals": "given" },
        });
        Consents::new(&serde_json::from_value(spec).expect("a spec"))
    }

    fn covers(change: Value) -> Result<Subject, &'static str> {
        let mut consent = json!({
            "person": "5ZJBKH7", "given_to": "asan", "purposes": ["benefits", "loans"], "registry": "population",
            "from": "2026-01-01", "until": "2026-11-24T12:00:00Z", "status": "given",
        });
        for (name, value) in change.as_object().expect("an object") {
            consent[name] = value.clone();
        }
        let caller = Caller {
            id: SystemId::new("portal").expect("an id"),
            agency: AgencyId::new("asan").expect("an id"),
            attributes: BTreeMap::new(),
            limiter: Arc::new(Limiter::new("system", 1, None)),
        };
        let purpose = Purpose::new("benefits").expect("a purpose");
        let registry = RegistryId::new("population").expect("an id");
        let now = "2026-11-24T11:00:00Z".parse().expect("a time");
        let need = Need { caller: &caller, purpose: Some(&purpose), registry: &registry, now };
        consents().covers(consent.as_object().expect("an object"), &need)
    }

    #[test]
    fn a_consent_covers_what_all_its_fields_say_and_nothing_else() {
        assert_eq!(covers(json!({})), Ok(Subject::new("5ZJBKH7")));
        assert_eq!(covers(json!({ "given_to": "portal", "until": null })), Ok(Subject::new("5ZJBKH7")));
        for (change, why) in [
            (json!({ "status": "withdrawn" }), "its status is another"),
            (json!({ "status": null }), "its status is another"),
            (json!({ "given_to": "bank" }), "it is for another system or agency"),
            (json!({ "given_to": null }), "it is for another system or agency"),
            (json!({ "purposes": ["loans"] }), "it is for another purpose"),
            (json!({ "registry": ["land"] }), "it is for another registry"),
            (json!({ "from": "2026-11-25" }), "it does not hold yet"),
            (json!({ "from": "soon" }), "it does not hold yet"),
            (json!({ "until": "2026-11-24T10:59:59Z" }), "it has ended"),
            (json!({ "until": "2026-11-23" }), "it has ended"),
            (json!({ "person": "" }), "it names nobody who consented"),
        ] {
            assert_eq!(covers(change), Err(why));
        }
    }
}
