//! HTTP/1.1 byte by byte over TLS, as no honest client would write it, and what the bus wrote down of it.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rabita_tests::bus::{Authority, Bus, Country, GRANT_ALL, Manifest, Upstream};
use rustls_pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::wire;

/// The longest that is waited for what must come.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A portal's connection.
pub struct Raw {
    stream: TlsStream<TcpStream>,
    came: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// With lower-case names.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The problem's code; empty where it is none.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The index of the entry that the receipt names.
    pub fn entry(&self) -> Option<u64> {
        self.header("rabita-receipt").split(";index=").nth(1)?.split(';').next()?.parse().ok()
    }
}

impl Raw {
    /// Connects as the portal. `protocol` is what is asked for: `http/1.1` or `h2`.
    pub async fn open(address: SocketAddr, protocol: &str) -> Self {
        let mut config = (*wire::caller(&Authority::get().portal)).clone();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let stream = TcpStream::connect(address).await.expect("a connection");
        let name = ServerName::try_from("localhost").expect("a name");
        let connected = TlsConnector::from(std::sync::Arc::new(config)).connect(name, stream).await;
        Self { stream: connected.expect("TLS"), came: Vec::new() }
    }

    /// Writes these bytes; tells whether the other side still took them.
    pub async fn write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok() && self.stream.flush().await.is_ok()
    }

    /// The next answer; `None` where the connection ended before.
    pub async fn reply(&mut self) -> Option<Reply> {
        let end = loop {
            if let Some(end) = self.came.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            self.more().await?;
        };
        let head = String::from_utf8_lossy(&self.came[..end]).into_owned();
        self.came.drain(..end + 4);
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().expect("a status");
        let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
        let headers: Vec<_> = lines.filter_map(header).collect();
        let mut reply = Reply { status, headers, body: Vec::new() };
        let length: usize = reply.header("content-length").parse().unwrap_or(0);
        while self.came.len() < length {
            self.more().await?;
        }
        reply.body = self.came.drain(..length).collect();
        Some(reply)
    }

    /// The next so many bytes; `None` where the connection ended before.
    pub async fn exactly(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.came.len() < count {
            self.more().await?;
        }
        Some(self.came.drain(..count).collect())
    }

    async fn more(&mut self) -> Option<()> {
        let mut piece = [0; 4096];
        let read = tokio::time::timeout(PATIENCE, self.stream.read(&mut piece)).await.expect("the bus neither answers nor ends");
        match read {
            Ok(read @ 1..) => {
                self.came.extend_from_slice(&piece[..read]);
                Some(())
            }
            Ok(0) | Err(_) => None,
        }
    }
}

/// A bus with a registry of persons for the portal, and an auditor who reads the ledger's entries.
pub struct Scene {
    pub upstream: Upstream,
    pub bus: Bus,
    pub country: Country,
}

impl Scene {
    pub async fn start(node: &str) -> Self {
        let upstream = Upstream::start().await;
        let country = Country::with(&Manifest::of("people", upstream.url()).persons("subject: pin"));
        let plots = "{ system: portal, version: v1, entity: plots, operations: [read], fields: all, purposes: any }";
        country.grants("people", &[GRANT_ALL, plots]);
        country.node(node);
        country.file("transparency.yaml", "auditors: [auditor]\n");
        Self { bus: country.start().await, upstream, country }
    }

    /// Sends one request on a connection of its own.
    pub async fn send(&self, request: &[u8]) -> Option<Reply> {
        let mut raw = Raw::open(self.bus.required, "http/1.1").await;
        raw.write(request).await;
        raw.reply().await
    }

    /// The entry of an exchange, and its very bytes.
    pub async fn entry(&self, index: u64) -> (Value, Vec<u8>) {
        let auditor = self.bus.caller(&Authority::get().auditor);
        let told = auditor.get(&format!("/bus/ledger/entries/{index}")).await.good().json();
        let bytes = STANDARD.decode(told["bytes"].as_str().expect("Base64")).expect("Base64");
        (serde_json::from_slice(&bytes).expect("an entry is JSON"), bytes)
    }
}
