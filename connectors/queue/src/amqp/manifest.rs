//! What a manifest says of a broker of AMQP 0-9-1: checked, and made ready to connect.

use std::collections::BTreeSet;
use std::time::Duration;

use rabita_sdk::{Finding, OpenError, RegistrySpec, Secrets};

use super::open::Opener;
use crate::access::Access;
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
    access(amqp).check(findings);
    let has_certificate = amqp.tls.as_ref().is_some_and(|tls| tls.cert_file.is_some());
    if amqp.user.is_none() && amqp.password.is_none() && !has_certificate {
        let message = "nothing says who the bus is: add `user` and `password`, or a certificate to `tls`";
        findings.push(Finding::new(format!("{CONNECTOR}/amqp"), message));
    }
}

fn access(amqp: &Amqp) -> Access<'_> {
    Access { key: "amqp", user: amqp.user.as_ref(), password: amqp.password.as_ref(), tls: amqp.tls.as_ref() }
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
    Ok(Opener {
        addresses: amqp.addresses.iter().filter_map(|address| address_of(address, amqp)).collect(),
        vhost: amqp.vhost.clone(),
        user: access(amqp).user(secrets)?,
        tls: access(amqp).tls(secrets, &spec.directory).await?,
        heartbeat_seconds: amqp.heartbeat_seconds,
        connect_timeout: Duration::from_millis(settings.connect_timeout_ms),
        destinations,
    })
}
