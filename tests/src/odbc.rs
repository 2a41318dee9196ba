//! Drivers of ODBC, as Debian has them.

use std::path::PathBuf;

/// The library of a driver, by its name without a directory: `psqlodbcw.so`.
///
/// # Panics
/// When it is not installed.
#[must_use]
pub fn driver(name: &str) -> PathBuf {
    // Each architecture has a directory of its own.
    let found = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path().join("odbc").join(name));
    found.into_iter().find(|path| path.is_file()).unwrap_or_else(|| {
        panic!(
            "this test needs the ODBC driver {name}, which is not here: `deploy/desk setup --servers` installs what tests need"
        )
    })
}
