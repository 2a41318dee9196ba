//! What it costs to sign an answer: the text that is signed, and the signature itself.
//!
//! `cargo run --release -p rabita-contract --example signing`
#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::hint::black_box;
use std::time::Instant;

use http::{Request, Response};
use rabita_contract::signature::{AnswerBase, Signing, content_digest, sign_answer};
use rabita_keys::{Algorithm, SigningKey};

const ROUNDS: u32 = 20_000;

fn main() {
    let (request, ()) = Request::get("https://bus.example/api/vehicles/v1/vehicles/10-RA-777?fields=plate,owner")
        .header("rabita-purpose", "vehicle-transfer")
        .body(())
        .expect("a request")
        .into_parts();
    let mut answer = Response::new(());
    let headers = [
        ("rabita-exchange", "01a20a88-c91d-73e0-af69-1552e5fe83b6"),
        ("server-timing", "bus;dur=0.488, registry;dur=1.718"),
        ("ratelimit-policy", "\"system\";q=200;w=1"),
        ("ratelimit", "\"system\";r=399;t=1"),
        ("cache-control", "private, no-cache"),
        ("vary", "Accept, Authorization, Rabita-Purpose"),
        ("etag", "\"10b4719014d5d78e3891453bd9041efa\""),
        ("content-type", "application/json"),
        ("rabita-receipt", "\"bus.example/log\";index=1234567;leaf=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"),
    ];
    for (name, value) in headers {
        answer.headers_mut().insert(name, value.parse().expect("a value"));
    }
    let digest = [7; 32];
    answer.headers_mut().insert("content-digest", content_digest(&digest));
    let signing = Signing { key_id: "bus-2026", algorithm: "ed25519", created: 1_795_481_279 };
    let base = AnswerBase::of(&answer, &request, &signing);

    measure("Content-Digest of a known SHA-256", || {
        black_box(content_digest(black_box(&digest)));
    });
    measure("the text and both headers", || {
        sign_answer(&mut answer, &request, &signing, |base| Ok::<_, ()>(vec![base[0]; 64])).expect("a signature");
    });
    println!("the text has {} bytes", base.bytes().len());
    for algorithm in [Algorithm::Ed25519, Algorithm::EcdsaP256] {
        let (key, _) = SigningKey::generate("bus-2026", algorithm).expect("randomness");
        measure(&format!("{algorithm}: sign"), || {
            black_box(key.sign(base.bytes()).expect("a signature"));
        });
        let signature = key.sign(base.bytes()).expect("a signature");
        measure(&format!("{algorithm}: verify"), || {
            key.verifying().verify(base.bytes(), &signature).expect("a signature that verifies");
        });
    }
}

/// The best of five rounds, since other work on the machine only ever adds.
fn measure(what: &str, mut work: impl FnMut()) {
    let rounds = (0..5).map(|_| {
        let start = Instant::now();
        (0..ROUNDS).for_each(|_| work());
        start.elapsed() / ROUNDS
    });
    let best = rounds.min().expect("five rounds");
    println!("{what}: {:.2} us", best.as_secs_f64() * 1e6);
}
