//! Lines of who used data, each with its proof against one checkpoint.

use rabita_contract::ledger::Hash;
use rabita_contract::transparency::{AboutTold, Access, Accesses, Kind, OnBehalf, OutcomeTold, ProofTold, ReceiptTold};
use rabita_ledger::accesses;
use rabita_ledger::entry::{self, About, ConclusionEntry, Entry, ExchangeEntry, ToldBy};
use rabita_model::{Blame, Code};

use super::names::Names;

/// Whether a line tells of persons.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shows {
    /// On whose behalf, the case, and the entry itself, in which pseudonyms stand.
    Persons,
    NoPersons,
}

/// The page of what was found.
pub(super) fn of(found: accesses::Accesses, names: &Names, shows: Shows) -> Accesses {
    let accesses::Accesses { accesses, next, checkpoint, behind, .. } = found;
    let log = checkpoint.origin.clone();
    let accesses = accesses.into_iter().filter_map(|line| access(line, &log, checkpoint.size, names, shows)).collect();
    Accesses { accesses, checkpoint: checkpoint.note.clone(), logs: vec![log], behind, next }
}

fn access(line: accesses::Access, log: &str, size: u64, names: &Names, shows: Shows) -> Option<Access> {
    let accesses::Access { index, leaf, bytes, entry, fields, opened, proof } = line;
    let has_persons = shows == Shows::Persons;
    let bytes = has_persons.then(|| bytes.to_vec());
    let receipt = ReceiptTold { log: log.to_owned(), index, leaf: Hash(leaf), bytes };
    let proof = ProofTold { size, hashes: proof.into_iter().map(Hash).collect() };
    let mut told = match &entry {
        Entry::Exchange(entry) => of_exchange(entry, Kind::Exchange, names, receipt, proof),
        Entry::Events(entry) => of_exchange(entry, Kind::Events, names, receipt, proof),
        Entry::Conclusion(entry) => of_conclusion(entry, names, receipt, proof),
        // The index gives no other kinds.
        Entry::More(_) | Entry::Configuration(_) | Entry::Act(_) => return None,
    };
    told.fields = fields;
    if let Some(opened) = opened.filter(|_| has_persons) {
        told.on_behalf = opened.user.map(|user| OnBehalf { user, by: user_by(&entry) });
        told.case = opened.case;
    }
    Some(told)
}

const fn user_by(entry: &Entry) -> &'static str {
    match entry {
        Entry::Exchange(entry) | Entry::Events(entry) if matches!(entry.user_by, Some(ToldBy::Claim)) => "claim",
        _ => "assertion",
    }
}

fn of_exchange(entry: &ExchangeEntry, kind: Kind, names: &Names, receipt: ReceiptTold, proof: ProofTold) -> Access {
    let caller = entry.caller.as_ref();
    let about = match &entry.about {
        Some(about) => of_registry(about, names),
        None => AboutTold::Service { service: entry.service.clone().unwrap_or_default() },
    };
    Access {
        at: entry.at,
        kind,
        system: caller.map(|caller| caller.system.clone()),
        system_title: caller.and_then(|caller| names.system(&caller.system)),
        agency: caller.map(|caller| caller.agency.clone()),
        agency_title: caller.and_then(|caller| names.agency(&caller.agency)),
        on_behalf: None,
        purpose: entry.purpose.as_ref().map(|purpose| names.purpose(purpose, entry.basis.as_ref())),
        case: None,
        about,
        fields: Vec::new(),
        records: entry.records,
        outcome: of_outcome(entry.outcome),
        code: entry.code,
        exchange: entry.exchange,
        update: entry.update,
        receipt,
        proof,
    }
}

fn of_conclusion(entry: &ConclusionEntry, names: &Names, receipt: ReceiptTold, proof: ProofTold) -> Access {
    let caller = &entry.caller;
    Access {
        at: entry.at,
        kind: Kind::Conclusion,
        system: Some(caller.system.clone()),
        system_title: names.system(&caller.system),
        agency: Some(caller.agency.clone()),
        agency_title: names.agency(&caller.agency),
        on_behalf: None,
        purpose: entry.purpose.as_ref().map(|purpose| names.purpose(purpose, None)),
        case: None,
        about: of_registry(&entry.about, names),
        fields: Vec::new(),
        records: 0,
        outcome: concluded(entry.outcome, entry.code),
        code: entry.code,
        exchange: entry.exchange,
        update: Some(entry.update),
        receipt,
        proof,
    }
}

fn of_registry(about: &About, names: &Names) -> AboutTold {
    AboutTold::Registry {
        registry: about.target.registry.clone(),
        registry_title: names.registry(&about.target.registry),
        version: about.target.version,
        entity: about.target.entity.clone(),
        operation: about.operation,
        action: about.action.clone(),
    }
}

const fn of_outcome(outcome: entry::Outcome) -> OutcomeTold {
    match outcome {
        entry::Outcome::Allowed => OutcomeTold::Allowed,
        entry::Outcome::Refused => OutcomeTold::Refused,
        entry::Outcome::Failed => OutcomeTold::Failed,
    }
}

/// How an update ended, in the words for exchanges.
pub(super) fn concluded(outcome: rabita_model::Outcome, code: Option<Code>) -> OutcomeTold {
    use rabita_model::Outcome::{Applied, Conflicted, Expired, Refused};
    match outcome {
        Applied => OutcomeTold::Allowed,
        Refused if code.is_some_and(|code| code.blame() != Blame::Caller) => OutcomeTold::Failed,
        Refused | Conflicted => OutcomeTold::Refused,
        Expired => OutcomeTold::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_an_update_ended_is_told_in_the_words_for_exchanges() {
        use rabita_model::Outcome;
        assert_eq!(concluded(Outcome::Applied, None), OutcomeTold::Allowed);
        assert_eq!(concluded(Outcome::Conflicted, Some(Code::PreconditionFailed)), OutcomeTold::Refused);
        assert_eq!(concluded(Outcome::Refused, Some(Code::RegistryBrokeContract)), OutcomeTold::Failed);
        assert_eq!(concluded(Outcome::Expired, Some(Code::UpdateExpired)), OutcomeTold::Failed);
    }
}
