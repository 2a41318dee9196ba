//! Notes, keys and cosignatures.

use std::sync::Arc;

use rabita_ledger::log::note::{self, Note, SignatureKind};
use rabita_ledger::log::{Checkpoint, LogError, NoteError, VerifierKey};

use crate::foreign::checked_note;
use crate::sample::{ORIGIN, Scratch, fill, key};

/// From the specifications of signed notes and checkpoints.
const POEM: &str = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n\
    — quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n";
const COSIGNED: &str = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
    — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
    — witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";

#[test]
fn reads_the_notes_of_the_specifications_and_prints_them_as_they_were() {
    let poem = Note::parse(POEM).expect("is a note");
    assert!(poem.text.ends_with("\n\ned è subito sera.\n"));
    assert_eq!((poem.signatures.len(), poem.signatures[0].id), (1, 0x367b_a04b));
    assert_eq!(poem.to_string(), POEM);
    let cosigned = Note::parse(COSIGNED).expect("is a note");
    assert_eq!(cosigned.signatures.len(), 2);
    assert_eq!(cosigned.to_string(), COSIGNED);
}

#[test]
fn refuses_what_is_no_note() {
    let long = format!("{}\n\n— a AAAAAAA=\n", "x".repeat(70_000));
    let crowded = format!("text\n\n{}", "— a AAAAAAA=\n".repeat(65));
    let others = [
        "",
        "text\n",
        "text\n\n",
        "text\n\n— a AAAAAAA=",
        "text\n\n- a AAAAAAA=\n",
        "text\n\n— a b AAAAAAA=\n",
        "text\n\n—  AAAAAAA=\n",
        "text\n\n— a+b AAAAAAA=\n",
        "text\n\n— a AAAAAA==\n",
        "text\n\n— a AAAAAAA\n",
        "text\n\n— a AAAAAAB=\n",
        "text\n\n— a AAAAAAA=\nmore\n",
        "te\rxt\n\n— a AAAAAAA=\n",
        &long,
        &crowded,
    ];
    for note in others {
        assert!(matches!(Note::parse(note), Err(NoteError::Malformed(_))), "{note:?}");
    }
}

#[test]
fn reads_a_verifier_key_and_refuses_what_differs() {
    let key = key("log");
    for kind in [SignatureKind::Ed25519, SignatureKind::Cosignature] {
        let verifier = VerifierKey::new(ORIGIN, kind, key.verifying()).expect("a verifier");
        let text = verifier.to_string();
        assert_eq!(text.parse::<VerifierKey>().expect("is a key"), verifier);
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] ^= 1;
            let changed = String::from_utf8(changed).expect("is ASCII still");
            assert!(changed.parse::<VerifierKey>().is_err(), "{changed}");
        }
    }
    for name in ["", "with space", "with+plus", "with\nend"] {
        assert!(VerifierKey::new(name, SignatureKind::Ed25519, key.verifying()).is_err(), "{name:?}");
    }
}

#[tokio::test]
async fn gives_checkpoints_that_another_implementation_accepts() {
    let scratch = Scratch::in_memory();
    let log = Arc::new(scratch.open());
    fill(&log, 0, 10).await;
    let checkpoint = log.checkpoint();
    let read = checked_note(&checkpoint.note, &log.verifier().to_string());
    assert_eq!((read.origin(), read.size(), read.hash().0), (ORIGIN, 10, checkpoint.root));
}

#[tokio::test]
async fn keeps_the_largest_checkpoint_that_each_witness_cosigned() {
    let scratch = Scratch::in_memory();
    let log = Arc::new(scratch.open());
    fill(&log, 0, 5).await;
    let small = log.checkpoint();
    fill(&log, 5, 9).await;
    let large = log.checkpoint();
    let witnesses = ["w.example/a", "w.example/b"].map(|name| (name, key(name)));
    let verifier = |at: usize| {
        let (name, key) = &witnesses[at];
        VerifierKey::new(name, SignatureKind::Cosignature, key.verifying()).expect("a verifier")
    };
    let cosigned = |at: usize, checkpoint: &Checkpoint| {
        let (name, key) = &witnesses[at];
        format!("{}{}", checkpoint.note, note::cosign(&checkpoint.text(), name, key, 1_679_315_147).expect("is signed"))
    };
    log.add_cosignature(&verifier(0), &cosigned(0, &small)).expect("is kept");
    log.add_cosignature(&verifier(1), &cosigned(1, &large)).expect("is kept");
    log.add_cosignature(&verifier(0), &cosigned(0, &large)).expect("is kept");
    log.add_cosignature(&verifier(0), &cosigned(0, &small)).expect("is older, and left out");
    let kept = |log: &rabita_ledger::log::Log| -> Vec<(String, u64, u64)> {
        log.cosigned().iter().map(|c| (c.witness.name().to_owned(), c.checkpoint.size, c.at)).collect()
    };
    let expected = [("w.example/a".to_owned(), 9, 1_679_315_147), ("w.example/b".to_owned(), 9, 1_679_315_147)];
    assert_eq!(kept(&log), expected);
    let note = Note::parse(&log.cosigned()[0].checkpoint.note).expect("is a note");
    assert_eq!(note.verify(&verifier(0)).expect("is cosigned"), Some(1_679_315_147));
    log.close().await;
    drop(log);
    assert_eq!(kept(&scratch.open()), expected);
}

#[tokio::test]
async fn keeps_no_cosignature_of_what_the_log_never_was() {
    let scratch = Scratch::in_memory();
    let log = Arc::new(scratch.open());
    fill(&log, 0, 5).await;
    let (name, key) = ("w.example/a", key("w.example/a"));
    let witness = VerifierKey::new(name, SignatureKind::Cosignature, key.verifying()).expect("a verifier");
    let checkpoint = log.checkpoint();
    let signed = |text: &str| format!("{text}\n{}", note::cosign(text, name, &key, 7).expect("is signed"));
    let text = checkpoint.text();
    log.add_cosignature(&witness, &signed(&text)).expect("the log knows its own checkpoint without its line");
    let others = [
        signed(&text.replace("\n5\n", "\n6\n")),
        signed(&text.replace("\n5\n", "\n4\n")),
        signed(&text.replace(ORIGIN, "bus.example/ledger/two")),
        signed(&format!("{text}more\n")),
        signed("anything\n"),
        signed(&text).replace("\n5\n", "\n3\n"),
        checkpoint.note.clone(),
    ];
    for other in others {
        assert!(matches!(log.add_cosignature(&witness, &other), Err(LogError::Note(_))), "{other}");
    }
    let plain = VerifierKey::new(name, SignatureKind::Ed25519, key.verifying()).expect("a verifier");
    let line = note::sign(&text, name, &key).expect("is signed");
    assert!(log.add_cosignature(&plain, &format!("{text}\n{line}")).is_err(), "a signature is no cosignature");
    assert_eq!(log.cosigned().len(), 1);
}
