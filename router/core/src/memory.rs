//! An entity's memory of answers: fresh for a while, and after that good only when the registry fails.

use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::future::Cache;
use rabita_sdk::manifest;

use crate::registry::{Fetched, Question};

/// The remembered answers of one entity.
pub(crate) struct Memory {
    fresh: Duration,
    cache: Cache<Arc<Question>, (Fetched, Instant)>,
}

/// An answer out of memory.
pub(crate) struct Remembered {
    pub fetched: Fetched,
    pub age: Duration,
    pub is_fresh: bool,
}

impl Memory {
    pub fn new(spec: &manifest::Cache) -> Self {
        let fresh = Duration::from_millis(spec.ttl_ms);
        let kept = fresh + Duration::from_millis(spec.stale_if_error_ms);
        Self { fresh, cache: Cache::builder().max_capacity(spec.entries).time_to_live(kept).build() }
    }

    /// What is remembered of a question.
    pub async fn recall(&self, question: &Arc<Question>) -> Option<Remembered> {
        let (fetched, at) = self.cache.get(question).await?;
        let age = at.elapsed();
        Some(Remembered { fetched, age, is_fresh: age < self.fresh })
    }

    /// Forgets all answers: a record has changed, and a search can hold any.
    pub fn forget(&self) {
        self.cache.invalidate_all();
    }

    /// Remembers an answer.
    pub async fn keep(&self, question: Arc<Question>, fetched: Fetched) {
        self.cache.insert(question, (fetched, Instant::now())).await;
    }
}
