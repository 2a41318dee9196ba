//! The test vectors of RFC 9421, appendix B, by our keys.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rabita_keys::{Algorithm, SigningKey, VerifyingKey};

/// B.1.4.
const ED25519: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF
-----END PRIVATE KEY-----
";

/// B.2.6.
const ED25519_BASE: &str = r#""date": Tue, 20 Apr 2021 02:07:55 GMT
"@method": POST
"@path": /foo
"@authority": example.com
"content-type": application/json
"content-length": 18
"@signature-params": ("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519""#;
const ED25519_SIGNATURE: &str = "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==";

/// B.2.4.
const P256_BASE: &str = r#""@status": 200
"content-type": application/json
"content-digest": sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:
"content-length": 23
"@signature-params": ("@status" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-ecc-p256""#;
const P256_SIGNATURE: &str = "wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw==";

#[test]
fn signs_as_b_2_6_does() {
    let key = SigningKey::from_pem("test-key-ed25519", ED25519.as_bytes()).expect("the key of the RFC");
    assert_eq!(key.verifying().jwk()["x"], "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs");
    let signature = key.sign(ED25519_BASE.as_bytes()).expect("a signature");
    assert_eq!(STANDARD.encode(&signature), ED25519_SIGNATURE);
    key.verifying().verify(ED25519_BASE.as_bytes(), &signature).expect("a signature that verifies");
}

#[test]
fn verifies_what_b_2_4_signed() {
    let [x, y] = ["qIVYZVLCrPZHGHjP17CTW0_-D9Lfw0EkjqF7xB4FivA", "Mc4nN9LTDOBhfoUeg8Ye9WedFRhnZXZJA12Qp0zZ6F0"]
        .map(|coordinate| URL_SAFE_NO_PAD.decode(coordinate).expect("Base64"));
    let point = [&[4][..], &x, &y].concat();
    let key = VerifyingKey::from_raw("test-key-ecc-p256", Algorithm::EcdsaP256, &point).expect("the key of the RFC");
    let signature = STANDARD.decode(P256_SIGNATURE).expect("Base64");
    key.verify(P256_BASE.as_bytes(), &signature).expect("the signature of the RFC");
    assert!(key.verify(&P256_BASE.as_bytes()[1..], &signature).is_err());
}
