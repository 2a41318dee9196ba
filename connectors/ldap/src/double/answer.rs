//! What the stand-in answers.

use tokio::io::DuplexStream;

use super::asked::question;
use super::compare::{holds, lies_within};
use super::{Directory, State};
use crate::dn::{self, folded, is_same};
use crate::protocol::{
    ASSERTION, Attribute, Code, Control, Entry, Frames, Message, Modification, ModificationKind, Op, SearchRequest, encoded,
};

/// The longest message that it takes.
const MESSAGE_MAX: usize = 64 * 1024 * 1024;

const SUBSCHEMA: &str = "cn=Subschema";
const CONSTRAINT_VIOLATION: Code = Code(19);
const NAMING_VIOLATION: Code = Code(64);
const NO_SUCH_ATTRIBUTE: Code = Code(16);
const VALUE_EXISTS: Code = Code(20);
const NOT_ALLOWED_ON_RDN: Code = Code(67);
const UNWILLING: Code = Code(53);

/// Answers on a connection until it ends.
pub(super) async fn serve(directory: Directory, stream: DuplexStream) {
    let mut frames = Frames::new(stream, MESSAGE_MAX);
    while let Ok((request, _)) = frames.next().await {
        if request.op == Op::UnbindRequest {
            return;
        }
        for op in directory.with(|state| state.asked(request.op, &request.controls)) {
            let message = Message { id: request.id, op, controls: Vec::new() };
            if frames.send(&encoded(&message)).await.is_err() {
                return;
            }
        }
    }
}

impl State {
    /// Puts an entry there, with the number of the change.
    pub(super) fn put(&mut self, mut entry: Entry) {
        self.number(&mut entry);
        self.entries.push(entry);
    }

    fn number(&mut self, entry: &mut Entry) {
        self.changes += 1;
        entry.attributes.retain(|attribute| !attribute.name.eq_ignore_ascii_case("entryCSN"));
        let number = format!("20260101000000.{:06}Z#000000#000#000000", self.changes);
        entry.attributes.push(Attribute { name: "entryCSN".to_owned(), values: vec![number.into_bytes()] });
    }

    /// Notes what is asked, unless that is the schema, and answers it.
    fn asked(&mut self, op: Op, controls: &[Control]) -> Vec<Op> {
        let is_of_schema = matches!(&op, Op::SearchRequest(request) if request.base.is_empty() || request.base == SUBSCHEMA);
        if !is_of_schema {
            self.asked.extend(question(&op));
        }
        self.answers(op, controls)
    }

    fn answers(&mut self, op: Op, controls: &[Control]) -> Vec<Op> {
        match op {
            Op::BindRequest { .. } => vec![Op::BindResponse(Code::SUCCESS)],
            Op::SearchRequest(request) => self.search(&request),
            Op::AddRequest(entry) => vec![Op::AddResponse(self.add(entry))],
            Op::ModifyRequest { dn, modifications } => vec![Op::ModifyResponse(self.modify(&dn, modifications, controls))],
            Op::DeleteRequest(dn) => vec![Op::DeleteResponse(self.delete(&dn, controls))],
            _ => vec![Op::ExtendedResponse(UNWILLING)],
        }
    }

    fn search(&self, request: &SearchRequest) -> Vec<Op> {
        let named = |name: &str, values: Vec<Vec<u8>>| Attribute { name: name.to_owned(), values };
        let own = match request.base.as_str() {
            "" => Some(named("subschemaSubentry", vec![SUBSCHEMA.into()])),
            SUBSCHEMA => Some(named("attributeTypes", self.schema.iter().map(|text| text.clone().into_bytes()).collect())),
            _ => None,
        };
        let mut answers: Vec<Op> = match own {
            Some(attribute) => vec![Op::SearchEntry(Entry { dn: request.base.clone(), attributes: vec![attribute] })],
            None => {
                let entries = self.entries.iter();
                let found = entries.filter(|entry| lies_within(&entry.dn, &request.base, request.scope));
                found
                    .filter(|entry| holds(&request.filter, entry))
                    .map(|entry| Op::SearchEntry(selected(entry, request)))
                    .collect()
            }
        };
        answers.push(Op::SearchDone(Code::SUCCESS));
        answers
    }

