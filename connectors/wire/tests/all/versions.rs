//! Which version of the wire contract is spoken, where one side is of another release.

use std::sync::Arc;

use rabita_battery::world::{ample, whole};
use rabita_wire::{Link, LinkError, Pool, Versions};

use super::scripted::{Does, PROMISE, Scripted, meeting, spec};

const fn speaks(oldest: u16, newest: u16) -> Versions {
    Versions { oldest, newest }
}

async fn met(bus: Versions, host: Versions) -> Result<Arc<Link>, LinkError> {
    meeting("one", Scripted::new(Does::Answers("A")), bus, host).await.0
}

#[tokio::test]
async fn neighbours_speak_the_newest_version_that_both_know() {
    for (bus, host, spoken) in [
        (speaks(1, 1), speaks(1, 2), 1),
        (speaks(1, 2), speaks(1, 1), 1),
        (speaks(1, 2), speaks(1, 2), 2),
        (speaks(1, 2), speaks(2, 3), 2),
        (speaks(2, 3), speaks(1, 2), 2),
    ] {
        let link = met(bus, host).await.unwrap_or_else(|error| panic!("{bus} and {host}: {error}"));
        assert_eq!(link.description.wire, spoken, "{bus} and {host}");
        let (pool, connector) = Pool::new(spec(), "wire", PROMISE);
        assert_eq!(pool.attach(&link), Vec::<String>::new());
        let row = connector.read(whole("P1"), &ample()).await.expect("an answer").expect("a record");
        assert_eq!(row.get("family"), Some(&"A".into()), "{bus} and {host}");
    }
}

#[tokio::test]
async fn those_two_releases_apart_refuse_each_other_and_say_which_versions_they_speak() {
    for (bus, host, said) in [
        (speaks(1, 1), speaks(2, 3), "it speaks version 2 to 3 of the wire contract, and was asked for 1"),
        (speaks(2, 3), speaks(1, 1), "it speaks version 1 of the wire contract, and was asked for 2 to 3"),
    ] {
        let error = met(bus, host).await.err().expect("they have no version in common").to_string();
        assert!(error.contains(said) && error.contains("renew whichever is older"), "{error}");
    }
}
