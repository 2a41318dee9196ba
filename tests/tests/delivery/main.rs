//! Delivery as a caller and an operator see it, on a registry that does exactly what a test says.
//!
//! The registry is a connector of a kind of its own, in this process; all the rest is the bus as it is shipped. What
//! real servers do is the business of the battery and of the tests of faults.

mod scripted;

mod doubt;
mod order;
mod parked;
mod retries;
