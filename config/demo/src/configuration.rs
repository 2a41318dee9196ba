//! The configuration directory: the files of `country/`, with the addresses of this country.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::error::DemoError;
use crate::files;

/// Where everything listens.
pub(crate) struct Addresses {
    pub(crate) bus: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) vehicles: SocketAddr,
    pub(crate) companies: SocketAddr,
    pub(crate) diplomas: SocketAddr,
}

/// Writes the configuration. The files are good as they are kept, for these usual addresses; a country that listens
/// elsewhere gets its own in their place.
pub(crate) fn write(config: &Path, addresses: &Addresses, secrets: &Secrets) -> Result<(), DemoError> {
    let replaced = [
        ("127.0.0.1:8443", addresses.bus),
        ("127.0.0.1:9090", addresses.admin),
        ("127.0.0.1:7101", addresses.vehicles),
        ("127.0.0.1:7102", addresses.companies),
        ("127.0.0.1:7103", addresses.diplomas),
    ];
    for (name, content) in FILES {
        let path = config.join(name);
        if let Some(parent) = path.parent() {
            files::make_directory(parent)?;
        }
        files::write(&path, put_in(content, &replaced).as_bytes())?;
    }
    files::make_directory(&config.join("secrets"))?;
    for (place, secret) in secrets.places(config) {
        files::write_secret(&place, secret.as_bytes())?;
    }
    Ok(())
}

/// The files of the secrets: of vehicles, companies and diplomas.
const SECRETS: [&str; 3] = ["vehicles.password", "companies.secret", "diplomas.key"];

/// What the bus and the legacy servers share: drawn anew for each country.
pub(crate) struct Secrets {
    pub(crate) vehicles: String,
    pub(crate) companies: String,
    pub(crate) diplomas: String,
}

impl Secrets {
    pub(crate) fn draw() -> Self {
        let one = || uuid::Uuid::new_v4().simple().to_string();
        Self { vehicles: one(), companies: one(), diplomas: one() }
    }

    /// Those of a country that was made before.
    pub(crate) fn read(config: &Path) -> Result<Self, DemoError> {
        let [vehicles, companies, diplomas] = SECRETS.map(|name| files::read(&config.join("secrets").join(name)));
        Ok(Self { vehicles: vehicles?, companies: companies?, diplomas: diplomas? })
    }

    fn places(&self, config: &Path) -> [(PathBuf, &str); 3] {
        let [vehicles, companies, diplomas] = SECRETS.map(|name| config.join("secrets").join(name));
        [(vehicles, &self.vehicles), (companies, &self.companies), (diplomas, &self.diplomas)]
    }
}

/// All addresses at once: one after the other, a new address could be taken for a usual one.
fn put_in(content: &str, replaced: &[(&str, SocketAddr)]) -> String {
    let mut written = String::with_capacity(content.len());
    let mut rest = content;
    loop {
        let next =
            replaced.iter().filter_map(|(usual, own)| rest.find(usual).map(|at| (at, usual, own))).min_by_key(|found| found.0);
        let Some((at, usual, own)) = next else {
            written.push_str(rest);
            return written;
        };
        written.push_str(&rest[..at]);
        written.push_str(&own.to_string());
        rest = &rest[at + usual.len()..];
    }
}

macro_rules! files {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../country/", $name))),)*]
    };
}

const FILES: &[(&str, &str)] = files! {
    "rabita.yaml"
    "agencies.yaml"
    "transparency.yaml"
    "systems/asan-portal.yaml"
    "systems/mobile-unit.yaml"
    "systems/interior-audit.yaml"
    "registries/population.yaml"
    "registries/vehicles.yaml"
    "registries/companies.yaml"
    "registries/properties.yaml"
    "registries/diplomas.yaml"
    "codes/countries.csv"
    "grants/interior/population.yaml"
    "grants/vehicles.yaml"
    "grants/companies.yaml"
    "grants/properties.yaml"
    "grants/diplomas.yaml"
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_file_that_is_kept_is_written() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("country");
        let mut kept = BTreeSet::new();
        let mut left = vec![root.clone()];
        while let Some(directory) = left.pop() {
            for entry in std::fs::read_dir(&directory).expect("a directory") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    left.push(path);
                } else {
                    kept.insert(path.strip_prefix(&root).expect("a file below").to_string_lossy().into_owned());
                }
            }
        }
        assert_eq!(kept, FILES.iter().map(|(name, _)| (*name).to_owned()).collect());
    }

    #[test]
    fn an_address_that_looks_like_a_usual_one_is_not_replaced_again() {
        let addresses =
            [("127.0.0.1:1", SocketAddr::from(([127, 0, 0, 1], 2))), ("127.0.0.1:2", SocketAddr::from(([127, 0, 0, 1], 3)))];
        assert_eq!(put_in("a 127.0.0.1:1 b 127.0.0.1:2", &addresses), "a 127.0.0.1:2 b 127.0.0.1:3");
    }
}
