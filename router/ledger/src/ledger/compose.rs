//! Facts become entries. Here personal data ends: what goes in holds some, what comes out holds none in clear.

use jiff::Timestamp;
use rabita_model::{Blame, Code, ExchangeId, FieldName, Subject, UpdateId};

use crate::entry::{
    About, ActEntry, ActFact, Answered, Caller, ConclusionEntry, ConclusionFact, ConfigurationEntry, ConfigurationFact, Entry,
    ExchangeEntry, ExchangeFact, FileDigest, Form, MoreEntry, Outcome, Pseudonym, Sealed,
};
use crate::period::{Keeper, KeyName};
use crate::seal::{ExchangeKeys, Keys, NoRandom, Private, sha256};

/// So many pseudonyms stand in one entry: 47 bytes each, with what is sealed of them.
const SUBJECTS_MAX: usize = 512;
/// So many bytes of the names of fields stand in one entry, or of the names of files.
const NAMES_MAX: usize = 24_000;

/// Whose key something is written with.
pub(super) fn keeper(about: Option<&About>) -> Keeper {
    about.map_or(Keeper::Bus, |about| Keeper::Agency(about.owner.clone()))
}

/// The entry of an exchange, and what goes before it.
pub(super) fn exchange(fact: ExchangeFact, name: KeyName, keys: &Keys) -> Result<(Vec<Entry>, ExchangeEntry), NoRandom> {
    let outcome = outcome(fact.status, fact.code);
    let own = keys.of(fact.exchange);
    let signed = fact.signature.as_ref().map(|signature| signature.key.clone());
    let private = Private { user: fact.user, case: fact.case, consent: fact.consent, signature: fact.signature };
    let mut more = More { at: fact.at, exchange: fact.exchange, update: None, name: &name, keys, own: &own, entries: Vec::new() };
    let (named, subjects_total) = more.subjects(fact.subjects)?;
    let (fields, fields_total) = more.fields(fact.fields);
    let more = more.entries;
    let entry = ExchangeEntry {
        v: Form::V1,
        at: fact.at,
        exchange: fact.exchange,
        caller: fact.caller.map(|(system, agency)| Caller { system, agency }),
        credential: fact.credential,
        user_by: private.user.is_some().then_some(fact.user_by).flatten(),
        purpose: fact.purpose,
        basis: fact.basis,
        about: fact.about,
        service: fact.service,
        subjects: named.subjects,
        persons: named.persons,
        subjects_total,
        sealed: own.seal(&private)?,
        fields,
        fields_total,
        records: fact.records,
        update: fact.update,
        request: own.request(&sha256(&fact.request)),
        answer: match fact.answer {
            Answered::Digest(digest) => Some(own.answer(&digest)),
            Answered::Streamed => None,
        },
        status: fact.status,
        outcome,
        code: fact.code,
        signed,
        key: name,
    };
    Ok((more, entry))
}

/// The entry of a conclusion, and what goes before it.
pub(super) fn conclusion(fact: ConclusionFact, name: KeyName, keys: &Keys) -> Result<(Vec<Entry>, ConclusionEntry), NoRandom> {
    let (update, own) = (Some(fact.update), keys.of(fact.exchange));
    let mut more = More { at: fact.at, exchange: fact.exchange, update, name: &name, keys, own: &own, entries: Vec::new() };
    let (named, subjects_total) = more.subjects(fact.subjects)?;
    let more = more.entries;
    let (system, agency) = fact.caller;
    let entry = ConclusionEntry {
        v: Form::V1,
        at: fact.at,
        update: fact.update,
        exchange: fact.exchange,
        caller: Caller { system, agency },
        about: fact.about,
        purpose: fact.purpose,
        subjects: named.subjects,
        persons: named.persons,
        subjects_total,
        outcome: fact.outcome,
        code: fact.code,
        attempts: fact.attempts,
        key: name,
    };
    Ok((more, entry))
}

