//! The battery, run by each kind of connector on its real legacy system. A module says how a kind is set up.

#[path = "../hosts/door.rs"]
mod door;
mod files;
mod host;
mod ldap;
mod mariadb;
mod odbc;
mod postgres;
mod queue;
mod rest;
mod rows;
mod server;
mod soap;
mod sqlite;
mod wire_python;
