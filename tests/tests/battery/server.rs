//! The server of a subject: the one that the tests share, or one of its own.

use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};

use rabita_battery::Need;

/// A running server.
pub(crate) enum Server<S: 'static> {
    Shared(&'static S),
    Own(Box<S>),
}

impl<S> Server<S> {
    /// The one that all share, or one that nobody else has.
    pub(crate) fn of(need: Need, shared: fn() -> &'static S, start: fn() -> S) -> Self {
        match need {
            Need::Shared => Self::Shared(shared()),
            Need::Alone => Self::Own(Box::new(start())),
        }
    }
}

impl<S> Deref for Server<S> {
    type Target = S;

    fn deref(&self) -> &S {
        match self {
            Self::Shared(server) => server,
            Self::Own(server) => server,
        }
    }
}

/// A name that nobody else in this process has, for what a test makes on a shared server.
pub(crate) fn own_name() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("people_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}
