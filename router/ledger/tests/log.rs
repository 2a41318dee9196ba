//! The log as a whole: against published vectors, an implementation that is not ours, tampering, kill -9 and full disks.

#[path = "log/damaged.rs"]
mod damaged;
#[path = "log/foreign.rs"]
mod foreign;
#[path = "log/full.rs"]
mod full;
#[path = "log/kill.rs"]
mod kill;
#[path = "log/living.rs"]
mod living;
#[path = "log/sample.rs"]
mod sample;
#[path = "log/torn.rs"]
mod torn;
#[path = "log/vectors.rs"]
mod vectors;
#[path = "log/witnessed.rs"]
mod witnessed;
