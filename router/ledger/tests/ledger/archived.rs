//! What an agency keeps before keys are destroyed.

use std::fs::File;
use std::io::BufReader;

use jiff::civil::date;
use rabita_ledger::archive;
use rabita_ledger::evidence::{Check, Verdict};
use rabita_ledger::log::VerifierKey;

use crate::kept::{Kept, agency, conclusion, exchange, person, read};

fn verify(lines: &[String], key: &VerifierKey) -> Vec<Check> {
    let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    archive::verify(BufReader::new(text.as_bytes()), Some(key)).expect("text")
}

fn holds(checks: &[Check]) -> bool {
    checks.iter().all(|check| check.verdict == Verdict::Holds)
}

async fn archived(kept: &Kept) -> (Vec<String>, VerifierKey) {
    let ledger = kept.open();
    for number in 0..30_u32 {
        let owner = if number % 3 == 0 { "health" } else { "interior" };
        let when = format!("2026-{:02}-24T12:00:00Z", 9 + number % 3);
        ledger.record(exchange(read(number.into(), owner, "5ZJBKH7", &when))).await.expect("recorded");
    }
    let mut long = read(90, "interior", "0", "2026-09-24T12:00:00Z");
    long.subjects = (0..600).map(|number| person(&format!("P{number:05}"))).collect();
    ledger.record(exchange(long)).await.expect("recorded");
    ledger.record(conclusion(1, "interior", "5ZJBKH7", "2026-10-24T12:00:00Z")).await.expect("recorded");
    let path = kept.path("interior.jsonl");
    let file = File::create(&path).expect("a file");
    let archived = ledger.archive(&agency("interior"), date(2026, 11, 1), file).await.expect("an archive");
    assert_eq!((archived.entries, archived.forgotten), (13, 0));
    let bytes = std::fs::read(&path).expect("an archive");
    let digest: String = rabita_ledger::seal::sha256(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(archived.sha256, digest);
    let key = ledger.log().verifier().clone();
    ledger.close().await;
    (String::from_utf8(bytes).expect("text").lines().map(str::to_owned).collect(), key)
}

#[tokio::test]
async fn an_archive_verifies_and_opens_after_the_keys_are_gone() {
    let kept = Kept::new();
    let (lines, key) = archived(&kept).await;
    let ledger = kept.open();
    assert_eq!(ledger.forget(&agency("interior"), date(2026, 11, 1), "the law", false).await.expect("destroyed").len(), 2);
    ledger.close().await;
    assert_eq!(lines.len(), 14);
    let checks = verify(&lines, &key);
    assert!(holds(&checks), "{checks:?}");
    assert!(
        checks.iter().any(|check| check.what.contains("13 entries is in the log") && check.what.contains("13 have an opening"))
    );
}

#[tokio::test]
async fn what_was_changed_in_an_archive_is_found() {
    let (lines, key) = archived(&Kept::new()).await;
    let mut removed = lines.clone();
    removed.remove(5);
    let mut doubled = lines.clone();
    doubled.insert(5, lines[5].clone());
    let mut swapped = lines.clone();
    swapped.swap(5, 6);
    for changed in [removed, doubled, swapped, lines[..3].to_vec(), Vec::new()] {
        assert!(!holds(&verify(&changed, &key)), "{} lines", changed.len());
    }
    for at in [0, 1, 13] {
        for place in (0..lines[at].len()).step_by(7).filter(|place| lines[at].as_bytes()[*place].is_ascii()) {
            let mut changed = lines.clone();
            let other = if &lines[at][place..=place] == "A" { "B" } else { "A" };
            changed[at].replace_range(place..=place, other);
            // An opening of an entry in which nothing is sealed opens nothing, so nothing tells whether it fits.
            let is_told = at != 13 || place < changed[at].find("\"secret\":").unwrap_or(0);
            assert!(!is_told || !holds(&verify(&changed, &key)), "line {at}, place {place}");
        }
    }
}
