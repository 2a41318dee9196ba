//! What idempotency keys were used for, in whatever order and however incompletely the topics tell it.

use jiff::{SignedDuration, Timestamp};
use rabita_model::{Conclusion, Progress, Update};

use super::*;
use crate::Claim;
use crate::battery::sample::{applied, update};
use crate::journal::Retention;
use crate::store::purge::purge;
use crate::store::schema::{self, Durability};

struct View {
    connection: Connection,
    _directory: tempfile::TempDir,
}

impl View {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let connection = schema::open(&directory.path().join("view.db"), Durability::View).expect("opens");
        open(&connection).expect("has its tables");
        Self { connection, _directory: directory }
    }

    fn read(&self, message: Message) {
        let read = Read { topic: "t".to_owned(), partition: 0, offset: 0, message };
        apply(&self.connection, &[read]).expect("is taken in");
    }

    fn claim(&self, update: &Update) -> Option<Claim> {
        claims::claim(&self.connection, &update.system, &update.idempotency_key).expect("is read")
    }
}

fn claim_of(update: &Update) -> Claim {
    Claim { id: update.id, digest: update.digest.clone() }
}

fn claimed(update: &Update) -> Message {
    let Update { system, idempotency_key, id, digest, .. } = update.clone();
    Message::Claimed(Claimed { system, idempotency_key, id, digest })
}

fn accepted(update: &Update) -> Message {
    Message::Accepted(Box::new(update.clone()))
}

fn concluded(update: &Update, at: Timestamp) -> Message {
    let update = Update { payload: None, ..update.clone() };
    let conclusion = Conclusion { at, ..applied() };
    Message::Outcome(Outcome::Concluded(Box::new(Concluded { update, generation: 0, progress: Progress::default(), conclusion })))
}

#[test]
fn a_key_is_known_when_its_claim_is_gone_from_the_topics() {
    let view = View::new();
    let ended = update(1);
    view.read(concluded(&ended, Timestamp::now()));
    assert_eq!(view.claim(&ended), Some(claim_of(&ended)));
}

#[test]
fn a_key_that_was_used_anew_stays_with_its_second_use_when_the_first_is_forgotten() {
    let long_ago = Timestamp::now() - SignedDuration::from_hours(24 * 30);
    let first = Update { accepted_at: long_ago, ..update(1) };
    let second = Update { idempotency_key: first.idempotency_key.clone(), ..update(1) };
    let told = |number| match number {
        0 => claimed(&first),
        1 => concluded(&first, long_ago),
        2 => claimed(&second),
        _ => accepted(&second),
    };
    // All orders that keep that of the two claims, which share a partition.
    for order in [
        [0, 1, 2, 3],
        [0, 1, 3, 2],
        [0, 2, 1, 3],
        [0, 2, 3, 1],
        [0, 3, 1, 2],
        [0, 3, 2, 1],
        [1, 0, 2, 3],
        [1, 0, 3, 2],
        [1, 3, 0, 2],
        [3, 0, 1, 2],
        [3, 0, 2, 1],
        [3, 1, 0, 2],
    ] {
        let view = View::new();
        for number in order {
            view.read(told(number));
        }
        assert_eq!(view.claim(&first), Some(claim_of(&second)), "{order:?}");
        purge(&view.connection, Timestamp::now(), &Retention::default()).expect("forgets");
        assert_eq!(updates::entry(&view.connection, first.id), Ok(None), "the first is forgotten");
        assert_eq!(view.claim(&first), Some(claim_of(&second)), "{order:?}");
    }
}
