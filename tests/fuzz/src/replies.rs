//! What registries answer, as the connectors get it.
//!
//! Over HTTP the first line of the bytes is the answer's status and media type, the rest its body. In LDAP the bytes are
//! what comes to the question of number 2, the first of a connection.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use rabita_battery::people::{key, registry, wanted};
use rabita_battery::world::within;
use rabita_model::Operation;
use rabita_sdk::{Connector, Kind, Read, RegistrySpec, Search, SecretRef, SecretText, Secrets};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// Longer than an answer takes that is whole.
const TIME: Duration = Duration::from_millis(500);

/// What the stand-in of a registry answers next.
type Answer = Arc<Mutex<Vec<u8>>>;

struct Scene {
    runtime: Runtime,
    answer: Answer,
    rest: Arc<dyn Connector>,
    soap: Arc<dyn Connector>,
    ldap: Arc<dyn Connector>,
}

struct NoSecrets;

impl Secrets for NoSecrets {
    fn resolve(&self, _: &SecretRef) -> Result<SecretText, String> {
        Err("there are no secrets here".to_owned())
    }
}

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let answer = Answer::default();
    let socket = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
    let url = format!("http://{}", socket.local_addr().expect("an address"));
    runtime.spawn(serve(socket, Arc::clone(&answer)));
    let from = json!({
        "read": { "path": "/people/{pin}" },
        "search": { "path": "/people", "records": "items", "filters": {}, "paging": { "offset": { "param": "o", "limit_param": "l", "size_max": 10, "total": "total" } } },
    });
    let rest = registry(json!({ "url": url, "probe": { "path": "/" } }), from);
    let call = |name: &str, response| json!({ "action": format!("urn:{name}"), "request": { format!("p:{name}"): { "p:pin": "{pin}" } }, "response": response });
    let from = json!({ "read": call("get", json!({ "element": "p:getResponse", "record": "p:person" })) });
    let soap = registry(json!({ "url": url, "namespaces": { "p": "urn:example:people" } }), from);
    let open = async |kind: Arc<dyn Kind>, mut spec: RegistrySpec, reads: &[Operation]| {
        spec.entities[0].operations.retain(|operation| reads.contains(operation));
        spec.entities[0].filters.clear();
        spec.entities[0].binary.clear();
        kind.open(spec, &NoSecrets).await.unwrap_or_else(|error| panic!("{error}"))
    };
    let rest = runtime.block_on(open(rabita_rest::kind(), rest, &[Operation::Read, Operation::Search]));
    let soap = runtime.block_on(open(Arc::new(rabita_soap::Soap), soap, &[Operation::Read]));
    let socket = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
    let url = format!("ldap://{}", socket.local_addr().expect("an address"));
    runtime.spawn(serve_ldap(socket, Arc::clone(&answer)));
    let from = json!({ "base": "o=people", "class": "person" });
    let ldap = registry(json!({ "url": url, "idle_connections": 0 }), from);
    let ldap = runtime.block_on(open(rabita_ldap::kind(), ldap, &[Operation::Read, Operation::Search]));
    Scene { runtime, answer, rest, soap, ldap }
});

/// Reads one record and a page of them by REST.
pub fn rest(data: &[u8]) {
    SCENE.says(data);
    SCENE.read(&SCENE.rest);
    SCENE.search(&SCENE.rest);
}

/// Reads one record by SOAP.
pub fn soap(data: &[u8]) {
    SCENE.says(data);
    SCENE.read(&SCENE.soap);
}

/// Reads one record and a page of them by LDAP.
pub fn ldap(data: &[u8]) {
    *SCENE.answer.lock().unwrap_or_else(PoisonError::into_inner) = data.to_vec();
    SCENE.read(&SCENE.ldap);
    SCENE.search(&SCENE.ldap);
}

impl Scene {
    fn says(&self, data: &[u8]) {
        let line = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
        let first = String::from_utf8_lossy(&data[..line]).into_owned();
        let body = data.get(line + 1..).unwrap_or_default();
        let (status, media_type) = first.split_once(' ').unwrap_or((&first, "application/json"));
        let status = status.parse::<u16>().ok().filter(|status| (200..600).contains(status)).unwrap_or(200);
        let media_type: String = media_type.chars().filter(|letter| letter.is_ascii_graphic() || *letter == ' ').collect();
        let head = format!("HTTP/1.1 {status} x\r\ncontent-type: {media_type}\r\ncontent-length: {}\r\n\r\n", body.len());
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = [head.as_bytes(), body].concat();
    }

    fn search(&self, connector: &Arc<dyn Connector>) {
        let ask = Search { entity: 0, conditions: Vec::new(), wanted: wanted(&["pin", "notes"]), limit: 3, cursor: None };
        if let Ok(page) = self.runtime.block_on(connector.search(ask, &within(TIME))) {
            assert!(page.rows.len() <= 3, "more came than was asked for");
        }
    }

    fn read(&self, connector: &Arc<dyn Connector>) {
        let ask = Read { entity: 0, key: key("P00001"), wanted: wanted(&["pin", "family", "born"]) };
        let _ = self.runtime.block_on(connector.read(ask, &within(TIME)));
    }
}

async fn serve(socket: TcpListener, answer: Answer) {
    while let Ok((stream, _)) = socket.accept().await {
        tokio::spawn(converse(stream, Arc::clone(&answer)));
    }
}

/// Answers whatever is asked until the caller leaves.
async fn converse(mut stream: TcpStream, answer: Answer) {
    let mut asked = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut piece).await {
        asked.extend_from_slice(&piece[..read]);
        let Some(end) = asked.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&asked[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        if asked.len() < end + 4 + length {
            continue;
        }
        asked.clear();
        let answer = answer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}

async fn serve_ldap(socket: TcpListener, answer: Answer) {
    while let Ok((stream, _)) = socket.accept().await {
        tokio::spawn(converse_in_ldap(stream, Arc::clone(&answer)));
    }
}

/// Answers the first question of a connection; of a schema it has none to show.
async fn converse_in_ldap(mut stream: TcpStream, answer: Answer) {
    const SCHEMA: &[u8] = b"subschemaSubentry";
    let mut asked = [0; 4096];
    let Ok(read @ 5..) = stream.read(&mut asked).await else { return };
    let answer = if asked[..read].windows(SCHEMA.len()).any(|part| part == SCHEMA) {
        // The end of a search that found nothing; the question's number is its fifth byte.
        vec![0x30, 0x0c, 0x02, 0x01, asked[4], 0x65, 0x07, 0x0a, 0x01, 0x00, 0x04, 0x00, 0x04, 0x00]
    } else {
        answer.lock().unwrap_or_else(PoisonError::into_inner).clone()
    };
    // Whoever asked may be gone.
    let _gone = stream.write_all(&answer).await;
}
