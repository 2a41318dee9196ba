//! What comes from other logs, and from a ledger's directory that anybody may have had in their hands.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use rabita_ledger::archive as archives;
use rabita_ledger::entry::Entry;
use rabita_ledger::evidence::{self, Bundle};
use rabita_ledger::log::checkpoint::Checkpoint;
use rabita_ledger::log::note::{Note, SignatureKind, VerifierKey};
use rabita_ledger::log::tile::{Tile, fulls, partials};
use rabita_ledger::log::verify::{self, Finding};
use rabita_ledger::log::{Log, LogOptions};
use rabita_ledger::stamp::Stamp;

static KEY: LazyLock<VerifierKey> = LazyLock::new(|| {
    let (key, _) = rabita_keys::SigningKey::generate("log.example", rabita_keys::Algorithm::Ed25519).expect("randomness");
    VerifierKey::new("log.example", SignatureKind::Ed25519, key.verifying()).expect("a name and a key")
});

/// Reads a signed note, a verifier's key and a tile's path.
pub fn note(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(note) = Note::parse(text) {
        assert_eq!(Note::parse(&note.to_string()).as_ref(), Ok(&note), "a note that was printed is the note again");
        assert!(note.verify(&KEY).is_err(), "a note that the log did not sign was taken");
    }
    assert!(Checkpoint::verify(text, &KEY).is_err(), "a checkpoint that the log did not sign was taken");
    if let Ok(key) = text.trim().parse::<VerifierKey>() {
        assert_eq!(key.to_string(), text.trim(), "a key has one form");
    }
    if let Some(tile) = Tile::parse(text) {
        assert_eq!(tile.path(), text, "a tile has one path");
    }
}

/// A log of 259 entries: its checkpoint, and all its tiles and bundles by their paths.
static WHOLE: LazyLock<(Checkpoint, BTreeMap<String, Vec<u8>>)> = LazyLock::new(|| {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let (key, _) = rabita_keys::SigningKey::generate("log.example", rabita_keys::Algorithm::Ed25519).expect("randomness");
    let options = LogOptions { directory: scratch.path().join("log"), origin: "log.example".to_owned(), key: Arc::new(key) };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let log = Arc::new(Log::open(options).expect("a log can be made"));
    let checkpoint = runtime.block_on(async {
        // All at once, so that the disk is waited for once; one thread runs them in their order.
        let appending: Vec<_> = (0..259)
            .map(|number| {
                let log = Arc::clone(&log);
                tokio::spawn(async move { log.append(format!("entry {number}").into_bytes()).await })
            })
            .collect();
        for (number, appended) in (0..).zip(appending) {
            assert_eq!(appended.await.expect("no panic").expect("the disk takes it").index, number);
        }
        log.close().await;
        Checkpoint::clone(&log.checkpoint())
    });
    let tiles = fulls(0, checkpoint.size).chain(partials(checkpoint.size)).map(|tile| {
        let bytes = std::fs::read(scratch.path().join("log").join(tile.path())).expect("a tile of a closed log");
        (tile.path(), bytes)
    });
    (checkpoint.clone(), tiles.collect())
});

/// Verifies a log from a server that gives other bytes for one of its tiles or bundles, which the first byte chooses.
pub fn tiles(data: &[u8]) {
    let Some((chosen, bytes)) = data.split_first() else { return };
    let (checkpoint, all) = &*WHOLE;
    let (path, own) = all.iter().nth(usize::from(*chosen) % all.len()).expect("it is below their number");
    let fetch = |tile: &Tile| if tile.path() == *path { Some(bytes.to_vec()) } else { all.get(&tile.path()).cloned() };
    let is_taken = verify::tiles(checkpoint, None, |tile| fetch(tile).ok_or(Finding::Missing)).is_ok();
    assert_eq!(is_taken, bytes == own, "what a server gives is taken where it is what was written, and only there: {path}");
}

/// Reads an entry.
pub fn entry(data: &[u8]) {
    if let Ok(entry) = Entry::parse(data) {
        let printed = entry.to_bytes();
        let again = Entry::parse(&printed).expect("what was printed can be read");
        assert_eq!(again, entry);
    }
}

/// Verifies the evidence of an exchange.
pub fn bundle(data: &[u8]) {
    let Ok(bundle) = serde_json::from_slice::<Bundle>(data) else { return };
    let _ = evidence::verify(&bundle, None);
    let checks = evidence::verify(&bundle, Some(&KEY));
    let holds = |check: &evidence::Check| matches!(check.verdict, evidence::Verdict::Holds);
    assert!(!checks.iter().all(holds), "evidence that the log did not sign holds");
}

/// Verifies an archive.
pub fn archive(data: &[u8]) {
    let _ = archives::verify(data, None);
    let _ = archives::verify(data, Some(&KEY));
}

/// Reads what an authority of time stamps answered.
pub fn stamp(data: &[u8]) {
    if let Ok(stamp) = Stamp::parse(data) {
        assert!(stamp.is_of(b"what nobody had stamped").is_err(), "a time stamp of other bytes was taken");
    }
}