/// The entries of a configuration, the last apart: as many as its files need.
pub(super) fn configuration(fact: ConfigurationFact) -> (Vec<Entry>, Entry) {
    let mut parts: Vec<(Vec<FileDigest>, Vec<String>)> = vec![(Vec::new(), Vec::new())];
    let mut bytes = 0;
    let mut place = |parts: &mut Vec<_>, length: usize| {
        bytes += length;
        if bytes > NAMES_MAX {
            bytes = length;
            parts.push((Vec::new(), Vec::new()));
        }
    };
    for file in fact.files {
        place(&mut parts, length(&file.file) + length(&file.sha256));
        parts.last_mut().expect("it begins with one").0.push(file);
    }
    for name in fact.changed {
        place(&mut parts, length(&name));
        parts.last_mut().expect("it begins with one").1.push(name);
    }
    let count = u32::try_from(parts.len()).unwrap_or(u32::MAX);
    let entry = |(part, (files, changed))| {
        Entry::Configuration(ConfigurationEntry { v: Form::V1, at: fact.at, part, parts: count, files, changed })
    };
    let mut entries: Vec<Entry> = (1..).zip(parts).map(entry).collect();
    let last = entries.pop().expect("it begins with one");
    (entries, last)
}

/// The entry of an act.
pub(super) fn act(fact: ActFact) -> ActEntry {
    ActEntry { v: Form::V1, at: fact.at, operator: fact.operator, act: fact.act, detail: fact.detail }
}

/// How an exchange with this answer ended.
fn outcome(status: u16, code: Option<Code>) -> Outcome {
    match code {
        None if status < 300 || status == 304 => Outcome::Allowed,
        Some(code) if code.blame() == Blame::Caller => Outcome::Refused,
        _ => Outcome::Failed,
    }
}

/// What an entry says of persons.
#[derive(Default)]
struct Named {
    subjects: Vec<Pseudonym>,
    persons: Option<Sealed>,
}

impl Named {
    fn of(keys: &Keys, own: &ExchangeKeys, exchange: ExchangeId, subjects: &[Subject]) -> Result<Self, NoRandom> {
        if subjects.is_empty() {
            return Ok(Self::default());
        }
        let persons: Vec<Pseudonym> = subjects.iter().map(|subject| keys.person(subject)).collect();
        let subjects = subjects.iter().map(|subject| own.subject(subject)).collect();
        Ok(Self { subjects, persons: keys.seal_persons(exchange, &persons)? })
    }
}

/// The most that a text takes in JSON, with its quotes and a comma.
fn length(text: &str) -> usize {
    // A control character takes six bytes.
    text.bytes().map(|byte| if byte < 0x20 { 6 } else { 2 }).sum::<usize>() + 32
}

/// What does not fit.
struct More<'a> {
    at: Timestamp,
    exchange: ExchangeId,
    update: Option<UpdateId>,
    name: &'a KeyName,
    keys: &'a Keys,
    own: &'a ExchangeKeys,
    entries: Vec<Entry>,
}

impl More<'_> {
    /// What of the subjects stands in the entry itself, and how many there are where that is not all. Each once.
    fn subjects(&mut self, mut subjects: Vec<Subject>) -> Result<(Named, Option<u32>), NoRandom> {
        subjects.sort_unstable();
        subjects.dedup();
        let (first, rest) = subjects.split_at(subjects.len().min(SUBJECTS_MAX));
        for part in rest.chunks(SUBJECTS_MAX) {
            let named = Named::of(self.keys, self.own, self.exchange, part)?;
            self.push(named, Vec::new());
        }
        let total = if rest.is_empty() { None } else { u32::try_from(subjects.len()).ok() };
        Ok((Named::of(self.keys, self.own, self.exchange, first)?, total))
    }

    /// What of the fields stands in the entry itself, and how many there are where that is not all.
    fn fields(&mut self, mut fields: Vec<FieldName>) -> (Vec<FieldName>, Option<u32>) {
        let mut first = fitting(&fields);
        if first == fields.len() {
            return (fields, None);
        }
        let total = u32::try_from(fields.len()).ok();
        let mut rest = fields.split_off(first);
        while !rest.is_empty() {
            first = fitting(&rest);
            let after = rest.split_off(first);
            self.push(Named::default(), std::mem::replace(&mut rest, after));
        }
        (fields, total)
    }

    fn push(&mut self, named: Named, fields: Vec<FieldName>) {
        let (at, exchange, update, key) = (self.at, self.exchange, self.update, self.name.clone());
        let Named { subjects, persons } = named;
        self.entries.push(Entry::More(MoreEntry { v: Form::V1, at, exchange, update, key, subjects, persons, fields }));
    }
}

/// How many of these fields, from the first, one entry takes: one at least, since the name of a field is short.
fn fitting(fields: &[FieldName]) -> usize {
    let mut bytes = 0;
    fields
        .iter()
        .take_while(|field| {
            bytes += field.as_str().len() + 3;
            bytes <= NAMES_MAX
        })
        .count()
}
