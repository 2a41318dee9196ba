//! The vault over a real directory.

use std::os::unix::fs::PermissionsExt as _;

use rabita_model::Subject;
use tempfile::TempDir;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn november() -> Timestamp {
    at("2026-11-24T10:00:00Z")
}

fn interior() -> Keeper {
    Keeper::parse("interior").expect("a keeper")
}

fn open(directory: &TempDir) -> Vault {
    Vault::open(directory.path().join("keys"), Period::Month).expect("a vault")
}

fn pseudonym(keys: &Keys) -> crate::entry::Pseudonym {
    keys.person(&Subject::new("5ZJBKH7"))
}

fn tombstone() -> Tombstone {
    Tombstone { at: november(), why: "a court".to_owned() }
}

#[test]
fn a_key_is_on_the_disk_for_its_owner_alone_and_the_same_after_a_restart() {
    let directory = TempDir::new().expect("a directory");
    let (name, keys) = open(&directory).for_writing(interior(), november()).expect("a key");
    assert_eq!(name.to_string(), "interior/2026-11");
    let file = directory.path().join("keys/interior/2026-11.key");
    assert_eq!(file.metadata().expect("a file").permissions().mode() & 0o777, 0o600);
    assert_eq!(file.parent().expect("a folder").metadata().expect("a folder").permissions().mode() & 0o777, 0o700);
    assert_eq!(std::fs::read(&file).expect("a file").len(), 64);
    let vault = open(&directory);
    assert_eq!(pseudonym(&vault.for_reading(&name).expect("the key")), pseudonym(&keys));
    assert_eq!(pseudonym(&vault.for_writing(interior(), november()).expect("the key").1), pseudonym(&keys));
}

#[test]
fn each_agency_and_each_period_has_a_key_of_its_own() {
    let directory = TempDir::new().expect("a directory");
    let vault = open(&directory);
    let keys = [
        (interior(), november()),
        (interior(), at("2026-12-01T00:00:00Z")),
        (Keeper::parse("health").expect("a keeper"), november()),
        (Keeper::Bus, november()),
    ];
    let pseudonyms: Vec<_> =
        keys.into_iter().map(|(keeper, at)| pseudonym(&vault.for_writing(keeper, at).expect("a key").1)).collect();
    for (at, one) in pseudonyms.iter().enumerate() {
        assert!(!pseudonyms[at + 1..].contains(one), "two keys make one pseudonym");
    }
    assert_eq!(vault.within(None, Some(at("2026-11-01T00:00:00Z"))), []);
    assert_eq!(vault.within(Some(at("2026-12-01T00:00:00Z")), None).len(), 1);
    assert_eq!(vault.within(None, None).len(), 4);
}

#[test]
fn the_key_at_hand_serves_its_own_period_only() {
    let directory = TempDir::new().expect("a directory");
    let vault = open(&directory);
    assert!(vault.at_hand(&interior(), november()).is_none());
    vault.for_writing(interior(), november()).expect("a key");
    assert!(vault.at_hand(&interior(), at("2026-11-01T00:00:00Z")).is_some());
    assert!(vault.at_hand(&interior(), at("2026-12-01T00:00:00Z")).is_none());
    assert!(vault.at_hand(&interior(), at("2026-10-31T23:59:59Z")).is_none());
}

#[test]
fn a_destroyed_key_is_never_made_again_not_even_after_a_restart() {
    let directory = TempDir::new().expect("a directory");
    let vault = open(&directory);
    let (name, before) = vault.for_writing(interior(), november()).expect("a key");
    assert!(vault.destroy(&name, tombstone()).expect("a disk"));
    assert!(!vault.destroy(&name, tombstone()).expect("a disk"), "it is destroyed once");
    for vault in [vault, open(&directory)] {
        assert!(!directory.path().join("keys/interior/2026-11.key").exists());
        assert!(vault.at_hand(&interior(), november()).is_none());
        assert!(matches!(vault.for_reading(&name), Err(LedgerError::Forgotten(_))));
        let (_, first) = vault.for_writing(interior(), november()).expect("a key that is kept nowhere");
        let (_, second) = vault.for_writing(interior(), november()).expect("a key that is kept nowhere");
        assert!(pseudonym(&first) != pseudonym(&before) && pseudonym(&first) != pseudonym(&second));
        assert!(!directory.path().join("keys/interior/2026-11.key").exists());
        assert_eq!(vault.states(), [KeyState { key: name.clone(), destroyed: Some(tombstone()) }]);
    }
}

#[test]
fn what_was_being_destroyed_or_made_when_the_process_ended_is_ended_at_the_next_start() {
    let directory = TempDir::new().expect("a directory");
    let (name, _) = open(&directory).for_writing(interior(), november()).expect("a key");
    let folder = directory.path().join("keys/interior");
    let text = serde_json::to_vec(&tombstone()).expect("JSON");
    std::fs::write(folder.join("2026-11.destroyed"), text).expect("a file");
    std::fs::write(folder.join("2026-12.new"), "0123").expect("a file");
    let vault = open(&directory);
    assert!(!folder.join("2026-11.key").exists() && !folder.join("2026-12.new").exists());
    assert!(matches!(vault.for_reading(&name), Err(LedgerError::Forgotten(_))));
}

#[test]
fn a_key_that_cannot_be_read_is_not_replaced_by_another() {
    let directory = TempDir::new().expect("a directory");
    open(&directory).for_writing(interior(), november()).expect("a key");
    let file = directory.path().join("keys/interior/2026-11.key");
    for bad in ["", "0123", &"0".repeat(63), &"G".repeat(64)] {
        std::fs::write(&file, bad).expect("a file");
        let refused = open(&directory).for_writing(interior(), november()).map(|(name, _)| name);
        assert!(matches!(refused, Err(LedgerError::Vault(_))), "{bad}");
        assert_eq!(std::fs::read_to_string(&file).expect("a file"), bad);
    }
}

#[test]
fn keys_are_outlived_when_their_agency_no_longer_keeps_them() {
    let directory = TempDir::new().expect("a directory");
    let vault = open(&directory);
    let health = Keeper::parse("health").expect("a keeper");
    for keeper in [interior(), health, Keeper::Bus] {
        vault.for_writing(keeper, november()).expect("a key");
    }
    let rule = BTreeMap::from([(AgencyId::new("interior").expect("an agency"), 2)]);
    assert_eq!(vault.outlived(at("2027-01-31T23:59:59Z"), &rule), []);
    let outlived = vault.outlived(at("2027-02-01T00:00:00Z"), &rule);
    assert_eq!(outlived.iter().map(ToString::to_string).collect::<Vec<_>>(), ["interior/2026-11"]);
}
