//! The WS-Security header: a user's name and password, and until when a request holds.

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use rabita_sdk::{OpenError, SecretText, Secrets};

use crate::settings::Security;
use crate::xml::{Unwritable, Xml};

/// What goes into the header of every request.
pub(crate) struct Guard {
    user: Option<User>,
    timestamp_seconds: Option<u32>,
}

struct User {
    name: SecretText,
    password: SecretText,
    digest: bool,
}

/// What no two requests share.
pub(crate) struct Moment {
    pub(crate) now: Timestamp,
    pub(crate) nonce: [u8; 16],
}

impl Moment {
    /// Now, with a nonce that nobody can guess.
    pub(crate) fn now() -> Result<Self, Unrandom> {
        let mut nonce = [0; 16];
        rand::fill(&mut nonce).map_err(|_| Unrandom)?;
        Ok(Self { now: Timestamp::now(), nonce })
    }
}

/// The machine gives no random bytes.
#[derive(Debug)]
pub(crate) struct Unrandom;

impl Guard {
    /// Looks the secrets up.
    pub(crate) fn open(settings: &Security, secrets: &dyn Secrets) -> Result<Self, OpenError> {
        let user = settings.username_token.as_ref().map(|token| {
            Ok::<_, String>(User {
                name: secrets.text(&token.user)?,
                password: secrets.resolve(&token.password)?,
                digest: token.digest,
            })
        });
        let user = user.transpose().map_err(|missing| OpenError(format!("security.username_token: {missing}")))?;
        Ok(Self { user, timestamp_seconds: settings.timestamp_seconds })
    }

    /// Writes the header block. `soap` is the prefix of the envelope's namespace.
    pub(crate) fn write(&self, soap: &str, moment: &Moment, xml: &mut Xml) -> Result<(), Unwritable> {
        let must = format!("{soap}:mustUnderstand");
        xml.open("wsse:Security", [("xmlns:wsse", WSSE), ("xmlns:wsu", WSU), (&must, "1")])?;
        let created = instant(moment.now);
        if let Some(seconds) = self.timestamp_seconds {
            xml.open("wsu:Timestamp", [("wsu:Id", "Timestamp-1")])?;
            xml.leaf("wsu:Created", [], &created)?;
            let end = moment.now.saturating_add(SignedDuration::from_secs(i64::from(seconds)));
            xml.leaf("wsu:Expires", [], &instant(end.unwrap_or(moment.now)))?;
            xml.close();
        }
        if let Some(user) = &self.user {
            user.write(&created, &moment.nonce, xml)?;
        }
        xml.close();
        Ok(())
    }
}

impl User {
    fn write(&self, created: &str, nonce: &[u8], xml: &mut Xml) -> Result<(), Unwritable> {
        xml.open("wsse:UsernameToken", [("wsu:Id", "UsernameToken-1")])?;
        xml.leaf("wsse:Username", [], self.name.expose())?;
        if self.digest {
            let digest = password_digest(nonce, created, self.password.expose());
            xml.leaf("wsse:Password", [("Type", PASSWORD_DIGEST)], &digest)?;
            xml.leaf("wsse:Nonce", [("EncodingType", BASE64_BINARY)], &STANDARD.encode(nonce))?;
            xml.leaf("wsu:Created", [], created)?;
        } else {
            xml.leaf("wsse:Password", [("Type", PASSWORD_TEXT)], self.password.expose())?;
        }
        xml.close();
        Ok(())
    }
}

/// `Base64(SHA-1(nonce + created + password))` (UsernameToken Profile 1.0, section 3.1).
fn password_digest(nonce: &[u8], created: &str, password: &str) -> String {
    let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    context.update(nonce);
    context.update(created.as_bytes());
    context.update(password.as_bytes());
    STANDARD.encode(context.finish())
}

/// To the millisecond: some services read no finer time.
fn instant(time: Timestamp) -> String {
    format!("{time:.3}")
}

const WSSE: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
const WSU: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
const PASSWORD_TEXT: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText";
const PASSWORD_DIGEST: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest";
const BASE64_BINARY: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary";

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the ONVIF Application Programmer's Guide, section 6.1.1.3.
    #[test]
    fn makes_the_digest_of_the_published_example() {
        let nonce = STANDARD.decode("LKqI6G/AikKCQrN0zqZFlg==").expect("Base64");
        let digest = password_digest(&nonce, "2010-09-16T07:50:45Z", "userpassword");
        assert_eq!(digest, "tuOSpGlFlIXsozq4HFNeeGeFLEI=");
    }

    #[test]
    fn writes_times_to_the_millisecond_and_lets_the_timestamp_end_when_it_should() {
        let guard = Guard { user: None, timestamp_seconds: Some(300) };
        let now = "2026-03-01T10:00:00.123456789Z".parse().expect("an instant");
        let mut xml = Xml::new();
        guard.write("soapenv", &Moment { now, nonce: [0; 16] }, &mut xml).expect("written");
        let text = String::from_utf8(xml.finish()).expect("UTF-8");
        assert!(text.contains(r#"soapenv:mustUnderstand="1""#), "{text}");
        assert!(
            text.contains(
                "<wsu:Created>2026-03-01T10:00:00.123Z</wsu:Created><wsu:Expires>2026-03-01T10:05:00.123Z</wsu:Expires>"
            ),
            "{text}"
        );
    }

    #[test]
    fn sends_the_password_itself_only_where_no_digest_is_asked_for() {
        let text = |digest| {
            let secret = |text: &str| SecretText::new(text.to_owned());
            let user = Some(User { name: secret("bus"), password: secret("s&cret"), digest });
            let mut xml = Xml::new();
            let moment = Moment { now: Timestamp::UNIX_EPOCH, nonce: [7; 16] };
            Guard { user, timestamp_seconds: None }.write("soapenv", &moment, &mut xml).expect("written");
            String::from_utf8(xml.finish()).expect("UTF-8")
        };
        assert!(text(false).contains("#PasswordText\">s&amp;cret</wsse:Password></wsse:UsernameToken>"));
        assert!(!text(true).contains("cret"));
        assert!(text(true).contains("<wsu:Created>1970-01-01T00:00:00.000Z</wsu:Created>"));
    }
}
