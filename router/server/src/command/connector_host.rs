//! `rabita connector host`: an agency's connectors within its own network, which dial out to the bus.

mod admin;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use rabita_config::HostConfiguration;
use rabita_config::hosts::HostTls;
use rabita_config::node::TlsVersion;
use rabita_core::Clock as _;
use rabita_wire::{Line, LineStatus, Served};
use rustls::crypto::aws_lc_rs as provider;
use rustls::{ClientConfig, RootCertStore, version};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::serve::wait_for_stop;
use super::{Failed, output, runtime};
use crate::machine::{MachineSecrets, WallClock};
use crate::node::telemetry;

/// What `connector host` is given.
#[derive(Debug, clap::Args)]
pub(super) struct HostArguments {
    /// The host's configuration directory: `host.yaml`, and `registries` with the manifests.
    #[arg(long, value_name = "DIR")]
    config: PathBuf,
}

pub(super) fn run(arguments: &HostArguments) -> Result<ExitCode, Failed> {
    let host = load(&arguments.config)?;
    runtime()?.block_on(async {
        let _log = telemetry::log(&host.spec.telemetry)?;
        serve(host).await
    })
}

/// Loads the configuration directory of a host.
pub(super) fn load(directory: &Path) -> Result<HostConfiguration, Failed> {
    let loaded = rabita_config::load_host(directory, &crate::kinds::all(), WallClock.today());
    loaded.host.ok_or_else(|| {
        output::complain(loaded.report.to_string().trim_end());
        format!("{} error(s) in {}; nothing was started", loaded.report.errors(), directory.display()).into()
    })
}

async fn serve(host: HostConfiguration) -> Result<ExitCode, Failed> {
    let served = Arc::new(open(&host).await?);
    let tls = Arc::new(client_tls(&host.directory, &host.spec.tls)?);
    let socket = tokio::net::TcpListener::bind(host.spec.admin.address)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", host.spec.admin.address))?;
    let stops = CancellationToken::new();
    let mut lines = JoinSet::new();
    let mut watches = Vec::new();
    for bus in &host.spec.buses {
        let status = watch::Sender::new(LineStatus::Down(None));
        watches.push((bus.address.clone(), status.subscribe()));
        let line = Line {
            address: bus.address.clone(),
            server_name: ServerName::try_from(bus.name().to_owned()).map_err(|_| format!("`{}` is no host name", bus.name()))?,
            tls: Arc::clone(&tls),
            served: Arc::clone(&served),
            drain: Duration::from_millis(host.spec.drain_ms),
            status,
        };
        lines.spawn(line.run(stops.clone()));
    }
    let registries: Vec<String> = served.registries().map(|registry| registry.spec.registry.to_string()).collect();
    tracing::info!(host = %host.spec.host, registries = registries.join(" "), "serving");
    tracing::info!(address = %socket.local_addr()?, "admin listening");
    let desk = tokio::spawn(admin::run(socket, Arc::clone(&served), watches));
    wait_for_stop().await?;
    tracing::info!("stopping: finishing what is under way");
    stops.cancel();
    while lines.join_next().await.is_some() {}
    desk.abort();
    for registry in served.registries() {
        registry.connector.close().await;
    }
    Ok(ExitCode::SUCCESS)
}

/// Opens the connectors. One whose legacy system is down is open too.
async fn open(host: &HostConfiguration) -> Result<Served, Failed> {
    let secrets = MachineSecrets::new(&host.directory);
    let mut served = Served::new(host.spec.host.as_str(), concat!("rabita ", env!("CARGO_PKG_VERSION")));
    for registry in &host.registries {
        let (name, kind) = (&registry.manifest.registry, &registry.manifest.connector.kind);
        let spec = registry.plan.spec.clone();
        let connector = registry.kind.open(spec.clone(), &secrets).await;
        let connector = connector.map_err(|error| format!("registry `{name}` cannot be opened: {error}"))?;
        served = served.with(spec, kind, connector);
    }
    Ok(served)
}

/// The host's certificate, and the authorities of the bus's.
fn client_tls(directory: &Path, tls: &HostTls) -> Result<ClientConfig, Failed> {
    let path = |file: &Path| directory.join(file);
    let unusable = |file: &Path, why: String| format!("{} cannot be used: {why}", path(file).display());
    let certificates = |file: &Path| -> Result<Vec<CertificateDer<'static>>, Failed> {
        let read = CertificateDer::pem_file_iter(path(file)).and_then(Iterator::collect);
        Ok(read.map_err(|error| unusable(file, error.to_string()))?)
    };
    let mut roots = RootCertStore::empty();
    for authority in certificates(&tls.bus_authorities)? {
        roots.add(authority).map_err(|error| unusable(&tls.bus_authorities, error.to_string()))?;
    }
    let key = PrivateKeyDer::from_pem_file(path(&tls.key)).map_err(|error| unusable(&tls.key, error.to_string()))?;
    let versions: &[_] = match tls.min_version {
        TlsVersion::V1_2 => &[&version::TLS13, &version::TLS12],
        TlsVersion::V1_3 => &[&version::TLS13],
    };
    let mut client = ClientConfig::builder_with_provider(Arc::new(provider::default_provider()))
        .with_protocol_versions(versions)?
        .with_root_certificates(roots)
        .with_client_auth_cert(certificates(&tls.certificate)?, key)
        .map_err(|error| unusable(&tls.certificate, format!("it does not go with {}: {error}", tls.key.display())))?;
    client.alpn_protocols = vec![rabita_wire::ALPN.to_vec()];
    Ok(client)
}
