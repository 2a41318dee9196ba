//! What the tests of the client share.

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;
use rabita_http::{Client, Outgoing, Settings};
use rabita_model::ExchangeId;
use rabita_sdk::{Call, OpenError, SecretRef, SecretText, Secrets};
use serde_json::{Value, json};

/// Every secret is the name of its variable, reversed.
pub struct Reversed;

impl Secrets for Reversed {
    fn resolve(&self, secret: &SecretRef) -> Result<SecretText, String> {
        match secret {
            SecretRef::Env(env) if env.env == "MISSING" => Err("the environment variable MISSING is not set".to_owned()),
            SecretRef::Env(env) => Ok(SecretText::new(env.env.chars().rev().collect())),
            SecretRef::File(file) => Err(format!("{}: no such file", file.file.display())),
        }
    }
}

pub async fn open(settings: Value) -> Result<Client, OpenError> {
    open_in(settings, Path::new(".")).await
}

pub async fn open_in(settings: Value, directory: &Path) -> Result<Client, OpenError> {
    let settings: Settings = serde_json::from_value(settings).expect("settings");
    Client::open(&settings, &Reversed, directory, 16).await
}

pub async fn client(url: &str) -> Client {
    open(json!({ "url": url, "response_max_bytes": 65536 })).await.expect("a client")
}

pub fn call(ms: u64) -> Call {
    Call {
        exchange: ExchangeId::new(uuid::Uuid::from_u128(7)),
        deadline: Instant::now() + Duration::from_millis(ms),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
    }
}

pub fn get(path: &str) -> Outgoing {
    Outgoing { path: path.to_owned(), ..Outgoing::default() }
}

pub fn change(path: &str) -> Outgoing {
    Outgoing {
        method: Method::POST,
        path: path.to_owned(),
        body: Some(Bytes::from_static(b"{}")),
        changes: true,
        ..Outgoing::default()
    }
}

/// Waits until something holds.
pub async fn eventually(holds: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < until, "it never came to hold");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
