//! Authenticate: which system is calling, and on whose behalf.

use std::sync::Arc;

use rabita_ledger::entry::ToldBy;
use rabita_model::{Code, Fault, Refusal};

use crate::caller::{Caller, Callers, Evidence};

/// Proof that the caller is known.
pub(crate) struct Authenticated {
    caller: Arc<Caller>,
}

impl Authenticated {
    /// Finds the system that the evidence is of.
    pub fn by(callers: &Callers, evidence: &Evidence) -> Result<Self, Refusal> {
        Ok(Self { caller: Arc::clone(callers.identify(evidence)?) })
    }

    /// The system.
    pub const fn caller(&self) -> &Arc<Caller> {
        &self.caller
    }
}

/// On whose behalf a system asks, and who says so. What the issuer of the token says counts for more than what the system
/// says.
///
/// # Errors
/// `invalid_request` where the two name different persons.
pub fn user(evidence: &Evidence, asserted: Option<String>) -> Result<(Option<String>, Option<ToldBy>), Refusal> {
    let claimed = evidence.token.as_deref().and_then(|token| token.person.as_ref());
    match (claimed, asserted) {
        (Some(claimed), Some(asserted)) if *claimed != asserted => {
            let message = "the access token names another person than this";
            let fault = Fault::parameter("Rabita-User", "user_differs", message);
            Err(Refusal::with_faults(Code::InvalidRequest, vec![fault]))
        }
        (Some(claimed), _) => Ok((Some(claimed.clone()), Some(ToldBy::Claim))),
        (None, asserted) => {
            let by = asserted.as_ref().map(|_| ToldBy::Assertion);
            Ok((asserted, by))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caller::Token;

    #[test]
    fn the_person_of_the_token_wins_and_another_is_refused() {
        let with = |person: Option<&str>| Evidence {
            token: Some(Arc::new(Token { person: person.map(str::to_owned), ..Token::default() })),
            ..Evidence::default()
        };
        let of = |evidence: &Evidence, asserted: Option<&str>| {
            user(evidence, asserted.map(str::to_owned)).map_err(|refusal| refusal.code)
        };
        let claimed = Ok((Some("5ZJBKH7".to_owned()), Some(ToldBy::Claim)));
        assert_eq!(of(&with(Some("5ZJBKH7")), None), claimed);
        assert_eq!(of(&with(Some("5ZJBKH7")), Some("5ZJBKH7")), claimed);
        assert_eq!(of(&with(Some("5ZJBKH7")), Some("1ABCDE2")), Err(Code::InvalidRequest));
        assert_eq!(of(&with(None), Some("clerk")), Ok((Some("clerk".to_owned()), Some(ToldBy::Assertion))));
        assert_eq!(of(&Evidence::default(), None), Ok((None, None)));
    }
}
