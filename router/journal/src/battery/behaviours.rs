//! The behaviours, each a sentence about an engine.

mod accepting;
mod delivering;
mod events;
mod keeping;
mod listing;
mod operating;
mod parking;

pub use accepting::*;
pub use delivering::*;
pub use events::*;
pub use keeping::*;
pub use listing::*;
pub use operating::*;
pub use parking::*;
