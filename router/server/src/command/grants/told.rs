//! Explanations and holders as text: the answer first, then why.

use std::fmt::Write as _;

use rabita_core::access::{Explanation, Holder, Terms, Verdict};
use serde_json::Value;

/// What would become of a request.
pub(super) fn explanation(told: &Explanation) -> String {
    let mut text = String::new();
    let purpose = told.purpose.as_ref().map(|purpose| format!(" for {purpose}")).unwrap_or_default();
    let basis = told.basis.as_ref().map(|basis| format!(" (legal basis: {basis})")).unwrap_or_default();
    match &told.code {
        None => line(&mut text, &format!("YES: {} may {} {}{purpose}{basis}.", told.system, told.operation, told.target)),
        Some(code) => {
            line(&mut text, &format!("NO: {} may not {} {}{purpose}{basis}.", told.system, told.operation, told.target));
            line(&mut text, &format!("The caller is told: {code}: {}", code.public_message()));
        }
    }
    if let Some(more) = &told.told {
        line(&mut text, &format!("  {more}"));
    }
    for fault in &told.faults {
        line(&mut text, &format!("  {}: {}", fault.pointer, fault.message));
    }
    if let Some(answer) = &told.answer {
        let is_same = answer.fields == answer.fields_of_every_record;
        line(&mut text, &format!("The answer would hold at most: {}", list(&answer.fields)));
        if !is_same && !answer.fields_of_every_record.is_empty() {
            line(&mut text, &format!("  of every record: {}", list(&answer.fields_of_every_record)));
        }
        for (at, rows) in answer.rows.iter().enumerate() {
            line(&mut text, &format!("{} {rows}", if at == 0 { "Only records for which" } else { "  or for which" }));
        }
        if !answer.demands.is_empty() {
            line(&mut text, &format!("The request must bring: {}", answer.demands.join(", ")));
        }
        if let Some(rate) = answer.requests_per_second {
            line(&mut text, &format!("At most {rate} requests a second."));
        }
    }
    line(
        &mut text,
        match told.grants.len() {
            0 => "The system has no grant for it.",
            _ => "Its grants for it:",
        },
    );
    for (at, grant) in told.grants.iter().enumerate() {
        let verdict = match grant.verdict {
            Verdict::Decides => "decides",
            Verdict::Unneeded => "holds, and adds nothing here",
            Verdict::Lacks => "does not hold",
        };
        let why = grant.why.map(|why| format!(": {why}")).unwrap_or_default();
        line(&mut text, &format!("  {}. {verdict}{why}", at + 1));
        line(&mut text, &format!("     fields: {}", list(&grant.fields)));
        terms(&mut text, &grant.terms);
    }
    text.trim_end().to_owned()
}

/// Who can see a field, by entity.
pub(super) fn holders(holders: &[Holder]) -> String {
    let mut text = String::new();
    let mut before = String::new();
    for holder in holders {
        let entity = format!("{}/{}/{}", holder.registry, holder.version, holder.entity);
        if entity != before {
            line(&mut text, &entity);
            before = entity;
        }
        let title = holder.title.as_ref().map(|title| format!(", {title}")).unwrap_or_default();
        let agency = holder.agency.as_ref().map(|agency| format!(" of {agency}")).unwrap_or_default();
        line(&mut text, &format!("  {}{agency}{title}", holder.system));
        line(&mut text, &format!("     fields: {}", list(&holder.fields)));
        terms(&mut text, &holder.terms);
    }
    text.trim_end().to_owned()
}

fn terms(text: &mut String, terms: &Terms) {
    let mut told = |what: &str, value: String| line(text, &format!("     {what}: {value}"));
    if let Some(group) = &terms.group {
        told("through the group", group.to_string());
    }
    told("may", list(&terms.operations));
    if let Some(actions) = &terms.actions {
        told("actions", list(actions));
    }
    told("for", terms.purposes.as_ref().map_or_else(|| "any purpose".to_owned(), |purposes| list(purposes)));
    if let Some(rows) = &terms.rows {
        told("records for which", rows.clone());
    }
    for hours in &terms.hours {
        let hours = serde_json::to_value(hours).unwrap_or_default();
        let days = hours["days"].as_array().map(|days| {
            let days: Vec<&str> = days.iter().filter_map(Value::as_str).collect();
            format!(" on {}", days.join(", "))
        });
        let word = |name: &str| hours[name].as_str().unwrap_or_default().to_owned();
        told("at", format!("{} to {}{} ({})", word("from"), word("to"), days.unwrap_or_default(), word("zone")));
    }
    if let Some(until) = terms.until {
        told("until", until.to_string());
    }
    if !terms.demands.is_empty() {
        told("demands", terms.demands.join(", "));
    }
    if let Some(rate) = terms.requests_per_second {
        told("requests a second", rate.to_string());
    }
}

fn list(items: &[impl std::fmt::Display]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    if items.is_empty() { "nothing".to_owned() } else { items.join(", ") }
}

fn line(text: &mut String, line: &str) {
    let _ = writeln!(text, "{line}");
}
