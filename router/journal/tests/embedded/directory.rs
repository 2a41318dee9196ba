//! The directory: whose it is, and what is in it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rabita_journal::battery::sample::accepted;
use rabita_journal::{Embedded, Journal, JournalError};

use super::Scratch;

fn mode(path: &Path) -> u32 {
    path.metadata().expect("is there").permissions().mode() & 0o777
}

#[tokio::test]
async fn is_for_one_process_at_a_time() {
    let scratch = Scratch::new();
    let first = scratch.embedded();
    let refused = Embedded::open(scratch.options()).expect_err("the first has it");
    let JournalError::Unavailable(word) = refused else { panic!("{refused}") };
    assert!(word.contains("another process has the journal in"), "{word}");
    first.close().await;
    let second = scratch.embedded();
    drop(second);
    scratch.embedded();
}

#[tokio::test]
async fn is_for_the_nodes_user_alone() {
    let scratch = Scratch::new();
    std::fs::create_dir(scratch.directory()).expect("a directory");
    std::fs::set_permissions(scratch.directory(), PermissionsExt::from_mode(0o755)).expect("its mode");
    let journal = scratch.embedded();
    accepted(&journal, &[1]).await;
    assert_eq!(mode(&scratch.directory()), 0o700);
    for file in ["journal.db", "journal.db-wal", "journal.db-shm", "lock"] {
        assert_eq!(mode(&scratch.directory().join(file)), 0o600, "{file}");
    }
}

#[tokio::test]
async fn refuses_what_is_no_journal() {
    let scratch = Scratch::new();
    std::fs::create_dir(scratch.directory()).expect("a directory");
    std::fs::write(scratch.directory().join("journal.db"), "not a journal at all".repeat(1_000)).expect("a file");
    assert!(matches!(Embedded::open(scratch.options()), Err(JournalError::Corrupt(_))));
}

#[tokio::test]
async fn refuses_a_journal_of_a_later_form() {
    let scratch = Scratch::new();
    scratch.embedded().close().await;
    let store = rusqlite::Connection::open(scratch.directory().join("journal.db")).expect("opens");
    store.pragma_update(None, "user_version", 99).expect("is set");
    drop(store);
    let Err(JournalError::Corrupt(word)) = Embedded::open(scratch.options()) else { panic!("it opened") };
    assert!(word.contains("form 99"), "{word}");
}
