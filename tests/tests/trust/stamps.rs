//! Time stamps of an authority that the `openssl` program plays: taken where everything holds, refused where one thing does
//! not; and a node that has its checkpoints stamped.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request as HttpRequest, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rabita_ledger::stamp::{ANSWER_TYPE, Authorities, REQUEST_TYPE, Request, Stamp, StampError, kept};
use rabita_tests::bus::{Bus, Country};
use rabita_tests::eventually;
use rabita_tests::scratch::Scratch;
use tokio::net::TcpListener;

use super::ledger::{country, file, key, ledger, read};

const NOTE: &[u8] = b"rabita\n7\nthe root\n";
const WITHIN: Duration = Duration::from_secs(30);
/// What the certificate of an authority is for.
const STAMPS: &str = "critical,timeStamping";

/// Runs `openssl` in a directory.
fn openssl(directory: &Path, arguments: &str) -> String {
    let run = Command::new("openssl").args(arguments.split_whitespace()).current_dir(directory).output();
    let run = run.expect("openssl is on this machine: `deploy/desk setup --servers` installs it");
    assert!(run.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8_lossy(&run.stdout).into_owned()
}

/// An authority with a certificate for time stamps.
fn authority() -> Scratch {
    authority_for(STAMPS)
}

/// One whose certificate is for this.
fn authority_for(usage: &str) -> Scratch {
    let directory = Scratch::new("tsa");
    let path = directory.path();
    let settings = "[tsa]\ndir = .\nserial = serial\nsigner_digest = sha256\ndefault_policy = 1.2.3.4.1\ndigests = sha256\n\
        ess_cert_id_alg = sha256\naccuracy = secs:1\nordering = yes\n";
    std::fs::write(path.join("tsa.cnf"), settings).expect("a file");
    std::fs::write(path.join("usage"), format!("extendedKeyUsage = {usage}\nbasicConstraints = CA:FALSE\n")).expect("a file");
    std::fs::write(path.join("serial"), "01\n").expect("a file");
    openssl(
        path,
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 30 -subj /CN=authority -addext keyUsage=critical,keyCertSign",
    );
    openssl(path, "req -new -newkey rsa:2048 -nodes -keyout tsa.key -out tsa.csr -subj /CN=stamps");
    openssl(path, "x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile usage -out tsa.pem");
    directory
}

fn answer(authority: &Scratch, request: &[u8]) -> Vec<u8> {
    let path = authority.path();
    std::fs::write(path.join("request.tsq"), request).expect("a file");
    openssl(path, "ts -reply -config tsa.cnf -section tsa -queryfile request.tsq -signer tsa.pem -inkey tsa.key -out answer.tsr");
    std::fs::read(path.join("answer.tsr")).expect("the answer")
}

fn believed(authority: &Scratch) -> Authorities {
    Authorities::from_pem(&std::fs::read(authority.path().join("ca.pem")).expect("a file")).expect("authorities")
}

#[test]
fn a_stamp_of_a_checkpoint_holds_for_us_and_for_openssl() {
    let authority = authority();
    let request = Request::of(NOTE).expect("a request");
    let stamp = Stamp::parse(&answer(&authority, &request.der)).expect("a stamp");
    stamp.answers(&request).expect("its nonce");
    stamp.is_of(NOTE).expect("its imprint");
    stamp.verify(&believed(&authority)).expect("its signature and chain");
    std::fs::write(authority.path().join("note"), NOTE).expect("a file");
    let said = openssl(authority.path(), "ts -verify -data note -in answer.tsr -CAfile ca.pem");
    assert!(said.contains("OK") || said.is_empty(), "{said}");
}

#[test]
fn what_is_of_another_note_request_or_authority_is_refused() {
    let (authority, other) = (authority(), authority());
    let request = Request::of(NOTE).expect("a request");
    let stamp = Stamp::parse(&answer(&authority, &request.der)).expect("a stamp");
    assert!(matches!(stamp.is_of(b"rabita\n8\nanother root\n"), Err(StampError::Imprint)));
    assert!(matches!(stamp.answers(&Request::of(NOTE).expect("a request")), Err(StampError::Nonce)));
    assert!(matches!(stamp.verify(&believed(&other)), Err(StampError::Chain(_))));
}

#[test]
fn no_byte_of_a_stamp_can_be_changed_unnoticed() {
    let authority = authority();
    let request = Request::of(NOTE).expect("a request");
    let (answer, authorities) = (answer(&authority, &request.der), believed(&authority));
    let holds = |bytes: &[u8]| {
        let stamp = Stamp::parse(bytes).ok()?;
        (stamp.answers(&request).is_ok() && stamp.is_of(NOTE).is_ok() && stamp.verify(&authorities).is_ok()).then_some(stamp.at())
    };
    let at = holds(&answer).expect("it holds as it is");
    for place in (0..answer.len()).step_by(3) {
        let mut changed = answer.clone();
        changed[place] ^= 1;
        // A byte that nobody signed, such as one of the outer status, may be another; the time and what it is of may not.
        assert!(holds(&changed).is_none_or(|told| told == at), "byte {place}");
    }
}

#[test]
fn a_certificate_that_is_for_more_than_stamps_or_for_something_else_is_refused() {
    for (usage, may) in
        [(STAMPS, true), ("timeStamping", false), ("critical,timeStamping,clientAuth", false), ("serverAuth", false)]
    {
        let (honest, authority) = (authority(), authority_for(usage));
        let request = Request::of(NOTE).expect("a request");
        let stamp = Stamp::parse(&resigned(&answer(&honest, &request.der), &authority)).expect("a stamp");
        stamp.is_of(NOTE).expect("its imprint");
        match stamp.verify(&believed(&authority)) {
            Ok(_) => assert!(may, "{usage}"),
            Err(refused) => assert!(!may && matches!(refused, StampError::Usage(_)), "{usage}: {refused}"),
        }
    }
}

/// What an authority stamped, signed by another, whom `openssl ts` would not let sign.
fn resigned(answer: &[u8], by: &Scratch) -> Vec<u8> {
    let path = by.path();
    std::fs::write(path.join("honest.tsr"), answer).expect("a file");
    openssl(path, "ts -reply -in honest.tsr -token_out -out honest.der");
    openssl(path, "cms -verify -noverify -inform DER -in honest.der -binary -out stamped.der");
    openssl(
        path,
        "cms -sign -cades -nodetach -binary -econtent_type 1.2.840.113549.1.9.16.1.4 -in stamped.der -signer tsa.pem -inkey tsa.key -md sha256 -outform DER -out token.der",
    );
    let token = std::fs::read(path.join("token.der")).expect("a file");
    // RFC 3161, 2.4.2: the status `granted`, and the token.
    let granted = [0x30, 3, 2, 1, 0];
    let length = u16::try_from(granted.len() + token.len()).expect("a stamp is small").to_be_bytes();
    [&[0x30, 0x82], &length[..], &granted, &token].concat()
}

/// The authority behind HTTP, which fails until it is told to work.
struct Served {
    address: SocketAddr,
    works: Arc<AtomicBool>,
}

impl Served {
    async fn start(authority: Scratch) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = socket.local_addr().expect("a listener has an address");
        let (works, authority) = (Arc::new(AtomicBool::new(false)), Arc::new(authority));
        let is_at_work = Arc::clone(&works);
        tokio::spawn(async move {
            while let Ok((stream, _)) = socket.accept().await {
                let (authority, is_at_work) = (Arc::clone(&authority), Arc::clone(&is_at_work));
                let service = service_fn(move |request: HttpRequest<Incoming>| {
                    let (authority, is_at_work) = (Arc::clone(&authority), Arc::clone(&is_at_work));
                    async move { Ok::<_, Infallible>(stamped(&authority, &is_at_work, request).await) }
                });
                tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, works }
    }
}

async fn stamped(authority: &Scratch, works: &AtomicBool, request: HttpRequest<Incoming>) -> Response<Full<Bytes>> {
    assert_eq!(request.headers()["content-type"], REQUEST_TYPE);
    let mut response = Response::new(Full::default());
    if works.load(Ordering::Acquire) {
        let asked = request.into_body().collect().await.expect("a body").to_bytes();
        *response.body_mut() = Full::from(answer(authority, &asked));
        response.headers_mut().insert("content-type", ANSWER_TYPE.parse().expect("a header"));
    } else {
        *response.status_mut() = StatusCode::BAD_GATEWAY;
    }
    response
}

async fn failures(bus: &Bus) -> f64 {
    bus.metric("rabita_ledger_timestamp_failures_total", &[]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_has_its_checkpoints_stamped_and_a_verifier_holds_the_stamps_against_the_log() {
    let authority = authority();
    let believed = std::fs::read_to_string(authority.path().join("ca.pem")).expect("a file");
    let served = Served::start(authority).await;
    let (country, _people) = country().await;
    country.file("tsa.pem", &believed);
    let timestamps = format!("{{ url: \"http://{}/\", authorities: tsa.pem, every_s: 1 }}", served.address);
    country.node(&format!("ledger: {{ timestamps: {timestamps} }}"));
    let bus = country.start().await;

    // An authority that does not answer keeps nobody from anything.
    let portal = bus.portal();
    read(&portal).await.good();
    eventually("a failure is counted", WITHIN, async || failures(&bus).await > 0.0).await;
    read(&portal).await.good();
    let directory = stamps(&country);
    assert!(kept::all(&directory).expect("a directory").is_empty());

    served.works.store(true, Ordering::Release);
    eventually("a checkpoint is stamped", WITHIN, async || !kept::all(&directory).expect("a directory").is_empty()).await;
    read(&portal).await.good();
    eventually("the next one is stamped", WITHIN, async || kept::all(&directory).expect("a directory").len() > 1).await;
    let known = file(country.path(), "log.vkey", &key(&portal).await.to_string());
    assert!(bus.stop().await);

    let known = std::fs::read_to_string(known).expect("a file");
    let place = country.path().join("ledger");
    let (place, authorities) = (place.to_str().expect("UTF-8"), country.path().join("tsa.pem"));
    let verify = ["verify", place, "--key", known.trim(), "--stamps", "--authorities", authorities.to_str().expect("UTF-8")];
    let (is_good, said) = ledger(&verify).await;
    assert!(is_good && said.contains("time stamp(s) hold"), "{said}");

    // The stamp of another checkpoint, and one that the authority never gave.
    let all = kept::all(&directory).expect("a directory");
    let (first, second) = (&all[0].stamp, &all[1].stamp);
    let (own, others) = (std::fs::read(first).expect("a file"), std::fs::read(second).expect("a file"));
    std::fs::write(first, &others).expect("a file");
    let (is_good, said) = ledger(&verify).await;
    assert!(!is_good && said.contains("the time stamp of another note"), "{said}");
    let mut forged = own.clone();
    *forged.last_mut().expect("bytes") ^= 1;
    std::fs::write(first, &forged).expect("a file");
    let (is_good, said) = ledger(&verify).await;
    assert!(!is_good && said.contains("does not hold"), "{said}");
    std::fs::write(first, &own).expect("a file");
    let (is_good, said) = ledger(&verify).await;
    assert!(is_good, "{said}");

    // Nor is an authority believed that nobody named.
    let other = self::authority();
    let theirs = other.path().join("ca.pem");
    let mut verify = verify;
    verify[6] = theirs.to_str().expect("UTF-8");
    let (is_good, said) = ledger(&verify).await;
    assert!(!is_good && said.contains("no chain leads"), "{said}");
}

fn stamps(country: &Country) -> std::path::PathBuf {
    country.path().join("ledger/stamps")
}
