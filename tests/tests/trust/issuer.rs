//! An issuer of access tokens that makes whatever token a test wants, with no library that the bus uses to read them.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaPublicKeyComponents,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rabita_tests::bus::{Bus, Caller, Country, GRANT_ALL, Mood, Speaks, Upstream};
use serde_json::{Value, json};

pub const ISSUER: &str = "https://id.example";
pub const AUDIENCE: &str = "https://bus.example";

/// A key with which tokens are signed.
pub struct SigningKey {
    pub kid: String,
    private: Private,
}

enum Private {
    Rsa(Box<RsaKeyPair>),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    pub fn rsa(kid: &str) -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("the machine has randomness");
        Self { kid: kid.to_owned(), private: Private::Rsa(Box::new(pair)) }
    }

    pub fn p256(kid: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("the machine has randomness");
        Self { kid: kid.to_owned(), private: Private::P256(pair) }
    }

    pub fn ed25519(kid: &str) -> Self {
        Self { kid: kid.to_owned(), private: Private::Ed25519(Ed25519KeyPair::generate().expect("the machine has randomness")) }
    }

    /// The algorithm that its tokens name.
    pub fn algorithm(&self) -> &'static str {
        match &self.private {
            Private::Rsa(_) => "RS256",
            Private::P256(_) => "ES256",
            Private::Ed25519(_) => "EdDSA",
        }
    }

    /// The public half (RFC 7517).
    pub fn jwk(&self) -> Value {
        let mut jwk = match &self.private {
            Private::Rsa(pair) => {
                let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                json!({ "kty": "RSA", "n": encoded(&public.n), "e": encoded(&public.e) })
            }
            Private::P256(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "x": encoded(x), "y": encoded(y) })
            }
            Private::Ed25519(pair) => json!({ "kty": "OKP", "crv": "Ed25519", "x": encoded(pair.public_key().as_ref()) }),
        };
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }

    /// Forms in which a careless verifier would take an RSA public key for a shared secret.
    pub fn as_secrets(&self) -> Vec<Vec<u8>> {
        let Private::Rsa(pair) = &self.private else { panic!("an RSA key is wanted") };
        let der = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).expect("a public key can be written");
        let lines: Vec<String> = STANDARD.encode(der.as_ref()).as_bytes().chunks(64).map(text).collect();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"));
        let n = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key()).n;
        vec![
            pem.trim_end().as_bytes().to_vec(),
            pem.into_bytes(),
            der.as_ref().to_vec(),
            pair.public_key().as_ref().to_vec(),
            encoded(&n).into_bytes(),
            n,
            self.jwk().to_string().into_bytes(),
            Vec::new(),
        ]
    }

    fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        match &self.private {
            Private::Rsa(pair) => {
                let padding = if algorithm == "PS256" {
                    &RSA_PSS_SHA256 as &dyn aws_lc_rs::signature::RsaEncoding
                } else {
                    &RSA_PKCS1_SHA256
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &SystemRandom::new(), message, &mut signature).expect("an RSA key signs");
                signature
            }
            Private::P256(pair) => pair.sign(&SystemRandom::new(), message).expect("an EC key signs").as_ref().to_vec(),
            Private::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// A token that holds, but for what is changed about its header and its claims; `null` takes a member away.
    pub fn token(&self, header: &Value, claims: &Value) -> String {
        let header = self.header(header);
        let message = message(&header, claims);
        let signature = self.sign(header["alg"].as_str().unwrap_or_default(), message.as_bytes());
        format!("{message}.{}", encoded(&signature))
    }

    /// The same with what `sign` makes in the signature's place.
    pub fn token_signed(&self, header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
        let message = message(&self.header(header), claims);
        format!("{message}.{}", encoded(&sign(message.as_bytes())))
    }

    /// A token with exactly these claims, as text.
    pub fn token_of(&self, claims: &str) -> String {
        let header = self.header(&json!({})).to_string();
        let message = format!("{}.{}", encoded(header.as_bytes()), encoded(claims.as_bytes()));
        format!("{message}.{}", encoded(&self.sign(self.algorithm(), message.as_bytes())))
    }

    /// A token that holds.
    pub fn good(&self) -> String {
        self.token(&json!({}), &json!({}))
    }

    fn header(&self, changes: &Value) -> Value {
        changed(json!({ "alg": self.algorithm(), "typ": "at+jwt", "kid": self.kid }), changes)
    }
}

/// What is signed of a token: its header, and the usual claims with these changes.
fn message(header: &Value, claims: &Value) -> String {
    let now = jiff::Timestamp::now().as_second();
    let id = uuid::Uuid::new_v4().to_string();
    let usual = json!({ "iss": ISSUER, "aud": AUDIENCE, "exp": now + 300, "iat": now, "jti": id, "client_id": "service", "sub": "service" });
    format!("{}.{}", encoded(header.to_string().as_bytes()), encoded(changed(usual, claims).to_string().as_bytes()))
}

fn changed(mut value: Value, changes: &Value) -> Value {
    let members = value.as_object_mut().expect("an object");
    for (name, change) in changes.as_object().expect("an object") {
        members.insert(name.clone(), change.clone());
    }
    members.retain(|_, member| !member.is_null());
    value
}

pub fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The keys of an issuer as it publishes them.
pub fn set(keys: &[&SigningKey]) -> String {
    let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
    json!({ "keys": keys }).to_string()
}

/// A bus that accepts the tokens of an issuer, whose keys are fetched from its address.
pub struct Scene {
    pub upstream: Upstream,
    /// Where the issuer publishes its keys.
    pub issuer: Upstream,
    pub key: SigningKey,
    pub country: Country,
    pub bus: Bus,
}

impl Scene {
    /// With this key, and more said of the issuer: `, key: value`.
    pub async fn with(key: SigningKey, more: &str) -> Self {
        let (upstream, issuer) = (Upstream::start().await, Upstream::with(Vec::new()).await);
        issuer.is(Mood::json(set(&[&key])));
        let country = country(&upstream, &format!("{{ url: \"{}/jwks\" }}", issuer.url()), more);
        let bus = country.start().await;
        Self { upstream, issuer, key, country, bus }
    }

    pub async fn start() -> Self {
        Self::with(SigningKey::p256("first"), "").await
    }

    /// Whoever has no certificate.
    pub fn nobody(&self) -> Caller {
        Caller::new(self.bus.optional, None, Speaks::Either)
    }

    /// The keys that the issuer has from now on.
    pub fn publish(&self, keys: &[&SigningKey]) {
        self.issuer.is(Mood::json(set(keys)));
    }
}

/// A configuration with the registry `people`, and a system `service` that is known by the tokens of an issuer whose keys
/// are here.
pub fn country(upstream: &Upstream, keys: &str, more: &str) -> Country {
    country_of(upstream, ISSUER, AUDIENCE, keys, more)
}

/// The same with another issuer, and for both of its clients.
pub fn country_of(upstream: &Upstream, issuer: &str, audience: &str, keys: &str, more: &str) -> Country {
    let country = Country::with_people(upstream.url());
    country.node(&format!("identity: {{ issuers: [{{ issuer: \"{issuer}\", audience: \"{audience}\", keys: {keys}{more} }}] }}"));
    let of = |client: &str| format!("{{ issuer: \"{issuer}\", client_id: {client} }}");
    let tokens = format!("tokens: [{}, {}]", of("service"), of("bound-service"));
    country.file("systems/service.yaml", &format!("system: service\nagency: asan\n{tokens}\n"));
    country.grants("people", &[GRANT_ALL, &GRANT_ALL.replace("portal", "service")]);
    country
}
