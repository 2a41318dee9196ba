//! What the manifest's `connector:` says the same in each kind.

use schemars::JsonSchema;
use serde::Deserialize;

/// The table that stores the ids of changes, written in the same transaction as the change.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Once {
    /// Its name.
    #[schemars(length(min = 1))]
    pub table: String,
    /// Whether the connector creates it when it is not there. If not, a change fails with the statement to run.
    #[serde(default)]
    pub create: bool,
    /// For how many days an id is kept. A change that is sent again later than that is applied again.
    #[serde(default = "Once::default_keep_days")]
    #[schemars(range(min = 1, max = 36_500))]
    pub keep_days: u32,
}

impl Once {
    const fn default_keep_days() -> u32 {
        30
    }
}
