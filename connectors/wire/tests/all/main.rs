//! The wire contract: its messages word for word, and calls over connections that break.

mod golden;
mod links;
mod pools;
mod scripted;
mod stand_in;
mod versions;
