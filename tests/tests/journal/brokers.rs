//! The brokers: absent, lost and back, one of three killed, behind TLS, with topics that are not as they must be.

use std::path::Path;

use rabita_journal::battery::sample::{accepted, applied, next, update};
use rabita_journal::kafka::{Mechanism, Options, Protocol};
use rabita_journal::{Accepted, Journal, JournalError, Kafka};
use rabita_tests::Kafka as Cluster;
use rabita_tests::scratch::Scratch;

use crate::{BROKER, PATIENCE, open, options, prefix, until, well};

/// Waits until it says why it cannot take updates on, in these words.
async fn says(journal: &Kafka, words: &str) {
    let what = format!("it says: {words}");
    until(&what, || journal.health().is_err_and(|why| why.contains(words))).await;
}

/// Accepts an update as a caller does that repeats it when it is refused.
async fn insist(journal: &Kafka) {
    let update = update(1);
    let insisting = async {
        while journal.accept(update.clone()).await != Ok(Accepted::New) {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, insisting).await.expect("is accepted in time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refuses_updates_while_the_brokers_are_gone_and_takes_them_when_they_are_back() {
    let (cluster, scratch) = (Cluster::start(1), Scratch::new("journal"));
    cluster.kill(0);
    let journal = Kafka::open(options(&cluster.servers(), &prefix(), scratch.path())).expect("opens without brokers");
    says(&journal, "no broker answers").await;
    assert!(matches!(journal.accept(update(1)).await, Err(JournalError::Unavailable(_))));
    cluster.start_again(0);
    well(&journal).await;
    let before = accepted(&journal, &[1]).await.remove(0);
    assert!(journal.entry(before.id).await.expect("answers").is_some());

    cluster.kill(0);
    until("it notices", || journal.health().is_err()).await;
    assert!(matches!(journal.accept(update(2)).await, Err(JournalError::Unavailable(_))));
    let found = journal.entry(before.id).await.expect("what it has seen it answers without the brokers");
    assert_eq!(found.map(|entry| entry.update), Some(before.clone()));

    cluster.start_again(0);
    insist(&journal).await;
    let lease = next(&journal).await;
    assert_eq!(lease.entry.update.id, before.id);
    journal.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn goes_on_when_one_of_three_brokers_is_killed() {
    let (cluster, scratch) = (Cluster::start(3), Scratch::new("journal"));
    let journal = open(Options { replication: 3, ..options(&cluster.servers(), &prefix(), scratch.path()) }).await;
    let before = accepted(&journal, &(0..20).collect::<Vec<_>>()).await;
    cluster.kill(1);
    for _ in 0..5 {
        insist(&journal).await;
    }
    for _ in 0..before.len() + 5 {
        let lease = next(&journal).await;
        let conclusion = applied();
        let insisting = async {
            while journal.conclude(&lease, conclusion.clone(), Vec::new()).await.is_err() {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(PATIENCE, insisting).await.expect("is concluded in time");
    }
    let depths = journal.depths().await.expect("depths");
    assert!(depths.is_empty(), "all are concluded: {depths:?}");
    cluster.start_again(1);
    insist(&journal).await;
    journal.close().await;
}

fn secured(cluster: &Cluster, directory: &Path) -> Options {
    let mut options = options(&cluster.servers_with_tls(), &prefix(), directory);
    options.security.protocol = Protocol::SaslSsl;
    options.security.ca_file = Some(cluster.authority());
    options.security.user = Some(Cluster::USER.to_owned());
    options.security.password = Some(Cluster::PASSWORD.to_owned());
    options
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn speaks_tls_with_a_name_and_a_password() {
    let (cluster, scratch) = (Cluster::start_with_tls(), Scratch::new("journal"));
    for mechanism in [Mechanism::Plain, Mechanism::ScramSha512] {
        let mut options = secured(&cluster, &scratch.path().join(mechanism.as_str()));
        options.security.mechanism = mechanism;
        let journal = open(options).await;
        let update = accepted(&journal, &[1]).await.remove(0);
        let lease = next(&journal).await;
        assert_eq!(lease.entry.update.id, update.id);
        assert_eq!(journal.conclude(&lease, applied(), Vec::new()).await, Ok(()));
        journal.close().await;
    }
    let mut options = secured(&cluster, &scratch.path().join("stranger"));
    options.security.password = Some("another".to_owned());
    let journal = Kafka::open(options).expect("opens");
    says(&journal, "no broker answers").await;
    journal.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shows_a_certificate_whose_key_a_password_opens() {
    let (cluster, scratch) = (Cluster::start_with_tls(), Scratch::new("journal"));
    let (certificate, key) = cluster.client();
    let with = |name: &str| {
        let mut options = options(&cluster.servers_with_certificates(), &prefix(), &scratch.path().join(name));
        options.security.protocol = Protocol::Ssl;
        options.security.ca_file = Some(cluster.authority());
        options
    };
    let mut known = with("known");
    known.security.certificate_file = Some(certificate);
    known.security.key_file = Some(key);
    known.security.key_password = Some(Cluster::PASSWORD.to_owned());
    let mut locked = known.clone();
    let journal = open(known).await;
    let update = accepted(&journal, &[1]).await.remove(0);
    assert_eq!(next(&journal).await.entry.update.id, update.id);
    journal.close().await;

    let journal = Kafka::open(with("unknown")).expect("opens");
    says(&journal, "no broker answers").await;
    journal.close().await;
    locked.security.key_password = Some("another".to_owned());
    locked.directory = scratch.path().join("locked");
    // What cannot be opened is told by the name of its setting, and nothing of the password.
    let journal = Kafka::open(locked).expect("opens");
    says(&journal, "ssl.key").await;
    let said = journal.health().expect_err("is not well");
    assert!(!said.contains("another"), "{said}");
    journal.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn says_what_is_wrong_with_its_topics() {
    let (prefix, scratch) = (prefix(), Scratch::new("journal"));
    let of = |name: &str| options(&BROKER.servers(), &prefix, &scratch.path().join(name));
    open(Options { partitions: 2, ..of("small") }).await.close().await;

    let journal = Kafka::open(of("large")).expect("opens");
    says(&journal, "claims has 2 partitions, 4 are configured").await;
    says(&journal, "updates.vehicles has 2 partitions, 4 are configured").await;
    assert!(matches!(journal.accept(update(1)).await, Err(JournalError::Unavailable(_))));
    journal.close().await;

    let mut longer = Options { partitions: 2, ..of("longer") };
    longer.retention.events *= 2;
    let journal = Kafka::open(longer).expect("opens");
    says(&journal, "events has retention.ms=604800000, 1209600000 is needed").await;
    journal.close().await;

    let other = crate::prefix();
    let wider = Options { replication: 3, ..options(&BROKER.servers(), &other, &scratch.path().join("wider")) };
    let journal = Kafka::open(wider).expect("opens");
    says(&journal, "the cluster has fewer brokers than the replication of 3 needs").await;
    journal.close().await;
}
