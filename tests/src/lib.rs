//! What starts the real servers that tests need, and stops them.
//!
//! Each server runs on a free port of the loopback with its files in a directory of its own, and ends with the value
//! that holds it or with the test process, however that ends. What cannot start fails the test and says what to
//! install; no test passes because its server is missing.
//!
//! The tests themselves stand beside this in `tests/tests/`. Knows no connector. Start with [`postgres`], or with [`bus`]
//! for the whole bus in one process.

pub mod bus;

pub mod faults;
pub mod kafka;

pub mod mariadb;
pub mod nginx;
pub mod node;
pub mod odbc;
pub mod openldap;
pub mod port;
pub mod postgres;
pub mod process;
pub mod python;
pub mod rabbitmq;
pub mod real;
pub mod scratch;
pub mod sshd;

pub use kafka::Kafka;
pub use mariadb::Mariadb;
pub use nginx::Nginx;
pub use node::{NodeServer, run_node};
pub use openldap::Openldap;
pub use postgres::Postgres;
pub use python::PythonConnector;
pub use rabbitmq::Rabbitmq;
pub use rabita_battery::{Fault, Proxy, SilentPort, eventually};
pub use sshd::Sshd;
