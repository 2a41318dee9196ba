//! Each target on what is worth keeping, and on that with a little changed about it.

use std::path::{Path, PathBuf};

use rabita_fuzz::TARGETS;

fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let entries = std::fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let files = entries.map(|entry| entry.expect("an entry").path());
    files.map(|file| (file.clone(), std::fs::read(&file).expect("a file that can be read"))).collect()
}

#[test]
fn every_target_takes_what_was_kept_and_what_is_almost_that() {
    for target in TARGETS {
        let files = corpus(target.name);
        assert!(!files.is_empty(), "`{}` has no corpus", target.name);
        for (_, bytes) in files {
            (target.run)(&bytes);
            (target.run)(&[]);
            // At some places only: the replies go over a socket.
            for at in (0..bytes.len()).step_by(bytes.len() / 16 + 1) {
                let mut changed = bytes.clone();
                changed[at] ^= 0x20;
                (target.run)(&changed);
                (target.run)(&bytes[..at]);
            }
        }
    }
}

#[test]
fn there_is_no_corpus_without_its_target() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for entry in std::fs::read_dir(directory).expect("the corpora") {
        let name = entry.expect("an entry").file_name().into_string().expect("a name of ASCII");
        assert!(rabita_fuzz::target(&name).is_some(), "there is no target `{name}`");
    }
}
