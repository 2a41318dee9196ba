//! The keys that sign: private keys from files and from PKCS #11 modules, and the public keys that verify.
//!
//! Ed25519, and ECDSA on P-256 with SHA-256, by aws-lc-rs. What is signed with them is the business of others: answers
//! are signed by the server in the form that `rabita-contract` gives, checkpoints by `rabita-ledger`.
//!
//! Depends on no other crate of the workspace. Start with [`SigningKey`]; [`pkcs11`] is for keys that never leave
//! their token.

pub mod key;
pub mod verifying;

mod pkcs11;

pub use key::{Algorithm, KeyError, SigningKey};
pub use verifying::VerifyingKey;
