//! What a manifest says of a broker of AMQP 0-9-1: checked, and made ready to connect.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rabita_sdk::{Finding, OpenError, RegistrySpec, Secrets};

use super::open::Opener;
use crate::broker::Destination;
use crate::from::To;
use crate::kind::CONNECTOR;
use crate::settings::{Amqp, Settings};
use crate::wire::Address;

/// The longest short string of AMQP 0-9-1, section 4.2.5.3.
const SHORT_MAX: usize = 255;

/// Everything wrong with the settings that the schema can't say.
pub(crate) fn check(amqp: &Amqp, findings: &mut Vec<Finding>) {
    let at = |key: &str| format!("{CONNECTOR}/amqp/{key}");
    for (place, address) in amqp.addresses.iter().enumerate() {
        if address_of(address, amqp).is_none() {
            let message = "this is no address: write `host:port`, or the host alone; TLS is asked for by `tls: {}`";
            findings.push(Finding::new(at(&format!("addresses/{place}")), message));
        }
    }
    if let Some(tls) = &amqp.tls {
        findings.extend(tls.check(&at("tls")));
    }
    let has_certificate = amqp.tls.as_ref().is_some_and(|tls| tls.cert_file.is_some());
    match (&amqp.user, &amqp.password) {
        (Some(_), None) => findings.push(Finding::new(at("user"), "a user needs a password: add `password`")),
        (None, Some(_)) => findings.push(Finding::new(at("password"), "a password needs a user: add `user`")),
        (None, None) if !has_certificate => {
            let message = "nothing says who the bus is: add `user` and `password`, or a certificate to `tls`";
            findings.push(Finding::new(format!("{CONNECTOR}/amqp"), message));
        }
        _ => {}
    }
}

fn address_of(text: &str, amqp: &Amqp) -> Option<Address> {
    Address::parse(text, Some(if amqp.tls.is_some() { 5671 } else { 5672 }))
}

/// Where a call's request goes, `pointer` being where the call stands.
pub(crate) fn destination(amqp: &Amqp, to: &To, pointer: &str, findings: &mut Vec<Finding>) -> Destination {
    let routing_key = to.routing_key.as_ref().or(amqp.routing_key.as_ref()).cloned();
    let exchange = to.exchange.as_ref().unwrap_or(&amqp.exchange).clone();
    if to.topic.is_some() {
        findings.push(Finding::new(format!("{pointer}/to/topic"), "AMQP has no topics: say `routing_key`"));
    } else if routing_key.is_none() {
        let message = "nothing says where the request goes: add `routing_key` to `amqp`, or `to: { routing_key: ... }` here";
        findings.push(Finding::new(pointer, message));
    }
    let name = routing_key.unwrap_or_default();
    for (key, text) in [("exchange", &exchange), ("routing_key", &name)] {
        if text.len() > SHORT_MAX {
            findings.push(Finding::new(pointer, format!("`{key}` is longer than {SHORT_MAX} bytes, which AMQP can't carry")));
        }
    }
    Destination { exchange, name }
}

/// How connections are made.
///
/// # Errors
/// When a secret or file is missing, or is not what it should be.
pub(crate) async fn opener(
    amqp: &Amqp,
    settings: &Settings,
    destinations: BTreeSet<Destination>,
    secrets: &dyn Secrets,
    spec: &RegistrySpec,
) -> Result<Opener, OpenError> {
    let missing = |key: &str, missing: String| OpenError(format!("amqp.{key}: {missing}"));
    let user = match (&amqp.user, &amqp.password) {
        (Some(user), Some(password)) => {
            let user = secrets.text(user).map_err(|why| missing("user", why))?;
            Some((user, secrets.resolve(password).map_err(|why| missing("password", why))?))
        }
        _ => None,
    };
    let tls = match &amqp.tls {
        Some(tls) => Some(Arc::new(rabita_http::tls::client_config(tls, secrets, &spec.directory).await?)),
        None => None,
    };
    Ok(Opener {
        addresses: amqp.addresses.iter().filter_map(|address| address_of(address, amqp)).collect(),
        vhost: amqp.vhost.clone(),
        user,
        tls,
        heartbeat_seconds: amqp.heartbeat_seconds,
        connect_timeout: Duration::from_millis(settings.connect_timeout_ms),
        destinations,
    })
}
