//! A disk that takes no more, and then takes more again.
//!
//! The system can be told that no file may grow beyond a size. That holds for a whole process, so the test runs itself as
//! another one.

use std::process::Command;
use std::sync::Arc;

use rabita_ledger::log::{LogError, verify};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::sample::{Scratch, entry};

const INNER: &str = "RABITA_LOG_FULL";

fn limit(bytes: Option<u64>) {
    let now = getrlimit(Resource::Fsize);
    setrlimit(Resource::Fsize, Rlimit { current: bytes, maximum: now.maximum }).expect("is set");
}

#[test]
fn refuses_entries_while_the_disk_is_full_and_heals_when_it_is_not() {
    // A process that writes beyond the limit is ended by a signal, unless that is ignored, as the shell can arrange.
    let status = Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", "full::stops_and_heals", "--nocapture", "--test-threads=1"])
        .env(INNER, "1")
        .status()
        .expect("starts");
    assert!(status.success());
}

/// Without the limit where it runs as a test of its own: then nothing is ever full.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stops_and_heals() {
    let is_limited = std::env::var_os(INNER).is_some();
    let scratch = Scratch::in_memory();
    let log = Arc::new(scratch.open());
    let mut acknowledged = 0_u64;
    for round in 0..3 {
        if is_limited {
            limit(Some(3_000));
        }
        let refused = loop {
            match log.append(entry(acknowledged)).await {
                Ok(appended) => {
                    // What was refused may have been written when there was room again.
                    assert!(appended.index >= acknowledged);
                    acknowledged = appended.index + 1;
                }
                Err(error) => break Some(error),
            }
            if !is_limited && acknowledged > 20 * (round + 1) {
                break None;
            }
        };
        if !is_limited {
            continue;
        }
        assert!(matches!(refused, Some(LogError::Unavailable(_))), "{refused:?}");
        assert!(log.health().is_err());
        assert!(log.append(b"refused at once".to_vec()).await.is_err());
        let before = log.checkpoint();
        assert!(before.size >= acknowledged, "what was acknowledged stays");
        limit(None);
        let mut grown = log.grown();
        grown.wait_for(|size| *size > before.size).await.expect("heals by itself");
        let appended = log.append(b"after".to_vec()).await;
        // The size is known a moment before the trouble is over.
        let appended = match appended {
            Ok(appended) => appended,
            Err(_) => healed(&log).await,
        };
        acknowledged = appended.index + 1;
        assert_eq!(log.health(), Ok(()));
    }
    let checkpoint = log.checkpoint();
    log.close().await;
    let verified = verify::directory(&scratch.log(), &scratch.verifier(), Some(&checkpoint)).expect("is whole");
    assert_eq!((verified.checkpoint.size, verified.unfinished_bytes), (checkpoint.size, 0));
}

async fn healed(log: &rabita_ledger::log::Log) -> rabita_ledger::log::Appended {
    loop {
        if let Ok(appended) = log.append(b"after".to_vec()).await {
            return appended;
        }
        tokio::task::yield_now().await;
    }
}
