use std::path::Path;

use rabita_journal::{Embedded, embedded};
use rabita_keys::Algorithm;
use rabita_ledger::log::LogOptions;

use super::*;

struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("rabita-exchange-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir_all(&path).expect("a scratch directory");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn journal(directory: &Path) -> Arc<dyn Journal> {
    let options = embedded::Options::new(directory.join("journal"), Arc::new(Timestamp::now));
    Arc::new(Embedded::open(options).expect("a journal"))
}

fn key(name: &str) -> Arc<SigningKey> {
    Arc::new(SigningKey::generate(name, Algorithm::Ed25519).expect("a key").0)
}

fn log(directory: &Path, origin: &str, key: &Arc<SigningKey>) -> Arc<Log> {
    let options = LogOptions { directory: directory.to_owned(), origin: origin.to_owned(), key: Arc::clone(key) };
    Arc::new(Log::open(options).expect("a log"))
}

fn exchange(log: &Arc<Log>, journal: &Arc<dyn Journal>, key: &Arc<SigningKey>, state: PathBuf) -> LedgerExchange {
    LedgerExchange::new(Arc::clone(log), Arc::clone(journal), Arc::clone(key), state, Duration::from_secs(1))
}

async fn append(log: &Log, count: usize, text: &str) {
    for number in 0..count {
        log.append(format!("{text} {number}").into_bytes()).await.expect("an entry");
    }
}

async fn quiet(exchange: &mut LedgerExchange) {
    let errors = exchange.round().await;
    assert!(errors.is_empty(), "{errors:?}");
}

fn cosigned_size(log: &Log) -> Option<u64> {
    log.cosigned().first().map(|cosigned| cosigned.checkpoint.size)
}

fn is_split(errors: &[ExchangeError]) -> bool {
    errors.iter().any(|error| matches!(error, ExchangeError::SplitView(_)))
}

#[tokio::test]
async fn two_logs_cosign_each_other_as_they_grow() {
    let scratch = Scratch::new();
    let journal = journal(&scratch.0);
    let keys = [key("one"), key("two")];
    let logs = [log(&scratch.0.join("one"), "bus/one", &keys[0]), log(&scratch.0.join("two"), "bus/two", &keys[1])];
    let mut one = exchange(&logs[0], &journal, &keys[0], scratch.0.join("seen-one"));
    let mut two = exchange(&logs[1], &journal, &keys[1], scratch.0.join("seen-two"));
    let mut size = 0;
    for count in [3, 300, 1] {
        size += count as u64;
        append(&logs[0], count, "one").await;
        append(&logs[1], count, "two").await;
        for _ in 0..3 {
            quiet(&mut one).await;
            quiet(&mut two).await;
        }
        assert_eq!(logs.each_ref().map(|log| cosigned_size(log)), [Some(size), Some(size)]);
    }
    // A node that begins anew with what it remembered goes on.
    let mut again = exchange(&logs[0], &journal, &keys[0], scratch.0.join("seen-one"));
    append(&logs[1], 5, "more").await;
    for _ in 0..3 {
        quiet(&mut again).await;
        quiet(&mut two).await;
    }
    assert_eq!(cosigned_size(&logs[1]), Some(size + 5));
}

#[tokio::test]
async fn a_head_with_another_past_is_not_cosigned_and_both_are_kept() {
    let scratch = Scratch::new();
    let journal = journal(&scratch.0);
    let keys = [key("one"), key("two")];
    let logs = [log(&scratch.0.join("one"), "bus/one", &keys[0]), log(&scratch.0.join("two"), "bus/two", &keys[1])];
    let mut one = exchange(&logs[0], &journal, &keys[0], scratch.0.join("seen-one"));
    let mut two = exchange(&logs[1], &journal, &keys[1], scratch.0.join("seen-two"));
    append(&logs[0], 4, "one").await;
    append(&logs[1], 1, "two").await;
    for _ in 0..3 {
        quiet(&mut one).await;
        quiet(&mut two).await;
    }

    // The first begins another log under its name and key, and itself finds that it was shown otherwise before.
    let forked = log(&scratch.0.join("fork"), "bus/one", &keys[0]);
    append(&forked, 6, "other").await;
    let mut fork = exchange(&forked, &journal, &keys[0], scratch.0.join("seen-fork"));
    assert!(is_split(&fork.round().await));

    // Shown all the same, it is seen by the second.
    let checkpoint = forked.checkpoint();
    let proof = forked.consistency(4, 6).expect("a proof").expect("sizes that it has");
    let proofs = BTreeMap::from([(4, proof.iter().map(|hash| STANDARD.encode(hash)).collect())]);
    let head = Head { key: forked.verifier().to_string(), checkpoint: checkpoint.note.clone(), proofs };
    let value = serde_json::to_value(head).expect("JSON");
    journal.publish(Vec::new(), vec![Kept { key: format!("{HEADS}bus/one"), value: Some(value) }]).await.expect("kept");
    assert!(is_split(&two.round().await));
    let conflict = scratch.0.join("seen-two").join("bus+2fone").join("conflict-4-6");
    let kept = |name: &str| std::fs::read_to_string(conflict.join(name)).expect("a checkpoint");
    assert_eq!(kept("seen"), logs[0].checkpoint().note);
    assert_eq!(kept("shown"), checkpoint.note);
    assert_eq!(cosigned_size(&forked), None);
    assert!(is_split(&two.round().await), "it is told each time");
}

#[tokio::test]
async fn a_log_that_was_put_back_from_an_older_copy_is_not_shown() {
    let scratch = Scratch::new();
    let journal = journal(&scratch.0);
    let signer = key("one");
    let before = log(&scratch.0.join("one"), "bus/one", &signer);
    append(&before, 4, "one").await;
    quiet(&mut exchange(&before, &journal, &signer, scratch.0.join("seen"))).await;
    let older = log(&scratch.0.join("older"), "bus/one", &signer);
    append(&older, 2, "one").await;
    assert!(is_split(&exchange(&older, &journal, &signer, scratch.0.join("seen")).round().await));
    let stranger = log(&scratch.0.join("stranger"), "bus/one", &key("stranger"));
    assert!(is_split(&exchange(&stranger, &journal, &signer, scratch.0.join("seen")).round().await));
}
