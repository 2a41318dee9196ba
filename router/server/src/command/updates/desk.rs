//! Calls to a node's admin listener.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use rabita_config::document::Document;
use rabita_config::node::Admin;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Node;
use crate::command::Failed;

/// Longer than the journal takes for an order of a full page.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The admin listener of one node.
pub(in crate::command) struct Desk {
    address: String,
    client: reqwest::Client,
}

impl Desk {
    pub(in crate::command::updates) fn of(node: &Node) -> Result<Self, Failed> {
        Self::at(node.admin.as_deref(), node.config.as_deref())
    }

    /// The one at this address, or that of this configuration, or the usual one.
    pub fn at(admin: Option<&str>, config: Option<&Path>) -> Result<Self, Failed> {
        let address = match (admin, config) {
            (Some(admin), _) => admin.trim_end_matches('/').to_owned(),
            (None, Some(directory)) => of_configuration(directory)?,
            (None, None) => url(Admin::default().address),
        };
        if !address.starts_with("http://") {
            return Err(format!("`{address}` is no address of an admin listener: http://HOST:PORT").into());
        }
        // A proxy of the machine is for what lies beyond it.
        let client = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build()?;
        Ok(Self { address, client })
    }

    /// Whether a node answers there.
    pub async fn is_there(&self) -> bool {
        self.client.get(format!("{}/livez", self.address)).send().await.is_ok_and(|answer| answer.status().is_success())
    }

    pub async fn get(&self, path: &str, query: &Map<String, Value>) -> Result<Value, Failed> {
        let mut address =
            url::Url::parse(&format!("{}{path}", self.address)).map_err(|error| format!("{}: {error}", self.address))?;
        for (name, value) in query {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            address.query_pairs_mut().append_pair(name, &value);
        }
        self.answer(self.client.get(address)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, Failed> {
        self.answer(self.client.post(format!("{}{path}", self.address)).json(body)).await
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<Value, Failed> {
        let no_node = |error: reqwest::Error| {
            let why = if error.is_timeout() { "does not answer in time" } else { "cannot be reached" };
            format!("the node at {} {why}: does it run there? --admin and --config name another", self.address)
        };
        let response = request.send().await.map_err(no_node)?;
        let status = response.status();
        let body = response.bytes().await.map_err(no_node)?;
        let told: Option<Value> = serde_json::from_slice(&body).ok();
        match told {
            Some(told) if status.is_success() => Ok(told),
            Some(told) => Err(told["error"].as_str().map_or_else(|| format!("the node answers {status}"), str::to_owned).into()),
            None => Err(format!("what listens at {} is no admin listener of a node: it answers {status}", self.address).into()),
        }
    }
}

/// Of `rabita.yaml`, all that matters here: the rest may be under repair while an operator works.
#[derive(Deserialize)]
struct NodeFile {
    #[serde(default)]
    admin: Admin,
}

fn of_configuration(directory: &Path) -> Result<String, Failed> {
    let file = directory.join("rabita.yaml");
    let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let document = Document::read(&file, text).map_err(|finding| finding.to_string())?;
    let node: NodeFile = serde_json::from_value(document.value).map_err(|error| format!("{}: {error}", file.display()))?;
    if node.admin.address.port() == 0 {
        return Err(format!("{}: the node takes a free port; --admin names it", file.display()).into());
    }
    Ok(url(node.admin.address))
}

/// A listener on all addresses of the machine is called on its loopback.
fn url(mut address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { IpAddr::V6(Ipv6Addr::LOCALHOST) });
    }
    format!("http://{address}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_all_addresses_is_called_on_the_loopback() {
        let called = ["0.0.0.0:9090", "[::]:9090", "10.0.0.7:9191"].map(|address| url(address.parse().expect("an address")));
        assert_eq!(called, ["http://127.0.0.1:9090", "http://[::1]:9090", "http://10.0.0.7:9191"]);
    }
}
