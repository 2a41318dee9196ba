//! Time stamps of an authority that the `openssl` program plays: taken where everything holds, refused where one thing does
//! not.

use std::path::Path;
use std::process::Command;

use rabita_ledger::stamp::{Authorities, Request, Stamp, StampError};
use tempfile::TempDir;

const NOTE: &[u8] = b"rabita\n7\nthe root\n";

/// Runs `openssl` in a directory.
fn openssl(directory: &Path, arguments: &str) -> String {
    let run = Command::new("openssl").args(arguments.split_whitespace()).current_dir(directory).output();
    let run = run.expect("openssl is on this machine: `deploy/desk setup --servers` installs it");
    assert!(run.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8_lossy(&run.stdout).into_owned()
}

/// An authority with a certificate for time stamps.
fn authority() -> TempDir {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path();
    let settings = "[tsa]\ndir = .\nserial = serial\nsigner_digest = sha256\ndefault_policy = 1.2.3.4.1\ndigests = sha256\n\
        ess_cert_id_alg = sha256\naccuracy = secs:1\nordering = yes\n";
    std::fs::write(path.join("tsa.cnf"), settings).expect("a file");
    std::fs::write(path.join("usage"), "extendedKeyUsage = critical,timeStamping\nbasicConstraints = CA:FALSE\n")
        .expect("a file");
    std::fs::write(path.join("serial"), "01\n").expect("a file");
    openssl(
        path,
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 30 -subj /CN=authority -addext keyUsage=critical,keyCertSign",
    );
    openssl(path, "req -new -newkey rsa:2048 -nodes -keyout tsa.key -out tsa.csr -subj /CN=stamps");
    openssl(path, "x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile usage -out tsa.pem");
    directory
}

fn answer(authority: &TempDir, request: &Request) -> Vec<u8> {
    let path = authority.path();
    std::fs::write(path.join("request.tsq"), &request.der).expect("a file");
    openssl(path, "ts -reply -config tsa.cnf -section tsa -queryfile request.tsq -signer tsa.pem -inkey tsa.key -out answer.tsr");
    std::fs::read(path.join("answer.tsr")).expect("the answer")
}

fn believed(authority: &TempDir) -> Authorities {
    Authorities::from_pem(&std::fs::read(authority.path().join("ca.pem")).expect("a file")).expect("authorities")
}

#[test]
fn a_stamp_of_a_checkpoint_holds_for_us_and_for_openssl() {
    let authority = authority();
    let request = Request::of(NOTE).expect("a request");
    let stamp = Stamp::parse(&answer(&authority, &request)).expect("a stamp");
    stamp.answers(&request).expect("its nonce");
    stamp.is_of(NOTE).expect("its imprint");
    stamp.verify(&believed(&authority)).expect("its signature and chain");
    std::fs::write(authority.path().join("note"), NOTE).expect("a file");
    let said = openssl(authority.path(), "ts -verify -data note -in answer.tsr -CAfile ca.pem");
    assert!(said.contains("OK") || said.is_empty(), "{said}");
}

#[test]
fn what_is_of_another_note_request_or_authority_is_refused() {
    let (authority, other) = (authority(), authority());
    let request = Request::of(NOTE).expect("a request");
    let stamp = Stamp::parse(&answer(&authority, &request)).expect("a stamp");
    assert!(matches!(stamp.is_of(b"rabita\n8\nanother root\n"), Err(StampError::Imprint)));
    assert!(matches!(stamp.answers(&Request::of(NOTE).expect("a request")), Err(StampError::Nonce)));
    assert!(matches!(stamp.verify(&believed(&other)), Err(StampError::Chain(_))));
}

#[test]
fn no_byte_of_a_stamp_can_be_changed_unnoticed() {
    let authority = authority();
    let request = Request::of(NOTE).expect("a request");
    let (answer, authorities) = (answer(&authority, &request), believed(&authority));
    let holds = |bytes: &[u8]| {
        let stamp = Stamp::parse(bytes).ok()?;
        (stamp.answers(&request).is_ok() && stamp.is_of(NOTE).is_ok() && stamp.verify(&authorities).is_ok()).then_some(stamp.at())
    };
    let at = holds(&answer).expect("it holds as it is");
    for place in (0..answer.len()).step_by(3) {
        let mut changed = answer.clone();
        changed[place] ^= 1;
        // A byte that nobody signed, such as one of the outer status, may be another; the time and what it is of may not.
        assert!(holds(&changed).is_none_or(|told| told == at), "byte {place}");
    }
}
