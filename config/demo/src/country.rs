//! Making the country, or taking it up again: everything in one directory, and the legacy servers ready to serve.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use axum::Router;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::certificates::{Certificates, write_signing_key};
use crate::configuration::{self, Addresses, Secrets};
use crate::error::DemoError;
use crate::people::People;
use crate::server::{Place, Servers};
use crate::{companies, companies_rest, diplomas, diplomas_rest, files, land, population, vehicles, vehicles_soap};

/// What the country is made like.
#[derive(Debug, Clone)]
pub struct Options {
    pub citizens: usize,
    /// The same seed makes the same country, but for its certificates.
    pub seed: u64,
    /// The port at which the bus will listen for callers.
    pub bus_port: u16,
    /// The port at which the bus will listen for operators.
    pub admin_port: u16,
    /// The ports of the legacy servers, for vehicles, companies and diplomas; 0 takes a free one.
    pub registry_ports: [u16; 3],
    /// The day from which the certificates hold.
    pub today: Date,
}

impl Options {
    /// Ten thousand citizens, the usual ports, and free ones for the legacy servers.
    #[must_use]
    pub const fn new(today: Date) -> Self {
        Self { citizens: 10_000, seed: 1992, bus_port: 8443, admin_port: 9090, registry_ports: [0; 3], today }
    }
}

/// A country that was made.
pub struct Country {
    /// Where everything is.
    pub directory: PathBuf,
    /// The configuration directory, for `rabita serve` and `rabita check`.
    pub config: PathBuf,
    pub certificates: Certificates,
    /// Where the bus is told to listen for callers.
    pub bus: SocketAddr,
    /// Where the bus is told to listen for operators.
    pub admin: SocketAddr,
    /// A person whose row nobody can read, where the country is large enough to have one.
    pub unreadable: Option<String>,
    /// The ledger of the bus.
    pub ledger: PathBuf,
    /// A register is closed while a file of its name is here.
    pub closed: PathBuf,
    /// Another family's numbers, for commands that ask for several.
    pub others: Vec<String>,
    /// A child, where the country is large enough to have one beside the family that is shown.
    pub child: Option<String>,
    /// A company that is active, and that is shown nowhere.
    pub active: Option<String>,
    places: Vec<(Place, Router)>,
    /// Keeps others from making the directory anew.
    _held: File,
}

/// Makes a country in this directory. One that the demo made before is made anew; one that holds something else is
/// refused.
///
/// # Errors
/// When something can't be written or a port can't be had.
pub async fn build(directory: &Path, options: &Options) -> Result<Country, DemoError> {
    let held = files::make_anew(directory)?;
    let paths = Paths::of(directory)?;
    files::make_directory(&paths.registers)?;
    files::make_directory(&paths.closed)?;

    let people = People::generate(options.citizens, options.seed);
    let places = Places::take(options.registry_ports).await?;
    let secrets = Secrets::draw();
    let addresses = places.addresses(options.bus_port, options.admin_port);
    configuration::write(&paths.config, &addresses, &secrets)?;
    Certificates::write(&paths.config.join("tls"), &paths.clients, options.today)?;
    write_signing_key(&paths.config.join("secrets/signing.pem"))?;
    population::write(&paths.registers.join("population.db"), &people, options.seed).await?;
    land::write(&paths.registers.join("land.db"), &land::parcels(&people, options.seed), options.seed).await?;
    Kept::of(options, &addresses).write(&paths.kept)?;
    open(paths, &people, options.seed, places, &addresses, secrets, held)
}

/// Takes up a country that [`build`] made in this directory, as it was left: its registries, its configuration, its ports.
///
/// # Errors
/// When no country is there, a demo runs on it, or a port can't be had.
pub async fn keep(directory: &Path) -> Result<Country, DemoError> {
    let held = files::keep(directory)?;
    let paths = Paths::of(directory)?;
    let kept = Kept::read(&paths.kept)?;
    let people = People::generate(kept.citizens, kept.seed);
    let places = Places::take(kept.registry_ports).await?;
    let addresses = places.addresses(kept.bus_port, kept.admin_port);
    let secrets = Secrets::read(&paths.config)?;
    open(paths, &people, kept.seed, places, &addresses, secrets, held)
}

/// What is where in the scratch directory.
struct Paths {
    directory: PathBuf,
    config: PathBuf,
    clients: PathBuf,
    registers: PathBuf,
    /// Where the configuration has the bus keep its ledger.
    ledger: PathBuf,
    /// Holds a file for each register that is closed for the time being.
    closed: PathBuf,
    kept: PathBuf,
}

