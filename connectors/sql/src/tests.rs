//! The connector against SQLite files. `suite` holds what is the same on every database.

mod changing;
mod check;
mod double;
mod suite;
mod support;
