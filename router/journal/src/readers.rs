//! A few connections that read a store, each on a thread on which it may block.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::JournalError;
use crate::store::schema;
use crate::writer::closed;

/// The connections. What they read is what was committed before.
#[derive(Debug)]
pub struct Readers {
    places: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
    count: u32,
}

impl Readers {
    /// Opens so many on a store that exists.
    ///
    /// # Errors
    /// As the disk fails.
    pub fn open(path: &Path, count: u32) -> Result<Self, JournalError> {
        let idle = (0..count).map(|_| schema::open_to_read(path)).collect::<Result<Vec<_>, _>>()?;
        let places = Arc::new(Semaphore::new(idle.len()));
        Ok(Self { places, idle: Arc::new(Mutex::new(idle)), count })
    }

    /// Reads, all of a question in one snapshot.
    ///
    /// # Errors
    /// What the question answers; [`JournalError::Unavailable`] after [`Readers::close`].
    pub async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| closed())?;
        let idle = Arc::clone(&self.idle);
        let asked = tokio::task::spawn_blocking(move || {
            let taken = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = taken.ok_or_else(closed)?;
            let answer = snapshot(&connection, question);
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            drop(place);
            answer
        });
        asked.await.map_err(|_| JournalError::Unavailable("a question to the store was given up".to_owned()))?
    }

    /// Waits for what is being read, and closes the connections.
    pub async fn close(&self) {
        // All places together: nobody reads then. An error says that they were closed before.
        if let Ok(all) = self.places.acquire_many(self.count).await {
            all.forget();
            self.places.close();
        }
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

fn snapshot<T>(
    connection: &Connection,
    question: impl FnOnce(&Connection) -> Result<T, JournalError>,
) -> Result<T, JournalError> {
    let transaction = connection.unchecked_transaction()?;
    question(&transaction)
}
