//! Seals a search's cursor, so that it can be neither read nor made up: it holds the last record's key.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rabita_model::{Code, Refusal};

/// The keys that cursors are sealed with.
pub struct Seal {
    seals: LessSafeKey,
    nonces: hmac::Key,
}

impl Seal {
    /// A key made of a secret, so that all nodes that share the secret take each other's cursors.
    pub fn from_secret(secret: &[u8]) -> Self {
        let key = digest(&SHA256, secret);
        Self::new(key.as_ref())
    }

    /// A key that ends with the process.
    pub fn random() -> Self {
        let mut key = [0; 32];
        rand::fill(&mut key).expect("the system gives random bytes");
        Self::new(&key)
    }

    fn new(key: &[u8]) -> Self {
        let seals = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("a SHA-256 has the length of the key"));
        let nonces = digest(&SHA256, &[key, b"nonces"].concat());
        Self { seals, nonces: hmac::Key::new(hmac::HMAC_SHA256, nonces.as_ref()) }
    }

    /// Seals a cursor to the search that it belongs to. The same cursor of the same search is sealed alike, so that the
    /// same page has the same `ETag`; the nonce is a keyed hash of both, so no other text shares it.
    pub fn seal(&self, cursor: &str, search: &[u8]) -> String {
        let mut mac = hmac::Context::with_key(&self.nonces);
        mac.update(&(search.len() as u64).to_be_bytes());
        mac.update(search);
        mac.update(cursor.as_bytes());
        let mut nonce = [0; NONCE_LEN];
        nonce.copy_from_slice(&mac.sign().as_ref()[..NONCE_LEN]);
        let mut sealed = nonce.to_vec();
        let mut text = cursor.as_bytes().to_vec();
        self.seals
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(search), &mut text)
            .expect("a cursor is shorter than AES-GCM's limit");
        sealed.append(&mut text);
        URL_SAFE_NO_PAD.encode(sealed)
    }

    /// Opens a cursor of this very search.
    pub fn open(&self, sealed: &str, search: &[u8]) -> Result<String, Refusal> {
        let refused = || Refusal::new(Code::CursorInvalid);
        let bytes = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| refused())?;
        let (nonce, text) = bytes.split_at_checked(NONCE_LEN).ok_or_else(refused)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| refused())?;
        let mut text = text.to_vec();
        let open = self.seals.open_in_place(nonce, Aad::from(search), &mut text).map_err(|_| refused())?;
        String::from_utf8(open.to_vec()).map_err(|_| refused())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_what_it_sealed_for_the_same_search_and_nothing_else() {
        let seal = Seal::from_secret(b"a secret of the nodes");
        let sealed = seal.seal("5ZJBKH7", b"search");
        assert!(!sealed.contains("5ZJBKH7"));
        assert_eq!(seal.seal("5ZJBKH7", b"search"), sealed);
        assert_ne!(seal.seal("5ZJBKH7", b"another"), sealed);
        assert_eq!(Seal::from_secret(b"a secret of the nodes").open(&sealed, b"search").ok().as_deref(), Some("5ZJBKH7"));
        for (cursor, search) in [(sealed.as_str(), &b"other"[..]), ("", b"search"), ("AAAA", b"search"), ("!", b"search")] {
            assert!(seal.open(cursor, search).is_err());
        }
        assert!(Seal::random().open(&sealed, b"search").is_err());
    }
}
