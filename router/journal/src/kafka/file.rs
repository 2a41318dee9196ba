//! The file of the node's view: opens it, and knows which node and which cluster it is of.

use std::path::Path;

use rusqlite::Connection;

use crate::JournalError;
use crate::kafka::view;
use crate::store::kept;
use crate::store::schema::{self, Durability};

/// The mark of the node's name.
const NODE: &str = "node";
/// The mark of the cluster that the view is of.
const CLUSTER: &str = "cluster";

/// The view's file; a new one where what is there cannot be read, since all of it is in the topics.
pub(super) fn open_view(file: &Path) -> Result<Connection, JournalError> {
    let open = || {
        let connection = schema::open(file, Durability::View)?;
        view::open(&connection)?;
        Ok(connection)
    };
    match open() {
        Err(JournalError::Corrupt(why)) => {
            tracing::warn!(why, "the view of the journal is built anew");
            for end in ["", "-wal", "-shm"] {
                let mut path = file.as_os_str().to_owned();
                path.push(end);
                // It may not be there; where it cannot be removed, opening it tells.
                let _ = std::fs::remove_file(path);
            }
            open()
        }
        opened => opened,
    }
}

/// The node's own name, given to it when the view is opened first.
pub(super) fn node(connection: &Connection) -> Result<String, JournalError> {
    if let Some(node) = kept::mark(connection, NODE)? {
        return Ok(node);
    }
    let node = uuid::Uuid::new_v4().simple().to_string();
    kept::set_mark(connection, NODE, &node)?;
    Ok(node)
}

/// Makes the view one of this cluster.
pub(super) fn belong(connection: &Connection, cluster: &str) -> Result<(), JournalError> {
    let known = kept::mark(connection, CLUSTER)?;
    if known.as_deref() == Some(cluster) {
        return Ok(());
    }
    if known.is_some() {
        tracing::warn!("the brokers are another cluster than before: the view of the journal is built anew");
        view::forget(connection)?;
    }
    kept::set_mark(connection, CLUSTER, cluster)
}
