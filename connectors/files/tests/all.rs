//! What is special about files: which drops are taken and which refused, what becomes of changes when drops come, and
//! what `check` says.

#[path = "all/check.rs"]
mod check;
#[path = "all/drops.rs"]
mod drops;
#[path = "all/settling.rs"]
mod settling;
#[path = "all/support.rs"]
mod support;
