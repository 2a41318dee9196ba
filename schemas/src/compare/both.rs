//! What readers and what writers see of two versions, made into one list.

use super::{Change, ChangeKind, Found};

/// The differences as readers see them, from the old version to the new, with those that writers see, who were compared
/// the other way round.
pub(super) fn merged(readers: Vec<Found>, writers: Vec<Found>) -> Vec<Change> {
    let mut changes: Vec<Change> = readers
        .into_iter()
        .map(|Found { pointer, kind, breaking, message }| Change {
            pointer,
            kind,
            breaks_readers: breaking,
            breaks_writers: false,
            message,
        })
        .collect();
    for Found { pointer, kind, breaking, .. } in writers {
        let mut same = changes.iter_mut().filter(|change| change.pointer == pointer && is_seen_as(change.kind, kind)).peekable();
        if same.peek().is_some() {
            same.for_each(|change| change.breaks_writers |= breaking);
        } else if breaking {
            let message = told(kind);
            changes.push(Change { pointer, kind: turned(kind), breaks_readers: false, breaks_writers: true, message });
        }
    }
    changes
}

/// Whether a difference is seen as this one from the other side.
fn is_seen_as(forth: ChangeKind, back: ChangeKind) -> bool {
    let is_rule = |kind| matches!(kind, ChangeKind::RuleChanged | ChangeKind::RuleAdded);
    forth == turned(back) || (is_rule(forth) && is_rule(back))
}

/// The difference seen from the other side.
const fn turned(kind: ChangeKind) -> ChangeKind {
    match kind {
        ChangeKind::PropertyRemoved => ChangeKind::PropertyAdded,
        ChangeKind::PropertyAdded => ChangeKind::PropertyRemoved,
        ChangeKind::RequirementDropped => ChangeKind::RequirementAdded,
        ChangeKind::RequirementAdded => ChangeKind::RequirementDropped,
        ChangeKind::TypeWidened => ChangeKind::TypeNarrowed,
        ChangeKind::TypeNarrowed => ChangeKind::TypeWidened,
        ChangeKind::ValueAdded => ChangeKind::ValueRemoved,
        ChangeKind::ValueRemoved => ChangeKind::ValueAdded,
        ChangeKind::LimitLoosened => ChangeKind::LimitTightened,
        ChangeKind::LimitTightened => ChangeKind::LimitLoosened,
        ChangeKind::RuleChanged | ChangeKind::RuleAdded => ChangeKind::RuleChanged,
    }
}

/// What only writers notice, for a person; the pointer may lead into the old version.
fn told(kind: ChangeKind) -> String {
    let word = match kind {
        ChangeKind::PropertyAdded => "a member is taken no longer",
        ChangeKind::PropertyRemoved => "a new member binds what could be sent under its name",
        ChangeKind::RequirementDropped => "a member must be sent now",
        ChangeKind::TypeWidened => "a type is taken no longer",
        ChangeKind::ValueAdded => "a value is taken no longer",
        ChangeKind::LimitLoosened => "a bound lets less through than before",
        ChangeKind::RequirementAdded
        | ChangeKind::TypeNarrowed
        | ChangeKind::ValueRemoved
        | ChangeKind::LimitTightened
        | ChangeKind::RuleChanged
        | ChangeKind::RuleAdded => "what could be sent here may be refused now",
    };
    word.to_owned()
}
