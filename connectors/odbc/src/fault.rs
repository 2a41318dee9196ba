//! What an error of a driver, or of its database, means.

use odbc_api::handles::Record;
use rabita_relational::dialect::Dialect;
use rabita_relational::errors::Told;
use rabita_relational::fault::{AnyFault, Fault, Moment};
use rabita_sdk::Failure;

/// An error on a connection, and the database that it is of.
#[derive(Debug)]
pub(crate) struct OdbcFault {
    said: Said,
    dialect: Dialect,
}

#[derive(Debug)]
enum Said {
    /// The driver tells it by a diagnostic record.
    Record { state: String, number: i32, message: String, is_dead: bool },
    /// The connection's thread has ended: a driver broke off.
    Gone,
    /// A text that is not in its encoding.
    Encoding,
    /// A text with a zero in it, which drivers take for its end.
    Zero,
    /// The library between us and the driver.
    Library,
}

impl OdbcFault {
    /// An error on a connection that may have broken.
    pub(crate) fn of(error: odbc_api::Error, dialect: Dialect, is_dead: bool) -> Box<Self> {
        let said = record(error).map_or(Said::Library, |record| {
            let state = record.state.as_str().to_owned();
            // A driver that writes values into the statement would have them in what the database says of its form.
            let message = if state == "42601" { "the statement can't be read".to_owned() } else { message(&record) };
            Said::Record { is_dead: is_dead || state.starts_with("08"), state, number: record.native_error, message }
        });
        Box::new(Self { said, dialect })
    }

    pub(crate) fn gone(dialect: Dialect) -> Box<Self> {
        Box::new(Self { said: Said::Gone, dialect })
    }

    pub(crate) fn encoding(dialect: Dialect) -> Box<Self> {
        Box::new(Self { said: Said::Encoding, dialect })
    }

    pub(crate) fn zero(dialect: Dialect) -> Box<Self> {
        Box::new(Self { said: Said::Zero, dialect })
    }

    fn told(&self) -> Option<Told<'_>> {
        let Said::Record { state, number, message, is_dead: false } = &self.said else { return None };
        Some(Told { state, number: *number, message, about: String::new(), is_outdated: false })
    }
}

impl Fault for OdbcFault {
    fn failure(&self, moment: Moment) -> Failure {
        let broke = |detail: String| match moment {
            Moment::Committing => Failure::Unknown { detail },
            Moment::Reading | Moment::Changing => Failure::unavailable(detail),
        };
        match &self.said {
            Said::Record { state, number, is_dead: true, .. } => {
                broke(format!("the connection broke (error {number}, SQLSTATE {state})"))
            }
            Said::Record { state, number, message, is_dead: false } => {
                let told = Told { state, number: *number, message, about: String::new(), is_outdated: false };
                match self.dialect.failure(&told, moment) {
                    Failure::Unavailable { detail, .. } if !self.dialect.is_rolled_back(&told) => broke(detail),
                    failure => failure,
                }
            }
            Said::Gone => broke("the ODBC driver broke off".into()),
            Said::Encoding => Failure::malformed("a value is not what its column's type says, or not in its encoding"),
            Said::Zero if moment == Moment::Reading => {
                Failure::unsupported("a text with a zero in it can't be told to an ODBC driver")
            }
            Said::Zero => Failure::refused("a text has a zero in it, which an ODBC driver takes for its end"),
            Said::Library => Failure::malformed("the ODBC driver's answer does not follow the interface"),
        }
    }

    fn can_not_be(&self) -> bool {
        matches!(self.said, Said::Zero) || self.told().is_some_and(|told| self.dialect.can_not_be(&told))
    }

    fn is_duplicate(&self) -> bool {
        self.told().is_some_and(|told| self.dialect.is_duplicate(&told))
    }

    fn is_table_absent(&self) -> bool {
        self.told().is_some_and(|told| self.dialect.is_table_absent(&told))
    }

    fn is_table_there(&self) -> bool {
        self.told().is_some_and(|told| self.dialect.is_table_there(&told))
    }

    fn spares_connection(&self) -> bool {
        match &self.said {
            Said::Encoding | Said::Zero => true,
            Said::Gone | Said::Library => false,
            Said::Record { .. } => {
                self.told().is_some()
                    && !matches!(self.failure(Moment::Reading), Failure::Unavailable { .. } | Failure::TimedOut { .. })
            }
        }
    }
}

/// Why there is no connection.
pub(crate) fn unreachable(error: odbc_api::Error) -> Failure {
    let Some(record) = record(error) else {
        return Failure::unavailable("the ODBC driver manager can't be used");
    };
    let detail = format!("error {}, SQLSTATE {}", record.native_error, record.state.as_str());
    Failure::unavailable(match record.state.as_str() {
        "IM002" => format!("{detail}: there is no such data source, or no `driver`"),
        "IM003" | "IM004" | "IM005" => format!("{detail}: the ODBC driver can't be loaded: look at `driver`"),
        "01000" if message(&record).contains("open lib") => {
            format!("{detail}: the library of the ODBC driver, or one that it needs, is not there: look at `driver`")
        }
        "28000" => format!("{detail}: the database refuses the user"),
        _ => format!("no connection to the database ({detail})"),
    })
}

/// A failure as one of a connection's set-up.
pub(crate) fn unusable(fault: &AnyFault) -> Failure {
    match fault.failure(Moment::Reading) {
        Failure::TimedOut { detail } => Failure::TimedOut { detail },
        Failure::Unavailable { detail, retry_after } => Failure::Unavailable { detail, retry_after },
        Failure::Unsupported { detail }
        | Failure::Malformed { detail }
        | Failure::Refused { detail, .. }
        | Failure::Unknown { detail } => Failure::unavailable(format!("a new connection could not be set up: {detail}")),
    }
}

fn record(error: odbc_api::Error) -> Option<Record> {
    use odbc_api::Error;
    match error {
        Error::Diagnostics { record, .. }
        | Error::UnsupportedOdbcApiVersion(record)
        | Error::InvalidRowArraySize { record, .. }
        | Error::UnableToRepresentNull(record)
        | Error::OracleOdbcDriverDoesNotSupport64Bit(record) => Some(record),
        _ => None,
    }
}

/// The database's own words: drivers put before them who passed them on, each in brackets.
fn message(record: &Record) -> String {
    let text = String::from_utf16_lossy(&record.message);
    let mut rest = text.as_str();
    while let Some((_, after)) = rest.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        rest = after.trim_start();
    }
    let first = rest.trim_start_matches("ERROR: ").split('\n').next().unwrap_or_default();
    first.trim_end_matches([';', ' ']).to_owned()
}
