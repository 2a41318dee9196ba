//! Changing: a record is found by its key, and changed by its name in one step that also checks what was expected of it.

use rabita_sdk::{Applied, Change, ChangeKind, Failure, Legacy, Row, Source, Wanted};

use crate::dn;
use crate::failure::{Moment, refused};
use crate::plan::CreatePlan;
use crate::protocol::{Attribute, Code, Control, Entry, Filter, Modification, ModificationKind, Op};
use crate::read::{Key, Session};
use crate::values::{DN, bytes, written};

impl Session<'_> {
    /// One change.
    pub(crate) async fn apply(&mut self, change: &Change) -> Result<Applied, Failure> {
        if change.expected_version.is_some() && !(self.limits.assertions && self.plan.spec.version.is_some()) {
            return Err(Failure::unsupported("changes of this entity do not depend on a version"));
        }
        match change.kind {
            ChangeKind::Create => self.create(change).await,
            ChangeKind::Delete => self.alter(change, None).await,
            ChangeKind::Replace | ChangeKind::Update => {
                let modifications = self.modifications(change)?;
                self.alter(change, Some(modifications)).await
            }
        }
    }

    /// Modifies an entry, or ends it where nothing is to become of it.
    async fn alter(&mut self, change: &Change, modifications: Option<Vec<Modification>>) -> Result<Applied, Failure> {
        let Some(key) = self.key(&change.key)? else { return Ok(Applied::Absent) };
        let version = self.plan.spec.version.as_ref().filter(|_| change.expected_version.is_some());
        let wanted = Wanted { sources: std::iter::once(Source::new(DN)).chain(version.cloned()).collect(), groups: Vec::new() };
        let Some(row) = self.fetch(std::slice::from_ref(&key), &wanted, &[]).await?.remove(&key) else {
            return Ok(Applied::Absent);
        };
        let dn = row.find(&Source::new(DN)).and_then(Legacy::to_text).unwrap_or_default().into_owned();
        let op = match modifications {
            // Nothing to write is no reason to say that a record is at its version when it is not.
            Some(none) if none.is_empty() => {
                let is_expected = version
                    .is_none_or(|version| row.find(version).and_then(bytes) == change.expected_version.as_ref().and_then(bytes));
                return Ok(if is_expected { Applied::Done } else { Applied::Conflict });
            }
            Some(modifications) => Op::ModifyRequest { dn, modifications },
            None => Op::DeleteRequest(dn),
        };
        let code = self.link.change(op, self.assertion(&key, change)).await?;
        match code {
            Code::SUCCESS => Ok(Applied::Done),
            Code::NO_SUCH_OBJECT => Ok(Applied::Absent),
            Code::ASSERTION_FAILED if change.expected_version.is_some() => Ok(Applied::Conflict),
            // Meanwhile it is another record, or none of the entity.
            Code::ASSERTION_FAILED => Ok(Applied::Absent),
            code => Err(refused(code, Moment::Changing)),
        }
    }

    /// What must hold of the entry when it is changed: it is still the record, at the version that was expected.
    fn assertion(&self, key: &Key, change: &Change) -> Vec<Control> {
        if !self.limits.assertions {
            return Vec::new();
        }
        let mut all = vec![self.plan.member.clone(), self.is_key(key)];
        if let (Some(expected), Some(version)) = (&change.expected_version, &self.plan.spec.version) {
            let name = version.as_str().to_owned();
            all.push(match bytes(expected) {
                Some(value) => Filter::Equal(name, value),
                None => Filter::Not(Box::new(Filter::Present(name))),
            });
        }
        vec![Control::assertion(&Filter::And(all))]
    }

    fn modifications(&self, change: &Change) -> Result<Vec<Modification>, Failure> {
        let mut modifications = Vec::with_capacity(change.values.len() + 1);
        for (name, value) in change.values.iter() {
            modifications.push(replace(self.writable(name)?, value)?);
        }
        let spec = &self.plan.spec;
        let is_given = |source: &Source| change.values.get(source.as_str()).is_some();
        if change.kind == ChangeKind::Replace {
            // A replaced record keeps none of its old values.
            let replaced = spec.written.iter().filter(|(operation, ..)| *operation == ChangeKind::Replace.operation());
            for (_, source, _) in replaced.filter(|(_, source, _)| !is_given(source)) {
                let stays = spec.key.contains(source) || spec.version.as_ref() == Some(source);
                let is_told = modifications.iter().any(|one| one.attribute.name == source.as_str());
                if !stays && !is_told {
                    modifications.push(replace(source, &Legacy::Null)?);
                }
            }
        }
        if let Some(version) = self.plan.bumps().filter(|version| !is_given(version)) {
            let attribute = Attribute { name: version.as_str().to_owned(), values: vec![b"1".to_vec()] };
            modifications.push(Modification { kind: ModificationKind::Increment, attribute });
        }
        Ok(modifications)
    }

    fn writable(&self, name: &str) -> Result<&Source, Failure> {
        let announced = self.plan.spec.written.iter().map(|(_, source, _)| source).find(|source| source.as_str() == name);
        announced.ok_or_else(|| Failure::unsupported(format!("the source {name} was not announced as written")))
    }

    async fn create(&mut self, change: &Change) -> Result<Applied, Failure> {
        let Some(create) = &self.plan.create else {
            return Err(Failure::unsupported("`from` does not say what new entries are like"));
        };
        let Some(key) = self.key(&change.key)? else { return Err(Failure::refused("the key has a value that is none")) };
        let entry = self.new_entry(create, change)?;
        match self.link.change(Op::AddRequest(entry), Vec::new()).await? {
            Code::SUCCESS => Ok(Applied::Done),
            Code::ENTRY_ALREADY_EXISTS => {
                let found = self.fetch(std::slice::from_ref(&key), &Wanted::default(), &[]).await?;
                match found.is_empty() {
                    false => Ok(Applied::Conflict),
                    true => {
                        Err(Failure::refused("an entry is there that the directory takes for the same, and its key is another"))
                    }
                }
            }
            code => Err(refused(code, Moment::Changing)),
        }
    }

    fn new_entry(&self, create: &CreatePlan, change: &Change) -> Result<Entry, Failure> {
        let text = |name: &str| value_of(&change.values, name);
        let missing = || Failure::refused("a value is missing that the new entry's name or attributes are made of");
        let rdn = create.rdn.fill_name(text).ok_or_else(missing)?;
        let classes = create.classes.iter().map(|class| class.clone().into_bytes()).collect();
        let mut attributes = vec![Attribute { name: "objectClass".to_owned(), values: classes }];
        for (name, value) in change.values.iter() {
            let values = written(self.writable(name)?, value)?;
            if !values.is_empty() {
                attributes.push(Attribute { name: name.to_owned(), values });
            }
        }
        let is_given = |attributes: &[Attribute], name: &str| attributes.iter().any(|own| own.name.eq_ignore_ascii_case(name));
        for (name, template) in &create.set {
            if !is_given(&attributes, name) {
                let value = template.fill(text).ok_or_else(missing)?;
                attributes.push(Attribute { name: name.clone(), values: vec![value.into_bytes()] });
            }
        }
        if let Some(version) = self.plan.bumps().filter(|version| !is_given(&attributes, version.as_str())) {
            attributes.push(Attribute { name: version.as_str().to_owned(), values: vec![b"1".to_vec()] });
        }
        // An entry has the values that name it (RFC 4512, section 2.3).
        for (name, value) in dn::naming(&rdn).unwrap_or_default() {
            if !is_given(&attributes, &name) {
                attributes.push(Attribute { name, values: vec![value] });
            }
        }
        Ok(Entry { dn: format!("{rdn},{}", self.plan.origin.base), attributes })
    }
}

fn replace(source: &Source, value: &Legacy) -> Result<Modification, Failure> {
    let attribute = Attribute { name: source.as_str().to_owned(), values: written(source, value)? };
    Ok(Modification { kind: ModificationKind::Replace, attribute })
}

fn value_of(values: &Row, name: &str) -> Option<String> {
    values.get(name).and_then(Legacy::to_text).map(std::borrow::Cow::into_owned)
}
