//! The running country: its commands, its log, its end, and the other commands of the program beside it.

use std::collections::BTreeSet;
use std::time::Duration;

use rabita_tests::eventually;
use serde_json::{Value, json};

use crate::promises::{Answer, HEROINE, keep};
use crate::running::{Demo, Printed, rabita};

/// The scene in which a ledger is forged and a grant withdrawn, and the one in which the demo is killed.
const TRUST: &str = "Trust";
const SURVIVAL: &str = "Scene";

#[tokio::test]
async fn every_command_that_it_prints_does_what_its_title_promises_and_its_log_names_nobody() {
    let mut demo = Demo::start().await;
    let printed = demo.printed();
    let titles: BTreeSet<&str> = printed.iter().map(|printed| printed.title.as_str()).collect();
    assert!(printed.len() >= 60 && titles.len() == printed.len(), "{titles:?}");
    let (mut personal, mut exchanges, mut first) = (BTreeSet::new(), 0, None);
    let is_of_scene = |command: &Printed| command.part_of(TRUST).or(command.part_of(SURVIVAL)).is_some();
    for command in printed.iter().filter(|command| !is_of_scene(command)) {
        let answer = answer(&demo, command).await;
        keep(&demo, command, &answer);
        exchanges += usize::from(command.command.contains("https://"));
        if command.command.contains("/api/") {
            collect(&command.body().unwrap_or_default(), &mut personal);
            collect(&serde_json::from_str(&answer.done.out).unwrap_or_default(), &mut personal);
        }
        if command.command.contains(" try --config ") {
            assert_eq!(first, Some(answer.json()), "`try` and HTTP answer alike");
        }
        first = first.or_else(|| Some(answer.json()));
    }
    assert!(demo.end().await.success(), "{}", demo.log());
    let log = demo.log();
    assert_eq!(log.matches("node::exchange::line: exchange ").count(), exchanges, "each exchange is told once:\n{log}");
    assert!(personal.len() > 20 && personal.contains(HEROINE) && personal.contains("Əliyeva"), "{personal:?}");
    for text in personal.iter().map(String::as_str).chain(["-000001", "ca.pem", "BEGIN"]) {
        assert!(!log.contains(text), "the log holds `{text}`:\n{log}");
    }
}

#[tokio::test]
async fn the_other_commands_of_the_program_hold_on_what_it_wrote_while_it_runs() {
    let demo = Demo::start().await;
    let config = demo.config();
    let checked = rabita(&["check", "--format", "json", &config]).await;
    let report: Value = serde_json::from_str(&checked.out).expect("a report");
    let severities: Vec<&Value> =
        report["findings"].as_array().expect("findings").iter().map(|finding| &finding["severity"]).collect();
    assert!(checked.status.success() && !severities.contains(&&json!("error")), "{report}");

    let ask = |key| {
        ["try", "--config", &config, "--as", "asan-portal", "--purpose", "birth-registration", "population/v1/persons", key]
    };
    let tried = rabita(&ask(HEROINE)).await;
    assert!(tried.status.success(), "{}", tried.err);
    let over_http = &demo.printed()[0];
    let answered = answer(&demo, over_http).await;
    assert_eq!((answered.status, answered.json()), (200, serde_json::from_str(&tried.out).expect("a record")));

    let absent = rabita(&ask("0000000")).await;
    let problem: Value = serde_json::from_str(&absent.out).expect("a problem");
    assert_eq!((absent.status.code(), &problem["code"]), (Some(1), &json!("record_absent")));
    assert!(absent.err.contains("`rabita explain record_absent` tells more"), "{}", absent.err);
}

#[tokio::test]
async fn the_scene_ends_with_a_change_that_survived_the_register_and_the_bus() {
    let mut demo = Demo::start().await;
    let mut changed = Value::Null;
    for (part, printed) in &scene(&demo, SURVIVAL, 8) {
        match part.as_str() {
            "close the register of companies; it answers 503 to everybody" | "open the register again" => run(printed).await,
            "a change while it is closed; accepted, with an address to ask" => {
                let accepted = answer(&demo, printed).await;
                changed = accepted.json()["id"].clone();
                assert_eq!(accepted.status, 202, "{}", accepted.done.out);
                assert!(accepted.head.contains(&format!("location: /bus/updates/{}", changed.as_str().expect("an id"))));
            }
            "how it stands" => {
                let update = only(&answer(&demo, printed).await.json());
                assert_eq!(update["id"], changed);
                assert!(["accepted", "retrying"].contains(&update["state"].as_str().expect("a state")), "{update}");
            }
            "pull the plug" => run(printed).await,
            "start again on what is there, in the first terminal" => demo.start_again(printed).await,
            "how it stands now" => {
                eventually("the change is applied", Duration::from_secs(60), async || {
                    only(&answer(&demo, printed).await.json())["state"] == "applied"
                })
                .await;
                assert_eq!(only(&answer(&demo, printed).await.json())["id"], changed, "it is the same change, and one");
            }
            "the company at its new address" => {
                let company = answer(&demo, printed).await.json();
                let (street, house) = (&company["address"]["street"], &company["address"]["house"]);
                assert_eq!((street, house), (&json!("Xaqani küçəsi"), &json!("21")));
            }
            other => panic!("the scene has `{other}`, of which this test knows nothing"),
        }
    }
    assert!(demo.end().await.success(), "{}", demo.log());
}

