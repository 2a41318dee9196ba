//! Hosts: those that the bus admits, and the configuration of one.

use std::collections::BTreeMap;

use rabita_model::Rule;
use rabita_sdk::Finding;
use rustls_pki_types::ServerName;

use super::registry::LoadedRegistry;
use super::{Loader, Read};
use crate::hosts::{HostConfiguration, HostSpec};
use crate::node::{ClientCertificate, Node};
use crate::schema;
use crate::system::CertificateMatch;

impl Loader<'_> {
    /// Who may dial in is known by something of its own, and each registry that is served so has somebody who may.
    pub(super) fn check_hosts(&mut self, node: &Read<Node>, registries: &[LoadedRegistry]) {
        for registry in registries.iter().filter(|registry| registry.manifest.connector.at.is_some()) {
            let name = &registry.manifest.registry;
            let admitted = node.is.hosts.as_ref().map(|hosts| hosts.admitted.as_slice());
            match admitted {
                None => {
                    let message = "`at: host`, and rabita.yaml has no `hosts`: there is nowhere that a host could dial in";
                    self.find(&registry.document, Finding::new("/connector/at", message));
                }
                Some(admitted) if !admitted.iter().any(|host| host.registries.contains(name)) => {
                    let message = format!("no host that rabita.yaml admits may serve `{name}`: it stays unavailable");
                    self.find(&registry.document, Finding::warning("/connector/at", message));
                }
                Some(_) => {}
            }
        }
        let Some(hosts) = &node.is.hosts else { return };
        if hosts.tls.client_certificate == ClientCertificate::Optional {
            let message = "a host is known by its certificate: leave `client_certificate` out";
            self.find(&node.document, Finding::new("/hosts/tls/client_certificate", message));
        }
        self.refuse_twice(&node.document, "/hosts/admitted", "host", hosts.admitted.iter().map(|host| host.host.as_str()));
        self.check_admitted(node, registries);
    }

    fn check_admitted(&mut self, node: &Read<Node>, registries: &[LoadedRegistry]) {
        let admitted = node.is.hosts.iter().flat_map(|hosts| hosts.admitted.iter()).enumerate();
        let mut known: BTreeMap<String, String> = BTreeMap::new();
        for (at, host) in admitted {
            let place = format!("/hosts/admitted/{at}");
            for (of, certificate) in host.certificates.iter().enumerate() {
                let pointer = format!("{place}/certificates/{of}");
                let CertificateMatch { dns, uri, common_name, .. } = certificate;
                let identity = format!("{:?}{dns:?}{uri:?}{common_name:?}", certificate.fingerprint());
                if certificate.is_empty() {
                    self.find(&node.document, Finding::new(pointer, "names nothing that a certificate must have"));
                } else if let Some(other) = known.insert(identity, host.host.to_string()) {
                    let message = format!("the same certificate is that of `{other}` already");
                    self.find(&node.document, Finding::new(pointer, message).breaks(Rule::NameTaken));
                }
            }
            for (of, registry) in host.registries.iter().enumerate() {
                let pointer = format!("{place}/registries/{of}");
                let found = registries.iter().find(|own| own.manifest.registry == *registry);
                match found {
                    Some(found) if found.manifest.connector.at.is_none() => {
                        let message = format!("the manifest of `{registry}` has no `at: host`: the bus reaches it by itself");
                        self.find(&node.document, Finding::warning(pointer, message).breaks(Rule::WithoutEffect));
                    }
                    Some(_) => {}
                    None if self.may_be_lost("registries", registry.as_str()) => {}
                    None => {
                        let names: Vec<&str> = registries.iter().map(|own| own.manifest.registry.as_str()).collect();
                        self.require(&pointer, "registry", registry.as_str(), &names, &node.document);
                    }
                }
            }
        }
    }

    /// The configuration of a host: `host.yaml`, and the manifests with the settings that only it has.
    pub(super) fn host(&mut self) -> Option<HostConfiguration> {
        let found = self.find_host_files()?;
        let library = self.library();
        let host: Option<Read<HostSpec>> = self.read(&found.host, &schema::host());
        let manifests = self.manifests(&found.registries);
        let registries = self.registries(manifests, &library);
        if registries.is_empty() && found.registries.is_empty() {
            self.error_in(&found.host, "there is no manifest in `registries`: this host would serve nothing");
        }
        for registry in registries.iter().filter(|registry| registry.manifest.connector.at.is_some()) {
            let message = "this is the host: leave `at` out, and give the kind's own settings";
            self.find(&registry.document, Finding::at_name("/connector/at", message));
        }
        let names = registries.iter().map(|registry| (registry.manifest.registry.as_str(), &registry.document));
        self.refuse_same("the registry", "/registry", names.collect());
        let Read { document, is: spec } = host?;
        self.own_certificate(&document, "/tls", &spec.tls.certificate, &spec.tls.key);
        self.pem(&document, "/tls/bus_authorities", &spec.tls.bus_authorities, "certificate", super::tls::certificates);
        for (at, bus) in spec.buses.iter().enumerate() {
            if ServerName::try_from(bus.name()).is_err() {
                let message = format!("`{}` is no host name and no address", bus.name());
                self.find(&document, Finding::new(format!("/buses/{at}"), message));
            }
        }
        let registries = registries.into_iter().filter_map(|registry| registry.is).collect();
        Some(HostConfiguration { directory: self.directory.clone(), spec, registries })
    }
}
