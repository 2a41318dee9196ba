//! The actions of an entity, as they were and as they are.

use rabita_model::FieldName;
use rabita_sdk::finding::token;

use super::entity::{MISSING, REFUSED, demanded, said, why_for_readers};
use super::offered::{Offered, OfferedRegistry, OfferedSchema};
use super::schemas::{changes, field_of, place, renamed};
use super::{Break, Gate, Whom};

impl Gate<'_> {
    pub(super) fn actions(&mut self, old: &Offered, new: &Offered, now: &OfferedRegistry) {
        for (at, (name, _)) in old.entity.actions.iter().enumerate() {
            let Some(place) = new.entity.actions.get_index_of(name) else {
                let broken = Break::new(Whom::Writers, format!("the action `{name}` is withdrawn"), "their calls are refused");
                let part = if new.entity.actions.is_empty() { "operations" } else { "actions" };
                self.refuse_at(new, now, part, true, &broken);
                continue;
            };
            let ((request, reply), (present, answer)) = (&old.actions[at], &new.actions[place]);
            self.request(name.as_str(), request, present, new, now);
            match (reply, answer) {
                (Some(reply), Some(answer)) => self.reply(name.as_str(), reply, answer, new, now),
                (Some(_), None) => {
                    let broken = Break::new(Whom::Readers, format!("the action `{name}` answers nothing any more"), MISSING);
                    self.refuse_at(new, now, &format!("actions/{}", token(name.as_str())), true, &broken);
                }
                (None, _) => {}
            }
        }
    }

    fn request(&mut self, action: &str, old: &OfferedSchema, new: &OfferedSchema, of: &Offered, now: &OfferedRegistry) {
        for change in between(old, new).iter().filter(|change| change.breaks_writers) {
            let what = demanded(&field_of(&change.pointer), change);
            let what = format!("{what}, in the request of the action `{action}`{}", renamed(old, new));
            self.refuse(&place(change, old, new, &now.document), of, &Break::new(Whom::Writers, what, REFUSED));
        }
    }

    fn reply(&mut self, action: &str, old: &OfferedSchema, new: &OfferedSchema, of: &Offered, now: &OfferedRegistry) {
        for change in between(old, new).iter().filter(|change| change.breaks_readers) {
            let what = said(&field_of(&change.pointer), change);
            let what = format!("{what}, in the reply of the action `{action}`{}", renamed(old, new));
            self.refuse(
                &place(change, old, new, &now.document),
                of,
                &Break::new(Whom::Readers, what, why_for_readers(change.kind)),
            );
        }
    }
}

/// The differences of two schemas as a whole.
fn between(old: &OfferedSchema, new: &OfferedSchema) -> Vec<rabita_schemas::Change> {
    let all = |schema: &OfferedSchema| -> Vec<FieldName> { schema.schema.leaves() };
    changes(old, &all(old), new, &all(new))
}
