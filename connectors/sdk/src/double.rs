//! A stand-in for a legacy system, for the tests in manifests: what it is connected by, and what it was asked.

use std::sync::Arc;

use serde_json::Value;

use crate::Connector;

/// A connector on a stand-in.
pub struct Double {
    pub connector: Arc<dyn Connector>,
    /// What the connector asked that the fixture did not foresee, told after the test.
    pub complaints: Box<dyn Fn() -> Vec<String> + Send + Sync>,
    /// What the stand-in was asked; `None` of a kind that cannot tell.
    pub asked: Option<Asked>,
}

/// What a stand-in was asked so far, in the order in which it came: each question in the form of
/// [`crate::Kind::asked_schema`], with all its members. Holds values: for fixtures only.
pub type Asked = Box<dyn Fn() -> Vec<Value> + Send + Sync>;

impl Double {
    /// A stand-in that cannot tell what it was asked.
    #[must_use]
    pub fn new(connector: Arc<dyn Connector>, complaints: impl Fn() -> Vec<String> + Send + Sync + 'static) -> Self {
        Self { connector, complaints: Box::new(complaints), asked: None }
    }

    /// The stand-in, which tells what it was asked. Its kind has to have [`crate::Kind::asked_schema`].
    #[must_use]
    pub fn telling(mut self, asked: impl Fn() -> Vec<Value> + Send + Sync + 'static) -> Self {
        self.asked = Some(Box::new(asked));
        self
    }
}
