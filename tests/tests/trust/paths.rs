//! Paths that one reader could take for another's: each is refused, or means one thing to all: to the grants, to the
//! ledger and to the registry.

use serde_json::{Value, json};

use super::raw::{Raw, Reply, Scene};

/// A request-target, and what it means: the status, the code, and the key that the registry is asked for, where it is.
type Case = (&'static str, u16, &'static str, Option<&'static str>);

const ABSENT: (u16, &str) = (404, "route_absent");

/// What means a record, written in another way.
const TAKEN: [Case; 9] = [
    ("/api/people/v1/persons/5ZJBKH7", 200, "", Some("/persons/5ZJBKH7")),
    ("/api/people/v1/persons/%35ZJBKH7", 200, "", Some("/persons/5ZJBKH7")),
    ("/api/%70eople/%761/%70ersons/5ZJBKH7", 200, "", Some("/persons/5ZJBKH7")),
    ("/api/people/v1/persons/5ZJBKH7?", 200, "", Some("/persons/5ZJBKH7")),
    ("https://localhost/api/people/v1/persons/5ZJBKH7", 200, "", Some("/persons/5ZJBKH7")),
    ("/api/people/v1/plots/10,17", 200, "", Some("/plots/10/17")),
    // What would climb or end a path stays a part of the value.
    ("/api/people/v1/plots/10,a%2F..%2Fb", 200, "", Some("/plots/10/a%2F..%2Fb")),
    ("/api/people/v1/plots/10,a%3Fb%23c%26d", 200, "", Some("/plots/10/a%3Fb%23c%26d")),
    ("/api/people/v1/plots/10,%252e%252e%252f", 200, "", Some("/plots/10/%252e%252e%252f")),
];

/// What means nothing, and must not come to mean something on the way.
const REFUSED: [&str; 44] = [
    "/api/people/v1/persons/../persons/5ZJBKH7",
    "/api/people/v1/plots/../persons/5ZJBKH7",
    "/api/people/v1/./persons/5ZJBKH7",
    "/api/../api/people/v1/persons/5ZJBKH7",
    "/../api/people/v1/persons/5ZJBKH7",
    "/api/people/v1/%2e%2e/v1/persons/5ZJBKH7",
    "/api/people/v1/%2e/persons/5ZJBKH7",
    "/api/people/v1/persons/%2e%2e",
    "/api/people/v1/persons/%2e%2e%2fplots",
    "/api/people/v1/persons/..%2Fplots%2F10%2F17",
    "/api/people/v1/persons/5ZJBKH7%2Fphoto",
    "/api/people/v1/persons/5ZJBKH7%2F..%2F4WTR2PX",
    "/api/people/v1/persons%2F5ZJBKH7",
    "/api/people%2Fv1/persons/5ZJBKH7",
    "/api%2Fpeople/v1/persons/5ZJBKH7",
    "/api/people/v1/persons%252F5ZJBKH7",
    "/api/people/v1/persons/%2535ZJBKH7",
    "//api/people/v1/persons/5ZJBKH7",
    "/api//people/v1/persons/5ZJBKH7",
    "/api/people/v1//persons/5ZJBKH7",
    "/api/people/v1/persons//5ZJBKH7",
    "/api/people/v1/persons/5ZJBKH7/",
    "/api/people/v1/persons/5ZJBKH7//photo",
    "/API/people/v1/persons/5ZJBKH7",
    "/api/People/v1/persons/5ZJBKH7",
    "/api/people/V1/persons/5ZJBKH7",
    "/api/people/v1/Persons/5ZJBKH7",
    "/api/people/v01/persons/5ZJBKH7",
    "/api/people/v1/persons/5zjbkh7",
    "/api/people/v1/persons/5ZJBKH7;a=b",
    "/api/people/v1/persons;a=b/5ZJBKH7",
    "/api/people;v1/persons/5ZJBKH7",
    "/api/people/v1/persons/%20%35ZJBKH7",
    "/api/people/v1/persons/5ZJBKH7%20",
    "/api/people/v1/persons/5ZJBKH7%00",
    "/api/people/v1/persons/5ZJBKH7%00.json",
    "/api/people/v1/persons/5ZJBKH7%0d%0aX:%20y",
    "/api/people/v1/persons/%c0%ae%c0%ae",
    "/api/people/v1/persons%c0%af5ZJBKH7",
    "/api/people/v1/persons/%e0%80%af",
    "/api/people/v1/persons/%u0035ZJBKH7",
    "/api/people/v1/persons/5ZJBKH7%",
    "/api/people/v1/persons/\u{ff15}ZJBKH7",
    "/api/people/v1/persons/5ZJBKH7,5ZJBKH7",
];

fn get(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").into_bytes()
}

async fn ask(scene: &Scene, target: &str) -> Reply {
    scene.send(&get(target)).await.unwrap_or_else(|| panic!("{target}: no answer"))
}

/// Whether ledger and registry were told of the same, and of no more than was meant.
async fn agree(scene: &Scene, target: &str, reply: &Reply, calls: usize, path: Option<&str>) {
    let seen: Vec<String> = scene.upstream.seen().drain(calls..).map(|seen| seen.path).collect();
    assert_eq!(seen, path.map(str::to_owned).into_iter().collect::<Vec<_>>(), "{target}: what the registry was asked");
    // What HTTP itself refuses is no exchange.
    let Some(index) = reply.entry() else {
        assert!(reply.status == 400 && reply.body.is_empty(), "{target}: answered without a receipt: {reply:?}");
        return;
    };
    let (entry, bytes) = scene.entry(index).await;
    assert_eq!(entry["exchange"], reply.header("rabita-exchange"), "{target}");
    assert_eq!(entry["status"], reply.status, "{target}");
    assert_eq!(entry.get("code").unwrap_or(&json!("")), &json!(reply.code()), "{target}");
    let about = entry.get("about").unwrap_or(&Value::Null);
    match path {
        Some(path) => {
            let entity = if path.starts_with("/persons") { "persons" } else { "plots" };
            assert_eq!(
                (&about["registry"], &about["entity"], &about["operation"]),
                (&json!("people"), &json!(entity), &json!("read"))
            );
        }
        None => assert_eq!(entry["records"].as_u64().unwrap_or(0), 0, "{target}: {entry}"),
    }
    assert!(!String::from_utf8_lossy(&bytes).contains("ZJBKH7"), "{target}: the entry names the person");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_written_in_another_way_means_the_same_to_grants_ledger_and_registry() {
    let scene = Scene::start("").await;
    for (target, status, code, path) in TAKEN {
        let calls = scene.upstream.calls();
        let reply = ask(&scene, target).await;
        assert_eq!((reply.status, reply.code().as_str()), (status, code), "{target}");
        let pin = path.and_then(|path| path.strip_prefix("/persons/"));
        assert_eq!(reply.json()["pin"].as_str(), pin, "{target}");
        agree(&scene, target, &reply, calls, path).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_that_climbs_doubles_or_disguises_itself_is_refused_and_asks_no_registry() {
    let scene = Scene::start("").await;
    for target in REFUSED {
        let calls = scene.upstream.calls();
        let reply = ask(&scene, target).await;
        assert!((400..500).contains(&reply.status), "{target}: {reply:?}");
        agree(&scene, target, &reply, calls, None).await;
    }
    let known =
        ["/api/people/v1/persons/../persons/5ZJBKH7", "//api/people/v1/persons/5ZJBKH7", "/api/people/v1/persons%2F5ZJBKH7"];
    for target in known {
        let reply = ask(&scene, target).await;
        assert_eq!((reply.status, reply.code().as_str()), ABSENT, "{target}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_behind_a_number_sign_or_is_no_path_at_all_is_not_sent_on() {
    let scene = Scene::start("").await;
    let requests = [
        "GET * HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "GET api/people/v1/persons/5ZJBKH7 HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "GET \\api\\people\\v1\\persons\\5ZJBKH7 HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "GET /api/people/v1/persons/..\\plots HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "GET /api/people/v1/persons/5ZJBKH7\x00 HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "GET /api/people/v1/persons/5ZJBKH7\tx HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "GET /api/people/v1/persons/5ZJBKH7 x HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "CONNECT localhost:443 HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "CONNECT /api/people/v1/persons/5ZJBKH7 HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "TRACE /api/people/v1/persons/5ZJBKH7 HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "get /api/people/v1/persons/5ZJBKH7 HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "GET /api/people/v1/persons/5ZJBKH7 HTTP/0.9\r\n\r\n",
        "GET /api/people/v1/persons/5ZJBKH7 HTTP/3.0\r\nhost: localhost\r\n\r\n",
        "GET /api/people/v1/persons/5ZJBKH7\r\n\r\n",
    ];
    for request in requests {
        let reply = scene.send(request.as_bytes()).await;
        assert!(reply.as_ref().is_none_or(|reply| (400..500).contains(&reply.status)), "{request:?}: {reply:?}");
        assert_eq!(scene.upstream.calls(), 0, "{request:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_names_one_host_and_names_it_once() {
    let scene = Scene::start("").await;
    let path = "/api/people/v1/persons/5ZJBKH7";
    let requests = [
        format!("GET {path} HTTP/1.1\r\n\r\n"),
        format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n\r\n"),
        format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\n\r\n"),
        format!("GET https://evil.example{path} HTTP/1.1\r\nhost: localhost\r\n\r\n"),
        format!("GET https://localhost{path} HTTP/1.1\r\nhost: evil.example\r\n\r\n"),
        format!("GET https://portal@localhost{path} HTTP/1.1\r\nhost: localhost\r\n\r\n"),
        format!("GET {path} HTTP/1.1\r\nhost: local host\r\n\r\n"),
        format!("GET {path} HTTP/1.1\r\nhost: localhost/../x\r\n\r\n"),
        format!("GET {path} HTTP/1.1\r\nhost: portal@localhost\r\n\r\n"),
    ];
    for request in &requests {
        let reply = scene.send(request.as_bytes()).await;
        let reply = reply.unwrap_or_else(|| panic!("{request:?}: no answer"));
        assert_eq!((reply.status, reply.code().as_str()), (400, "malformed_request"), "{request:?}");
    }
    assert_eq!(scene.upstream.calls(), 0);
    let mut raw = Raw::open(scene.bus.required, "http/1.1").await;
    raw.write(format!("GET {path} HTTP/1.1\r\nhost: bus.example:8443\r\n\r\n").as_bytes()).await;
    assert_eq!(raw.reply().await.expect("an answer").status, 200, "under which name the bus is reached is its operator's matter");
}
