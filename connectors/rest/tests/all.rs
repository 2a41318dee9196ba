//! The connector against stand-ins and against servers that lie.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

#[path = "all/acting.rs"]
mod acting;
#[path = "all/changes.rs"]
mod changes;
#[path = "all/check.rs"]
mod check;
#[path = "all/paging.rs"]
mod paging;
#[expect(dead_code, reason = "the tests of the client use more of it")]
#[path = "../../http/tests/all/raw.rs"]
mod raw;
#[path = "all/reads.rs"]
mod reads;
#[path = "all/support.rs"]
mod support;
