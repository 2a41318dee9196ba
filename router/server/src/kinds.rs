//! The connector kinds of this binary. A new kind is added here.

use std::sync::Arc;

use rabita_sdk::Kinds;

/// All kinds.
#[must_use]
pub fn all() -> Kinds {
    Kinds::new(vec![
        rabita_sql::kind(),
        rabita_odbc::kind(),
        rabita_rest::kind(),
        Arc::new(rabita_soap::Soap),
        rabita_queue::kind(),
        rabita_ldap::kind(),
        rabita_files::kind(),
        rabita_wire::kind(),
    ])
}