impl Paths {
    fn of(directory: &Path) -> Result<Self, DemoError> {
        let failed = |source| DemoError::File { path: directory.to_owned(), source };
        let directory = std::path::absolute(directory).map_err(failed)?;
        let [config, clients, registers, ledger, closed, kept] =
            ["config", "clients", "registers", "ledger", "closed", "country.json"].map(|name| directory.join(name));
        Ok(Self { directory, config, clients, registers, ledger, closed, kept })
    }
}

/// What has to be known to take a country up again.
#[derive(Serialize, Deserialize)]
struct Kept {
    citizens: usize,
    seed: u64,
    bus_port: u16,
    admin_port: u16,
    registry_ports: [u16; 3],
}

impl Kept {
    fn of(options: &Options, addresses: &Addresses) -> Self {
        let Options { citizens, seed, bus_port, admin_port, .. } = *options;
        let registry_ports = [addresses.vehicles, addresses.companies, addresses.diplomas].map(|address| address.port());
        Self { citizens, seed, bus_port, admin_port, registry_ports }
    }

    fn write(&self, path: &Path) -> Result<(), DemoError> {
        let unreadable = |error: serde_json::Error| DemoError::Unreadable { path: path.to_owned(), why: error.to_string() };
        files::write(path, &serde_json::to_vec_pretty(self).map_err(unreadable)?)
    }

    fn read(path: &Path) -> Result<Self, DemoError> {
        let text = files::read(path)?;
        serde_json::from_str(&text).map_err(|error| DemoError::Unreadable { path: path.to_owned(), why: error.to_string() })
    }
}

/// The legacy servers' ports, taken.
struct Places {
    vehicles: Place,
    companies: Place,
    diplomas: Place,
}

impl Places {
    async fn take(ports: [u16; 3]) -> Result<Self, DemoError> {
        let [vehicles, companies, diplomas] = ports;
        Ok(Self {
            vehicles: Place::take("vehicles", vehicles).await?,
            companies: Place::take("companies", companies).await?,
            diplomas: Place::take("diplomas", diplomas).await?,
        })
    }

    fn addresses(&self, bus_port: u16, admin_port: u16) -> Addresses {
        Addresses {
            bus: SocketAddr::from(([127, 0, 0, 1], bus_port)),
            admin: SocketAddr::from(([127, 0, 0, 1], admin_port)),
            vehicles: self.vehicles.address,
            companies: self.companies.address,
            diplomas: self.diplomas.address,
        }
    }
}

fn open(
    paths: Paths,
    people: &People,
    seed: u64,
    places: Places,
    addresses: &Addresses,
    secrets: Secrets,
    held: File,
) -> Result<Country, DemoError> {
    let changes = paths.registers.join("companies.changes");
    let companies = companies::companies(people, seed);
    let mut others = companies.iter().filter(|company| company.tin != companies::SHOWN_COMPANY);
    let active = others.find(|company| company.is_active()).map(|company| company.tin.clone());
    let companies = companies_rest::router(companies, secrets.companies, seed, &changes)?;
    let routers = vec![
        (places.vehicles, vehicles_soap::router(vehicles::vehicles(people, seed), secrets.vehicles)),
        (places.companies, companies),
        (places.diplomas, diplomas_rest::router(diplomas::diplomas(people, seed), secrets.diplomas)),
    ];
    Ok(Country {
        certificates: Certificates::at(&paths.config.join("tls"), &paths.clients),
        bus: addresses.bus,
        admin: addresses.admin,
        unreadable: population::unreadable(people).map(str::to_owned),
        child: people.all.iter().skip(1).find(|person| person.is_child()).map(|person| person.pin.clone()),
        others: people.all.iter().skip(1).take(OTHERS).map(|person| person.pin.clone()).collect(),
        active,
        config: paths.config,
        ledger: paths.ledger,
        closed: paths.closed,
        directory: paths.directory,
        places: routers,
        _held: held,
    })
}

/// How many numbers the command that asks for several has beside the first.
const OTHERS: usize = 2;

impl Country {
    /// Starts the legacy servers, which have held their ports since the country was made. A second call starts none.
    pub fn serve_registries(&mut self) -> Servers {
        Servers::start(std::mem::take(&mut self.places), &self.closed)
    }
}
