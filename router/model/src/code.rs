//! The error codes: every way in which the bus says no.
//!
//! A code is stable once published. Each has a page in `router/model/codes/`, included at build time: no page,
//! no build.

use std::fmt;

/// Whose doing a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Blame {
    Caller,
    Bus,
    Registry,
}

/// Whether the same request may succeed later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Retry {
    /// At once, or after a short pause.
    Safe,
    /// After the time that `Retry-After` gives.
    After,
    /// Not without a change.
    Never,
}

macro_rules! codes {
    ($($variant:ident $name:literal $blame:ident $retry:ident $message:literal;)*) => {
        /// A stable error code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $(#[doc = $message] $variant,)* }

        impl Code {
            /// Every code, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word in problems, logs and metrics.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Whose doing it is.
            #[must_use]
            pub const fn blame(self) -> Blame {
                match self { $(Self::$variant => Blame::$blame,)* }
            }

            /// Whether to try again.
            #[must_use]
            pub const fn retry(self) -> Retry {
                match self { $(Self::$variant => Retry::$retry,)* }
            }

            /// One sentence for the caller.
            #[must_use]
            pub const fn public_message(self) -> &'static str {
                match self { $(Self::$variant => $message,)* }
            }

            /// The page that `rabita explain` prints.
            #[must_use]
            pub const fn page(self) -> &'static str {
                match self { $(Self::$variant => include_str!(concat!("../codes/", $name, ".md")),)* }
            }
        }
    };
}

codes! {
    MalformedRequest "malformed_request" Caller Never "The request cannot be read.";
    Unauthenticated "unauthenticated" Caller Never "The bus does not know who is calling.";
    TokenInvalid "token_invalid" Caller Never "The access token is not one that the bus accepts.";
    SignatureMissing "signature_missing" Caller Never "The grant asks for a signed request.";
    SignatureInvalid "signature_invalid" Caller Never "The request's signature does not hold, or was used before.";
    NotPermitted "not_permitted" Caller Never "No grant permits this.";
    FieldNotPermitted "field_not_permitted" Caller Never "The grant does not cover a field that was asked for.";
    PurposeMissing "purpose_missing" Caller Never "The grant asks for a purpose and none was given.";
    PurposeNotPermitted "purpose_not_permitted" Caller Never "The grant does not hold for this purpose.";
    GrantExpired "grant_expired" Caller Never "The grant that permitted this has ended.";
    OutsideHours "outside_hours" Caller After "The grant does not hold at this hour.";
    BindingMissing "binding_missing" Caller Never "The grant asks for an access token that is bound to a client certificate.";
    ConsentMissing "consent_missing" Caller Never "The grant asks for the person's consent and none was named.";
    ConsentInvalid "consent_invalid" Caller Never "The consent that was named does not cover this.";
    RouteAbsent "route_absent" Caller Never "The bus serves nothing at this path.";
    MethodNotAllowed "method_not_allowed" Caller Never "This path does not take this method.";
    IdentifierInUrl "identifier_in_url" Caller Never "This entity takes identifiers in a body only: use POST .../query or POST .../change.";
    RecordAbsent "record_absent" Caller Never "The registry has no such record.";
    BodyTooLarge "body_too_large" Caller Never "The body is larger than this listener takes.";
    MediaTypeUnsupported "media_type_unsupported" Caller Never "The body's media type is not application/json.";
    NotAcceptable "not_acceptable" Caller Never "The answer exists in no media type that the request accepts.";
    InvalidRequest "invalid_request" Caller Never "The request does not satisfy the contract.";
    CursorInvalid "cursor_invalid" Caller Never "The cursor is not one that this search gave, or it is too old: begin again.";
    RateLimited "rate_limited" Caller After "Too many requests for what is agreed.";
    RegistryRefused "registry_refused" Caller Never "The registry refused the request.";
    RegistryBrokeContract "registry_broke_contract" Registry Never "The registry's answer does not satisfy its contract.";
    RegistryUnavailable "registry_unavailable" Registry After "The registry cannot be reached.";
    RegistryCircuitOpen "registry_circuit_open" Registry After "The registry failed repeatedly and is given a pause.";
    RegistryTimeout "registry_timeout" Registry Safe "The registry did not answer in time.";
    RegistryBusy "registry_busy" Registry After "As many requests as the registry may get are under way.";
    IdempotencyKeyMissing "idempotency_key_missing" Caller Never "A change needs an Idempotency-Key.";
    IdempotencyKeyReused "idempotency_key_reused" Caller Never "This Idempotency-Key was used for another change.";
    PreconditionFailed "precondition_failed" Caller Never "The record is not at the version that If-Match names.";
    RecordExists "record_exists" Caller Never "The registry has a record with this key already.";
    UpdateAbsent "update_absent" Caller Never "The bus knows no such update of this system.";
    UpdateExpired "update_expired" Registry Never "The change could not be applied by its latest time.";
    UpdateBehind "update_behind" Bus Never "An earlier change of the same record waits for a person.";
    UpdateDiscarded "update_discarded" Bus Never "An operator discarded the change.";
    OutcomeUnknown "outcome_unknown" Registry Never "It is unknown whether the registry applied the change.";
    SubscriptionAbsent "subscription_absent" Caller Never "The bus knows no such subscription of this system.";
    LedgerEntryAbsent "ledger_entry_absent" Caller Never "The ledger has no such entry, tile or tree.";
    LedgerUnavailable "ledger_unavailable" Bus After "The bus cannot write its ledger, so it answers with no data.";
    JournalUnavailable "journal_unavailable" Bus After "The bus can take no changes at the moment.";
    BusOverloaded "bus_overloaded" Bus After "The bus has as many requests under way as it takes.";
    BusStopping "bus_stopping" Bus Safe "The bus is stopping.";
    Internal "internal" Bus Never "The bus failed.";
}

impl serde::Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for Code {
    /// A code that a newer node wrote and this one does not know reads as `internal`.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Ok(Self::parse(&name).unwrap_or(Self::Internal))
    }
}

impl Code {
    /// The code of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == name)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_names_its_code_and_tells_the_caller_and_the_operator_what_to_do() {
        for code in Code::ALL {
            let page = code.page();
            assert!(page.starts_with(&format!("# {code}\n")), "{code}: the page begins with its code");
            for part in ["## What happened", "## What the caller does", "## What the operator does"] {
                assert!(page.contains(part), "{code}: no {part}");
            }
            assert_eq!(Code::parse(code.as_str()), Some(*code));
        }
    }
}
