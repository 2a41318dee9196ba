//! Record: every request that was answered goes into the ledger before its answer leaves, which then gets its receipt
//! and its signature.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use http::header::{HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::{Either, Full};
use metrics::{Counter, Histogram, counter, histogram};
use rabita_core::Trail;
use rabita_ledger::entry::{About, Answered, Credential, CredentialKind, ExchangeFact};
use rabita_ledger::{Fact, Ledger};
use rabita_model::{AgencyId, Code, Purpose, Refusal, SystemId};

use super::exchange::{AnswerBody, Begun};
use super::signed::Signatures;
use super::transparency::Account;

/// Refusals that are recorded in a second of those that cost their caller nothing, of strangers and of known systems each:
/// anybody can bring about as many as they like, and fill a disk with them.
const FREE_PER_SECOND: NonZeroU32 = NonZeroU32::new(20).expect("it is not 0");

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");
const RECEIPT: HeaderName = HeaderName::from_static("rabita-receipt");

/// What records answers and signs them.
pub(super) struct Recording {
    /// None where the configuration turns it off.
    ledger: Option<Arc<Ledger>>,
    pub signatures: Arc<Signatures>,
    /// For refusals of strangers.
    strangers: DefaultDirectRateLimiter,
    /// For refusals of known systems that are not held to a limit. Apart, so that no stranger keeps them out of the ledger.
    known: DefaultDirectRateLimiter,
    seconds: Histogram,
    unrecorded: Counter,
}

/// What an exchange was about.
pub(super) enum Deed {
    /// A registry.
    Registry(Box<Trail>),
    /// The bus itself.
    Bus(Box<Account>),
    /// What is about nobody: the ledger, the keys.
    Open,
}

impl Deed {
    /// A question to the bus itself, by its name.
    pub fn bus(service: &'static str) -> Self {
        Self::Bus(Box::new(Account::of(service)))
    }

    /// Why it was asked, as the log may tell.
    pub fn purpose(&self) -> Option<&str> {
        let purpose = match self {
            Self::Registry(trail) => trail.purpose.as_ref(),
            Self::Bus(account) => account.purpose.as_ref(),
            Self::Open => None,
        };
        purpose.map(Purpose::as_str)
    }
}

impl Recording {
    pub fn new(ledger: Option<Arc<Ledger>>, signatures: Arc<Signatures>) -> Self {
        Self {
            ledger,
            signatures,
            strangers: RateLimiter::direct(Quota::per_second(FREE_PER_SECOND)),
            known: RateLimiter::direct(Quota::per_second(FREE_PER_SECOND)),
            seconds: histogram!("rabita_ledger_record_seconds"),
            unrecorded: counter!("rabita_ledger_refusals_unrecorded_total"),
        }
    }

    /// Whether what is asked now could be recorded.
    ///
    /// # Errors
    /// `ledger_unavailable`.
    pub fn ready(&self) -> Result<(), Refusal> {
        self.ledger.as_ref().map_or(Ok(()), |ledger| ledger.health()).map_err(unavailable)
    }

    /// Records an exchange; its answer gets its digest and its receipt. A refusal that tells nothing of any record leaves even
    /// when it cannot be recorded.
    ///
    /// # Errors
    /// `ledger_unavailable`.
    pub async fn record(
        &self,
        begun: &Begun<'_>,
        response: Response<AnswerBody>,
        deed: &Deed,
        code: Option<Code>,
    ) -> Result<Response<AnswerBody>, Refusal> {
        let (mut head, body) = response.into_parts();
        let (answer, body) = match body {
            Either::Left(full) => {
                let bytes = full.into_inner().unwrap_or_default();
                let digest = digest(&SHA256, &bytes);
                let digest: [u8; 32] = digest.as_ref().try_into().expect("SHA-256 has 32 bytes");
                // What has a body of its own elsewhere must not be told this one's digest (RFC 9111, 4.3.4).
                if head.status != StatusCode::NOT_MODIFIED {
                    head.headers.insert(CONTENT_DIGEST, rabita_contract::signature::content_digest(&digest));
                }
                (Answered::Digest(digest), Either::Left(Full::new(bytes)))
            }
            Either::Right(stream) => (Answered::Streamed, Either::Right(stream)),
        };
        if let Some(ledger) = self.ledger.as_ref().filter(|_| self.is_due(begun, deed, code)) {
            let started = Instant::now();
            let recorded = ledger.record(Fact::Exchange(Box::new(fact(begun, deed, answer, head.status, code)))).await;
            self.seconds.record(started.elapsed().as_secs_f64());
            match recorded {
                Ok(receipt) => {
                    head.headers
                        .insert(RECEIPT, HeaderValue::try_from(receipt.to_string()).expect("a receipt is a header value"));
                }
                Err(error) if tells(deed, head.status, code) => return Err(unavailable(error.to_string())),
                Err(error) => tracing::warn!(%error, exchange = %begun.exchange, "a refusal could not be recorded"),
            }
        }
        Ok(Response::from_parts(head, body))
    }

