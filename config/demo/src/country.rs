//! Making the country: everything into one directory, and the legacy servers ready to serve.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use axum::Router;
use jiff::civil::Date;

use crate::certificates::Certificates;
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
    /// Another family's numbers, for commands that ask for several.
    pub others: Vec<String>,
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
    let directory = std::path::absolute(directory).map_err(|source| DemoError::File { path: directory.to_owned(), source })?;
    let config = directory.join("config");
    let registers = directory.join("registers");
    files::make_directory(&registers)?;

    let people = People::generate(options.citizens, options.seed);
    let [vehicles_at, companies_at, diplomas_at] = take_places(options).await?;
    let addresses = Addresses {
        bus: SocketAddr::from(([127, 0, 0, 1], options.bus_port)),
        admin: SocketAddr::from(([127, 0, 0, 1], options.admin_port)),
        vehicles: vehicles_at.address,
        companies: companies_at.address,
        diplomas: diplomas_at.address,
    };
    let secrets = Secrets::draw();
    configuration::write(&config, &addresses, &secrets)?;
    let certificates = Certificates::write(&config.join("tls"), &directory.join("clients"), options.today)?;

    let seed = options.seed;
    population::write(&registers.join("population.db"), &people, seed).await?;
    land::write(&registers.join("land.db"), &land::parcels(&people, seed), seed).await?;
    let places = vec![
        (vehicles_at, vehicles_soap::router(vehicles::vehicles(&people, seed), secrets.vehicles)),
        (companies_at, companies_rest::router(companies::companies(&people, seed), secrets.companies, seed)),
        (diplomas_at, diplomas_rest::router(diplomas::diplomas(&people, seed), secrets.diplomas)),
    ];
    Ok(Country {
        config,
        certificates,
        bus: addresses.bus,
        admin: addresses.admin,
        unreadable: population::unreadable(&people).map(str::to_owned),
        others: people.all.iter().skip(1).take(OTHERS).map(|person| person.pin.clone()).collect(),
        directory,
        places,
        _held: held,
    })
}

/// How many numbers the command that asks for several has beside the first.
const OTHERS: usize = 2;

impl Country {
    /// Starts the legacy servers, which have held their ports since the country was made. A second call starts none.
    pub fn serve_registries(&mut self) -> Servers {
        Servers::start(std::mem::take(&mut self.places))
    }
}

async fn take_places(options: &Options) -> Result<[Place; 3], DemoError> {
    let [vehicles, companies, diplomas] = options.registry_ports;
    Ok([
        Place::take("vehicles", vehicles).await?,
        Place::take("companies", companies).await?,
        Place::take("diplomas", diplomas).await?,
    ])
}
