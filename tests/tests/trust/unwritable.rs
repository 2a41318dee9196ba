//! A bus that cannot write its ledger: it gives no data, says so, takes no other grants, and heals.

use rabita_tests::bus::{Answer, Authority, Caller, Country, GRANT_ALL, Manifest, Program, Speaks, Upstream};
use rabita_tests::eventually;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde_json::Value;

use super::ledger::{connection, ledger};
use super::people::LONG;

const AYGUN: &str = "/api/people/v1/persons/5ZJBKH7";
const MOBILE: &str = "{ system: mobile, version: v1, entity: persons, operations: [read], fields: [pin], purposes: any }";

/// A bus as a process of its own, which can be told that no file of its may grow.
struct Scene {
    country: Country,
    people: Upstream,
    program: Program,
    address: String,
    admin: String,
    portal: Caller,
    mobile: Caller,
}

impl Scene {
    async fn start() -> Self {
        let people = Upstream::start().await;
        let country = Country::with(&Manifest::of("people", people.url()).persons("subject: pin"));
        country.grants("people", &[GRANT_ALL, MOBILE]);
        let directory = country.path().to_str().expect("UTF-8").to_owned();
        // A process that writes beyond the limit is ended by a signal, unless that is ignored, as the shell can arrange.
        let ignoring = "trap '' XFSZ; exec \"$0\" \"$@\"";
        let words = ["-c", ignoring, env!("CARGO_BIN_EXE_rabita-under-test"), "serve", "--config", &directory];
        let program = Program::run("sh", &words);
        let addresses = program.addresses().await;
        let authority = Authority::get();
        let caller = |identity| Caller::new(addresses[0], Some(identity), Speaks::Either);
        let (portal, mobile) = (caller(&authority.portal), caller(&authority.mobile));
        let admin = format!("http://{}", addresses.last().expect("the admin listener"));
        let address = format!("https://127.0.0.1:{}", addresses[0].port());
        Self { country, people, program, address, admin, portal, mobile }
    }

    /// Has every file as full as a disk that has no room left, or gives the room back.
    fn is_full(&self, is_full: bool) {
        let pid = Pid::from_raw(i32::try_from(self.program.id()).expect("a process' number"));
        let maximum = getrlimit(Resource::Fsize).maximum;
        let current = if is_full { Some(1) } else { maximum };
        prlimit(pid, Resource::Fsize, Rlimit { current, maximum }).expect("the limit of a process of ours");
    }

    async fn told(&self, path: &str) -> (u16, String) {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let answer = client.get(format!("{}{path}", self.admin)).send().await.expect("the admin listener answers");
        (answer.status().as_u16(), answer.text().await.expect("text"))
    }

    async fn ready(&self) -> (u16, Value) {
        let (status, text) = self.told("/readyz").await;
        (status, serde_json::from_str(&text).expect("JSON"))
    }
}

/// An answer without data that says why.
fn says_so(answer: Answer) {
    let answer = answer.refused(503, "ledger_unavailable");
    assert!(answer.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0));
    let problem = answer.json();
    assert_eq!((&problem["blame"], problem["exchange"].is_string()), (&Value::from("bus"), true));
    assert!(!answer.text().contains("5ZJBKH7") && !answer.text().contains("Aygün"), "{}", answer.text());
    assert_eq!(answer.header("rabita-receipt"), "", "there is nothing that a receipt could be of");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bus_that_cannot_write_its_ledger_gives_no_data_and_says_so_until_it_can() {
    let scene = Scene::start().await;
    let receipt = scene.portal.get(AYGUN).await.good().header("rabita-receipt").to_owned();
    assert!(receipt.contains(";index="), "{receipt}");

    scene.is_full(true);
    // The first of them finds it out; the registry may have been asked by then.
    says_so(scene.portal.get(AYGUN).await);
    let asked = scene.people.calls();
    for path in [AYGUN, "/api/people/v1/persons?sex=female", "/api/people/v1/persons/5ZJBKH7/photo", "/bus/catalogue"] {
        says_so(scene.portal.get(path).await);
    }
    assert_eq!(scene.people.calls(), asked, "no registry is asked for what could not be recorded");
    let (status, told) = scene.ready().await;
    assert_eq!((status, &told["ready"], &told["ledger"]["writable"]), (503, &false.into(), &false.into()), "{told}");
    assert!(told["ledger"]["why"].as_str().is_some_and(|why| why.contains("File too large")), "{told}");
    // The tree can be read: it is of what was recorded.
    let _ = scene.portal.get("/bus/ledger/checkpoint").await.good();

    // What the ledger would not know of is not in force, neither now nor by and by.
    scene.country.grants("people", &[GRANT_ALL]);
    let is_refused = async || {
        let told = scene.ready().await.1;
        told["configuration"]["refused"]["findings"][0].as_str().is_some_and(|why| why.contains("recorded in the ledger"))
    };
    eventually("the change of grants is refused", LONG, is_refused).await;

    scene.is_full(false);
    let is_well = async || scene.portal.get(AYGUN).await.status == 200;
    eventually("it answers again by itself", LONG, is_well).await;
    assert_eq!(scene.ready().await.0, 200);
    let is_felt = async || scene.mobile.get(AYGUN).await.code() == "not_permitted";
    eventually("the change of grants is in force", LONG, is_felt).await;

    let connection = connection(&scene.country);
    let connection: Vec<&str> = connection.iter().map(String::as_str).collect();
    let (is_kept, said) = ledger(&[&["prove", "--receipt", &receipt, &scene.address], &connection[..]].concat()).await;
    assert!(is_kept, "the receipt of before holds: {said}");
    scene.program.terminate().await;
    let (status, said) = scene.program.ended().await;
    assert_eq!(status.code(), Some(0), "{said}");
    let (is_whole, said) = ledger(&["verify", scene.country.path().join("ledger").to_str().expect("UTF-8")]).await;
    assert!(is_whole, "{said}");
}