    /// Signs an answer to a known caller, where the node has a key: strangers must not be able to use a key up that can sign
    /// only so often.
    ///
    /// # Errors
    /// `internal`, when the key cannot sign.
    pub async fn sign(&self, response: &mut Response<AnswerBody>, begun: &Begun<'_>) -> Result<(), Refusal> {
        if begun.caller.is_none() {
            return Ok(());
        }
        let signed = self.signatures.sign(response, begun.head, begun.at.as_second()).await;
        signed.map_err(|error| Refusal::new(Code::Internal).detail(format!("the answer cannot be signed: {error}")))
    }

    /// Whether it is recorded. Of refusals that are not held to the limit of a known system, some are, and the rest is counted.
    fn is_due(&self, begun: &Begun<'_>, deed: &Deed, code: Option<Code>) -> bool {
        let is_about_somebody = match deed {
            Deed::Registry(_) => true,
            Deed::Bus(account) => account.is_recorded(),
            Deed::Open => false,
        };
        let is_free = matches!(code, Some(Code::RateLimited | Code::BusOverloaded | Code::BusStopping));
        let is_due = is_about_somebody
            && match &begun.caller {
                None => self.strangers.check().is_ok(),
                Some(_) => !is_free || self.known.check().is_ok(),
            };
        if is_about_somebody && !is_due {
            self.unrecorded.increment(1);
        }
        is_due
    }
}

/// Whether an answer tells anything of a record, if only that there is none: it then must not leave unrecorded.
fn tells(deed: &Deed, status: StatusCode, code: Option<Code>) -> bool {
    let gives = status.is_success() || status == StatusCode::NOT_MODIFIED;
    let was_asked = matches!(deed, Deed::Registry(trail) if !trail.timing.registry.is_zero());
    // Memory tells as much as the registry would.
    let of_a_record = matches!(
        code,
        Some(Code::RecordAbsent | Code::RecordExists | Code::PreconditionFailed | Code::ConsentInvalid | Code::RegistryRefused)
    );
    gives || was_asked || of_a_record
}

fn unavailable(reason: String) -> Refusal {
    Refusal::new(Code::LedgerUnavailable).detail(reason).retry_after(Duration::from_secs(5))
}

/// What the ledger is told. A target that no configuration has may be anything, even a number in a registry's place: of
/// that, nothing is told but that it was asked.
fn fact(begun: &Begun<'_>, deed: &Deed, answer: Answered, status: StatusCode, code: Option<Code>) -> ExchangeFact {
    let unread = Account::of("unread");
    let (trail, account) = match deed {
        Deed::Registry(trail) => (Some(trail), &unread),
        Deed::Bus(account) => (None, &**account),
        Deed::Open => (None, &unread),
    };
    let about = trail.filter(|trail| trail.is_known).and_then(|trail| {
        let owner = trail.owner.clone()?;
        Some(About { target: trail.target.clone(), owner, operation: trail.operation, action: trail.action.clone() })
    });
    let on_behalf = match trail {
        Some(trail) => (trail.user.clone(), trail.user_by),
        None => rabita_core::user(&begun.evidence, account.user.clone()).unwrap_or_default(),
    };
    ExchangeFact {
        at: begun.at,
        exchange: begun.exchange,
        caller: caller(begun, trail.map(|trail| &**trail)),
        credential: credential(begun),
        user: on_behalf.0,
        user_by: on_behalf.1,
        purpose: trail.map_or(&account.purpose, |trail| &trail.purpose).clone(),
        basis: trail.map_or(&account.basis, |trail| &trail.basis).clone(),
        case: trail.map_or(&account.case, |trail| &trail.case).clone(),
        consent: trail.and_then(|trail| trail.consent.clone()),
        service: about.is_none().then(|| account.service.to_owned()),
        about,
        subjects: trail.map_or(&account.subjects, |trail| &trail.subjects).clone(),
        fields: trail.map(|trail| trail.fields.to_vec()).unwrap_or_default(),
        records: trail.map_or(account.records, |trail| trail.records),
        update: trail.and_then(|trail| trail.update),
        request: request(begun),
        answer,
        status: status.as_u16(),
        code,
        signature: begun.signature.clone(),
    }
}

/// The request as the ledger's digest has it: with those headers that say what is asked and why.
fn request(begun: &Begun<'_>) -> Vec<u8> {
    let head = begun.head;
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    let counts = |name: &str| name.starts_with("rabita-") || ["idempotency-key", "if-match"].contains(&name);
    let headers = head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).filter(|(name, _)| counts(name));
    rabita_ledger::evidence::request_bytes(head.method.as_str(), target, headers, &begun.body)
}

/// The system whose rights were weighed; where that was not done, the one that was known before.
fn caller(begun: &Begun<'_>, trail: Option<&Trail>) -> Option<(SystemId, AgencyId)> {
    let weighed = trail.and_then(|trail| Some((trail.system.clone()?, trail.agency.clone()?)));
    weighed.or_else(|| begun.caller.as_ref().map(|caller| (caller.id.clone(), caller.agency.clone())))
}

/// By what the caller was known: the token where one was shown.
fn credential(begun: &Begun<'_>) -> Option<Credential> {
    let token = begun.evidence.token.as_ref().map(|token| Credential {
        by: CredentialKind::Token,
        sha256: token.sha256.clone(),
        issuer: Some(token.issuer.clone()),
    });
    token.or_else(|| {
        let certificate = begun.evidence.certificate.as_ref()?;
        Some(Credential { by: CredentialKind::Certificate, sha256: certificate.sha256.clone(), issuer: None })
    })
}
