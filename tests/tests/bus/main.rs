//! The whole bus from outside: over real TLS, in front of registries that misbehave on demand.

mod contract;
