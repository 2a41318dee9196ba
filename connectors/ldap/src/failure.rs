//! What a result code or a broken connection means. The directory's own texts are never told on: they may repeat values.

use rabita_sdk::Failure;

use crate::protocol::{Broken, Code};

/// What was under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// A connection was being made.
    Connecting,
    Reading,
    /// A change was sent.
    Changing,
}

/// The failure that a result code means; not asked of success.
pub(crate) fn refused(code: Code, moment: Moment) -> Failure {
    let detail = format!("result code {} ({})", code.0, name(code));
    match (code.0, moment) {
        (3, _) => Failure::timed_out(format!("{detail}: the directory stopped the search")),
        (7 | 8 | 13 | 48, _) => {
            Failure::unavailable(format!("{detail}: the directory asks for another `bind`, or for TLS (`ldaps`, `tls.start`)"))
        }
        (49, _) => Failure::unavailable(format!("{detail}: the directory does not know the bus: look at `bind`")),
        // OpenLDAP says so of a name that is too long for its store.
        (80, Moment::Changing) => Failure::refused(detail),
        (1 | 51 | 52 | 80, _) => Failure::unavailable(detail),
        (_, Moment::Connecting) => Failure::unavailable(format!("{detail}: the directory refuses the connection")),
        (4 | 11, _) => Failure::refused(format!(
            "{detail}: more entries than the directory gives the bus; narrow the search, or let the directory page through it"
        )),
        (10, _) => Failure::unsupported(format!("{detail}: the entries are on another server, and referrals are not followed")),
        (12, _) => Failure::unsupported(format!("{detail}: the directory lacks a control; see `assertions`")),
        (50, _) => Failure::unsupported(format!("{detail}: the directory's access rules do not let the bus do this")),
        (32, Moment::Reading) => {
            Failure::unsupported(format!("{detail}: there is no entry that the bus may see at `base` in `from`"))
        }
        (_, Moment::Reading) => Failure::unsupported(detail),
        (_, Moment::Changing) => Failure::refused(detail),
    }
}

/// The failure that a broken connection means.
pub(crate) fn broken(broken: Broken, moment: Moment) -> Failure {
    let detail = match broken {
        Broken::Ended => "the directory ended the connection".to_owned(),
        Broken::Io(std::io::ErrorKind::InvalidData) => {
            "TLS with the directory failed: its certificate is not one to trust, or it speaks another protocol".to_owned()
        }
        Broken::Io(kind) => format!("the connection failed ({kind:?})"),
        Broken::TooLong => "an answer is longer than `answer_max_bytes`".to_owned(),
        Broken::NoMessage(piece) => format!("what came is not LDAP: {piece} was expected"),
    };
    match (broken, moment) {
        (_, Moment::Changing) => Failure::Unknown { detail },
        (Broken::TooLong | Broken::NoMessage(_), _) => Failure::malformed(detail),
        (Broken::Ended | Broken::Io(_), _) => Failure::unavailable(detail),
    }
}

/// The name of a result code (RFC 4511, appendix A).
fn name(code: Code) -> &'static str {
    match code.0 {
        1 => "operationsError",
        2 => "protocolError",
        3 => "timeLimitExceeded",
        4 => "sizeLimitExceeded",
        7 => "authMethodNotSupported",
        8 => "strongerAuthRequired",
        10 => "referral",
        11 => "adminLimitExceeded",
        12 => "unavailableCriticalExtension",
        13 => "confidentialityRequired",
        16 => "noSuchAttribute",
        17 => "undefinedAttributeType",
        18 => "inappropriateMatching",
        19 => "constraintViolation",
        20 => "attributeOrValueExists",
        21 => "invalidAttributeSyntax",
        32 => "noSuchObject",
        34 => "invalidDNSyntax",
        48 => "inappropriateAuthentication",
        49 => "invalidCredentials",
        50 => "insufficientAccessRights",
        51 => "busy",
        52 => "unavailable",
        53 => "unwillingToPerform",
        64 => "namingViolation",
        65 => "objectClassViolation",
        66 => "notAllowedOnNonLeaf",
        67 => "notAllowedOnRDN",
        68 => "entryAlreadyExists",
        80 => "other",
        122 => "assertionFailed",
        _ => "of the directory's own",
    }
}
