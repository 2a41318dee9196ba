//! Single flight: identical questions that come while one is under way share its answer.
//!
//! Whoever waits drives it; when nobody waits any more it is dropped, and with it the call to the legacy system.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};

type Share<V> = Shared<BoxFuture<'static, V>>;

/// Each flight with a number, so that one that ends takes no other off the list.
type UnderWay<K, V> = Mutex<HashMap<K, (u64, WeakShared<BoxFuture<'static, V>>)>>;

/// The flights of one entity.
pub(crate) struct Flights<K, V: Clone> {
    under_way: Arc<UnderWay<K, V>>,
    next: AtomicU64,
}

impl<K, V> Flights<K, V>
where
    K: Eq + Hash + Clone + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub fn new() -> Self {
        Self { under_way: Arc::default(), next: AtomicU64::new(0) }
    }

    /// Joins the flight of this key, or begins one. Also tells whether it was joined.
    pub fn join<F>(&self, key: K, begin: impl FnOnce() -> F) -> (Share<V>, bool)
    where
        F: Future<Output = V> + Send + 'static,
    {
        let mut under_way = lock(&self.under_way);
        if let Some(flight) = under_way.get(&key).and_then(|(_, flight)| flight.upgrade()) {
            return (flight, true);
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let ends = Ends { under_way: Arc::clone(&self.under_way), key: key.clone(), id };
        let future = begin();
        let flight = async move {
            let _ends = ends;
            future.await
        }
        .boxed()
        .shared();
        if let Some(weak) = flight.downgrade() {
            under_way.insert(key, (id, weak));
        }
        (flight, false)
    }

    #[cfg(test)]
    fn count(&self) -> usize {
        lock(&self.under_way).len()
    }
}

/// Takes a flight off the list when it ends or is dropped, unless another has taken its place.
struct Ends<K: Eq + Hash, V: Clone> {
    under_way: Arc<UnderWay<K, V>>,
    key: K,
    id: u64,
}

impl<K: Eq + Hash, V: Clone> Drop for Ends<K, V> {
    fn drop(&mut self) {
        let mut under_way = lock(&self.under_way);
        if under_way.get(&self.key).is_some_and(|(id, _)| *id == self.id) {
            under_way.remove(&self.key);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use tokio::sync::Notify;

    #[tokio::test]
    async fn those_who_come_while_one_is_under_way_share_it() {
        let flights = Flights::new();
        let begun = Arc::new(AtomicUsize::new(0));
        let gate = Arc::new(Notify::new());
        let begin = || {
            let (begun, gate) = (Arc::clone(&begun), Arc::clone(&gate));
            move || async move {
                begun.fetch_add(1, Ordering::SeqCst);
                gate.notified().await;
                7
            }
        };
        let (first, first_joined) = flights.join("a", begin());
        let first = tokio::spawn(first);
        let (second, second_joined) = flights.join("a", begin());
        assert!(!first_joined && second_joined);
        gate.notify_one();
        assert_eq!((first.await.expect("no panic"), second.await), (7, 7));
        assert_eq!(begun.load(Ordering::SeqCst), 1);
        assert_eq!(flights.count(), 0);
    }

    #[tokio::test]
    async fn one_who_leaves_does_not_end_it_for_the_others_but_the_last_one_does() {
        let flights: Flights<&str, u8> = Flights::new();
        let dropped = Arc::new(AtomicUsize::new(0));
        struct Count(Arc<AtomicUsize>);
        impl Drop for Count {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let count = Count(Arc::clone(&dropped));
        let (first, _) = flights.join("a", move || async move {
            let _count = count;
            std::future::pending::<u8>().await
        });
        let (second, joined) = flights.join("a", || std::future::ready(1));
        assert!(joined);
        drop(first);
        assert_eq!(dropped.load(Ordering::SeqCst), 0);
        drop(second);
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
        assert_eq!(flights.count(), 0);
    }
}
