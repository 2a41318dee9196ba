//! The ledger as the node has it: what is written, what is found again, what is forgotten, what can be proven.

#[path = "ledger/archived.rs"]
mod archived;
#[path = "ledger/counted.rs"]
mod counted;
#[path = "ledger/forgotten.rs"]
mod forgotten;
#[path = "ledger/found.rs"]
mod found;
#[path = "ledger/kept.rs"]
mod kept;
#[path = "ledger/private.rs"]
mod private;
#[path = "ledger/proven.rs"]
mod proven;
#[path = "ledger/rebuilt.rs"]
mod rebuilt;