#[tokio::test]
async fn the_scene_of_trust_ends_with_a_forgery_found_and_a_grant_given_back() {
    let mut demo = Demo::start().await;
    let within = Duration::from_secs(5);
    for (part, printed) in &scene(&demo, TRUST, 8) {
        match part.as_str() {
            "the ledger is as it was written" | "the same over the network, as the ministry's audit" => {
                let done = printed.pasted(None).await;
                assert!(done.status.success() && done.out.contains(" entries verified in "), "{}{}", done.out, done.err);
            }
            // A copy that is made while the node seals what it has can be wrong by itself.
            "one byte of one entry is changed in a copy, and found" => {
                eventually("the forgery is found", within, async || {
                    let done = printed.pasted(None).await;
                    done.status.code() == Some(1) && done.err.contains("/forged/log/checkpoint: the tree does not have the root")
                })
                .await;
            }
            "the mobile unit sees the first person" => assert_eq!(answer(&demo, printed).await.json()["pin"], HEROINE),
            "the ministry withdraws that grant, in its own file; the bus follows within a second"
            | "the ministry gives it back" => run(printed).await,
            "the mobile unit sees her no more" => {
                eventually("the grant is withdrawn", within, async || answer(&demo, printed).await.status == 403).await;
                assert_eq!(answer(&demo, printed).await.json()["code"], "not_permitted");
            }
            "the mobile unit sees her again" => {
                eventually("the grant holds again", within, async || answer(&demo, printed).await.status == 200).await;
            }
            other => panic!("the scene has `{other}`, of which this test knows nothing"),
        }
    }
    assert!(demo.end().await.success(), "{}", demo.log());
}

/// The parts of a scene, which are known here.
fn scene(demo: &Demo, name: &str, parts: usize) -> Vec<(String, Printed)> {
    let printed = demo.printed().into_iter();
    let scene: Vec<_> = printed.filter_map(|printed| Some((printed.part_of(name)?.to_owned(), printed))).collect();
    assert_eq!(scene.len(), parts, "{name}");
    scene
}

async fn run(printed: &Printed) {
    let done = printed.pasted(None).await;
    assert!(done.status.success(), "{}: {}", printed.title, done.err);
}

fn only(list: &Value) -> Value {
    let updates = list["updates"].as_array().expect("updates");
    assert_eq!(updates.len(), 1, "{list}");
    updates[0].clone()
}

#[tokio::test]
async fn a_second_demo_takes_neither_its_directory_nor_its_port() {
    let mut demo = Demo::start().await;
    let other = demo.directory().with_file_name("other");
    let [own, other] = [demo.directory(), other].map(|path| path.to_str().expect("a path in UTF-8").to_owned());
    let (port, free) = (demo.port.to_string(), rabita_tests::port::free().to_string());

    let on_port = rabita(&["demo", "--directory", &other, "--port", &port, "--admin-port", &free]).await;
    assert_eq!((on_port.status.code(), on_port.out.as_str()), (Some(1), ""));
    assert!(on_port.err.contains(&port) && on_port.err.contains("`--port`"), "{}", on_port.err);
    let on_admin = rabita(&["demo", "--directory", &other, "--port", &free, "--admin-port", &port]).await;
    assert_eq!(on_admin.status.code(), Some(1));
    assert!(on_admin.err.contains(&port) && on_admin.err.contains("`--admin-port`"), "{}", on_admin.err);
    assert!(!std::path::Path::new(&other).exists(), "nothing is written for a country that cannot be had");

    for only in [&["--only-write"][..], &["--port", &free, "--admin-port", &rabita_tests::port::free().to_string()]] {
        let on_directory = rabita(&[&["demo", "--directory", &own], only].concat()).await;
        assert_eq!(on_directory.status.code(), Some(1), "{}", on_directory.out);
        assert!(on_directory.err.contains("a demo is running in"), "{}", on_directory.err);
    }
    assert_eq!(answer(&demo, &demo.printed()[0]).await.status, 200);

    assert!(demo.end().await.success());
    let anew = rabita(&["demo", "--directory", &own, "--citizens", "50", "--only-write"]).await;
    assert!(anew.status.success(), "{}", anew.err);
    assert_eq!(anew.out.trim_end(), demo.config());
}

async fn answer(demo: &Demo, printed: &Printed) -> Answer {
    let is_call = printed.command.starts_with("curl ");
    let heads = demo.directory().with_file_name("heads");
    let done = printed.pasted(is_call.then_some(heads.as_path())).await;
    assert!(done.status.success(), "{}: {}\n{}\n{}", printed.title, done.status, done.err, done.out);
    assert!(done.out.ends_with('\n'), "{}: the next prompt would stand behind the answer", printed.title);
    if !is_call {
        return Answer { status: 0, head: String::new(), done };
    }
    assert_eq!(done.err, "", "{}", printed.title);
    let head = std::fs::read_to_string(heads).expect("the heads of the answer").to_lowercase();
    let status = head.split_whitespace().nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, head, done }
}

/// The texts that are about somebody, by the names of the members that hold them.
fn collect(value: &Value, personal: &mut BTreeSet<String>) {
    const MEMBERS: [&str; 15] = [
        "key",
        "keys",
        "pin",
        "family",
        "given",
        "patronymic",
        "spouse",
        "children",
        "street",
        "plate",
        "vin",
        "tin",
        "registry_number",
        "number",
        "name.family",
    ];
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect(value, personal)),
        Value::Object(members) => {
            for (name, value) in members {
                collect(value, personal);
                if MEMBERS.contains(&name.as_str()) {
                    let texts = value.as_array().map_or_else(|| vec![value], |values| values.iter().collect());
                    personal.extend(
                        texts.into_iter().filter_map(Value::as_str).filter(|text| text.chars().count() >= 4).map(str::to_owned),
                    );
                }
            }
        }
        _ => {}
    }
}
