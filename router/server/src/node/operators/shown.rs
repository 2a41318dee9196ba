//! What operators see of an update: what it is about and how it stands, never what is in it.

use rabita_journal::{Acted, OperatorAct, Verb};
use rabita_model::{Conclusion, Entry, UpdateId};
use serde_json::{Map, Value, json};

/// An update in a list.
pub(super) fn line(entry: &Entry) -> Value {
    Value::Object(members(entry))
}

/// An update by itself.
pub(super) fn whole(entry: &Entry) -> Value {
    let mut shown = members(entry);
    let update = &entry.update;
    shown.insert("is_in_doubt".into(), entry.progress.is_in_doubt.into());
    shown.insert("retried_by_operators".into(), entry.generation.into());
    shown.insert("record".into(), update.record.as_str().into());
    put(&mut shown, "purpose", update.purpose.as_ref().map(ToString::to_string));
    shown.insert("exchange".into(), update.exchange.to_string().into());
    put(&mut shown, "traceparent", update.traceparent.clone());
    if let (Some(conclusion), Some(outcome)) = (&entry.conclusion, shown.get_mut("outcome").and_then(Value::as_object_mut)) {
        put(outcome, "reason", conclusion.reason.clone());
        if !conclusion.faults.is_empty() {
            outcome.insert("errors".into(), json!(conclusion.faults));
        }
    }
    Value::Object(shown)
}

/// What came of an order.
pub(super) fn results(verb: Verb, dry_run: bool, results: &[(UpdateId, Acted)], next: Option<&str>) -> Value {
    let mut counts = [("done", 0u64), ("absent", 0), ("not_parked", 0), ("behind", 0)];
    let told: Vec<Value> = results
        .iter()
        .map(|(id, acted)| {
            let mut told = Map::new();
            told.insert("id".into(), id.to_string().into());
            let word = match acted {
                Acted::Done => "done",
                Acted::Absent => "absent",
                Acted::NotParked { state } => {
                    told.insert("state".into(), state.as_str().into());
                    "not_parked"
                }
                Acted::Behind { id } => {
                    told.insert("behind".into(), id.to_string().into());
                    "behind"
                }
            };
            told.insert("result".into(), word.into());
            counts.iter_mut().filter(|(name, _)| *name == word).for_each(|(_, count)| *count += 1);
            Value::Object(told)
        })
        .collect();
    let summary: Map<String, Value> = counts.into_iter().map(|(name, count)| (name.to_owned(), count.into())).collect();
    json!({ "verb": self::verb(verb), "dry_run": dry_run, "summary": summary, "results": told, "next": next })
}

/// An act of an operator.
pub(super) fn act(act: &OperatorAct) -> Value {
    let ids: Vec<String> = act.ids.iter().map(ToString::to_string).collect();
    json!({ "at": act.at, "verb": verb(act.verb), "operator": act.operator, "reason": act.reason, "ids": ids })
}

/// The word for a verb, as in the paths of the admin listener.
pub(super) const fn verb(verb: Verb) -> &'static str {
    match verb {
        Verb::Retry => "retry",
        Verb::Discard => "discard",
    }
}

fn members(entry: &Entry) -> Map<String, Value> {
    let update = &entry.update;
    let mut shown = Map::new();
    shown.insert("id".into(), update.id.to_string().into());
    shown.insert("registry".into(), update.target.registry.as_str().into());
    shown.insert("version".into(), update.target.version.to_string().into());
    shown.insert("entity".into(), update.target.entity.as_str().into());
    shown.insert("operation".into(), update.operation.as_str().into());
    put(&mut shown, "action", update.action.as_ref().map(ToString::to_string));
    shown.insert("state".into(), entry.state().as_str().into());
    shown.insert("system".into(), update.system.as_str().into());
    shown.insert("accepted_at".into(), json!(update.accepted_at));
    put(&mut shown, "apply_until", update.apply_until.map(|at| at.to_string()));
    shown.insert("attempts".into(), entry.attempts().into());
    if entry.conclusion.is_none() {
        put(&mut shown, "next_at", entry.progress.next_at.filter(|_| !entry.is_parked).map(|at| at.to_string()));
        if let Some(trouble) = &entry.progress.trouble {
            let mut told = Map::new();
            told.insert("code".into(), trouble.code.as_str().into());
            put(&mut told, "detail", trouble.detail.clone());
            shown.insert("trouble".into(), told.into());
        }
    }
    if let Some(conclusion) = &entry.conclusion {
        shown.insert("outcome".into(), outcome(conclusion));
    }
    shown.insert("idempotency_key".into(), update.idempotency_key.as_str().into());
    shown
}

fn outcome(conclusion: &Conclusion) -> Value {
    let mut told = Map::new();
    told.insert("at".into(), json!(conclusion.at));
    put(&mut told, "code", conclusion.code.map(|code| code.as_str().to_owned()));
    told.into()
}

fn put(members: &mut Map<String, Value>, name: &str, value: Option<String>) {
    if let Some(value) = value {
        members.insert(name.to_owned(), value.into());
    }
}
