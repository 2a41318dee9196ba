//! The bytes that entries hold, each kind a type of its own, as Base64 of the alphabet for URLs without padding.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

macro_rules! bytes {
    ($(#[$doc:meta])* $type:ident, $inner:ty) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(pub $inner);

        impl TryFrom<String> for $type {
            type Error = &'static str;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| "this is not Base64 for URLs without padding")?;
                bytes.try_into().map(Self).map_err(|_| "this has another length")
            }
        }

        impl From<$type> for String {
            fn from(bytes: $type) -> Self {
                URL_SAFE_NO_PAD.encode(bytes.0)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&URL_SAFE_NO_PAD.encode(&self.0))
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

bytes!(
    /// Stands for a person: the first half of a keyed HMAC-SHA256 of the personal number. In an entry, of one exchange.
    Pseudonym,
    [u8; 16]
);
bytes!(
    /// A keyed HMAC-SHA256 of the SHA-256 of what was said.
    KeyedDigest,
    [u8; 32]
);
bytes!(
    /// What is encrypted: the nonce, the text, and the tag of AES-256-GCM.
    Sealed,
    Vec<u8>
);
bytes!(
    /// A hash of the log's tree, in a proof that is kept outside the log.
    TreeHash,
    [u8; 32]
);
