//! The connector kinds of this binary. A new kind is added here.

use rabita_sdk::Kinds;

/// All kinds.
#[must_use]
pub fn all() -> Kinds {
    Kinds::new(vec![rabita_sql::kind(), rabita_rest::kind(), std::sync::Arc::new(rabita_soap::Soap), rabita_ldap::kind()])
}