    fn add(&mut self, entry: Entry) -> Code {
        if self.entries.iter().any(|own| is_same(&own.dn, &entry.dn)) {
            return Code::ENTRY_ALREADY_EXISTS;
        }
        let has = |(name, value): &(String, Vec<u8>)| entry.values(name).iter().any(|own| folded(own) == folded(value));
        if !dn::naming(&entry.dn).is_some_and(|named| named.iter().all(has)) {
            return NAMING_VIOLATION;
        }
        if entry.attributes.iter().any(|attribute| has_double(&attribute.values)) {
            return VALUE_EXISTS;
        }
        self.put(entry);
        Code::SUCCESS
    }

    fn modify(&mut self, dn: &str, modifications: Vec<Modification>, controls: &[Control]) -> Code {
        let place = match self.place(dn, controls) {
            Ok(place) => place,
            Err(code) => return code,
        };
        let mut entry = self.entries[place].clone();
        for modification in modifications {
            if let Err(code) = modified(&mut entry, modification) {
                return code;
            }
        }
        let stays = |(name, value): &(String, Vec<u8>)| entry.values(name).iter().any(|own| folded(own) == folded(value));
        if !dn::naming(dn).is_some_and(|named| named.iter().all(stays)) {
            return NOT_ALLOWED_ON_RDN;
        }
        self.number(&mut entry);
        self.entries[place] = entry;
        Code::SUCCESS
    }

    fn delete(&mut self, dn: &str, controls: &[Control]) -> Code {
        match self.place(dn, controls) {
            Err(code) => code,
            Ok(place) => {
                self.entries.remove(place);
                Code::SUCCESS
            }
        }
    }

    /// Where an entry is of which everything holds that is asserted.
    fn place(&self, dn: &str, controls: &[Control]) -> Result<usize, Code> {
        let place = self.entries.iter().position(|entry| is_same(&entry.dn, dn)).ok_or(Code::NO_SUCH_OBJECT)?;
        for control in controls.iter().filter(|control| control.oid == ASSERTION) {
            let filter = control.asserted().map_err(|_| UNWILLING)?;
            if !holds(&filter, &self.entries[place]) {
                return Err(Code::ASSERTION_FAILED);
            }
        }
        Ok(place)
    }
}

/// What was asked for of an entry, under the names by which it was asked.
fn selected(entry: &Entry, request: &SearchRequest) -> Entry {
    let asked = request.attributes.iter().filter(|name| !entry.values(name).is_empty());
    let attributes = asked.map(|name| Attribute { name: name.clone(), values: entry.values(name).to_vec() });
    Entry { dn: entry.dn.clone(), attributes: attributes.collect() }
}

fn modified(entry: &mut Entry, modification: Modification) -> Result<(), Code> {
    let Attribute { name, values } = modification.attribute;
    let mut own = entry.values(&name).to_vec();
    let has = |own: &[Vec<u8>], value: &[u8]| own.iter().any(|one| folded(one) == folded(value));
    match modification.kind {
        ModificationKind::Add if values.iter().any(|value| has(&own, value)) => return Err(VALUE_EXISTS),
        ModificationKind::Add => own.extend(values),
        ModificationKind::Delete if own.is_empty() || !values.iter().all(|value| has(&own, value)) => {
            return Err(NO_SUCH_ATTRIBUTE);
        }
        ModificationKind::Delete if values.is_empty() => own.clear(),
        ModificationKind::Delete => own.retain(|one| !has(&values, one)),
        ModificationKind::Replace if has_double(&values) => return Err(VALUE_EXISTS),
        ModificationKind::Replace => own = values,
        ModificationKind::Increment => {
            let number = |bytes: &Vec<u8>| std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<i64>().ok());
            let by = values.first().and_then(number).ok_or(CONSTRAINT_VIOLATION)?;
            let sums =
                own.iter().map(|one| Some(number(one)?.checked_add(by)?.to_string().into_bytes())).collect::<Option<Vec<_>>>();
            own = sums.filter(|sums| !sums.is_empty()).ok_or(CONSTRAINT_VIOLATION)?;
        }
    }
    entry.attributes.retain(|attribute| !attribute.name.eq_ignore_ascii_case(&name));
    if !own.is_empty() {
        entry.attributes.push(Attribute { name, values: own });
    }
    Ok(())
}

fn has_double(values: &[Vec<u8>]) -> bool {
    values.iter().enumerate().any(|(at, value)| values[..at].iter().any(|other| folded(other) == folded(value)))
}
