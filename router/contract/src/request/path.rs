//! Paths.

use std::str::FromStr;

use http::Method;
use rabita_model::{ActionName, Code, EntityName, FieldName, Refusal, RegistryId, SubscriptionId, Target, UpdateId, Version};

use super::decoded;
use super::ledger::LedgerPath;
use super::transparency::InquiryPath;

/// A path of the contract.
pub(super) enum Path {
    Entity(Target, Rest),
    Catalogue,
    OpenApi,
    AsyncApi,
    Schemas(Option<String>),
    Updates,
    Update(UpdateId),
    Events,
    Subscriptions,
    Subscription(SubscriptionId),
    DeadLetters(SubscriptionId),
    Replay(SubscriptionId),
    /// The public keys that sign answers.
    Keys,
    Ledger(LedgerPath),
    Inquiry(InquiryPath),
}

/// What follows an entity.
pub(super) enum Rest {
    Collection,
    /// A record by its key, or the call `query` or `change` when the method is `POST`.
    Record(Vec<String>),
    /// A binary field of a record, or one of its actions when the method is `POST`.
    Within(Vec<String>, FieldName),
}

/// A call: a word in a key's place that only the method `POST` tells from one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum CallWord {
    Query,
    Change,
}

impl Rest {
    /// The call that `POST` makes of this.
    pub(super) fn call(&self) -> Option<CallWord> {
        let Self::Record(key) = self else { return None };
        match key.as_slice() {
            [word] if word == "query" => Some(CallWord::Query),
            [word] if word == "change" => Some(CallWord::Change),
            _ => None,
        }
    }

    fn allow(&self) -> &'static str {
        match self {
            Self::Collection => "GET, HEAD, POST",
            Self::Record(_) if self.call().is_some() => "GET, HEAD, POST, PUT, PATCH, DELETE",
            Self::Record(_) => "GET, HEAD, PUT, PATCH, DELETE",
            Self::Within(_, name) if ActionName::new(name.as_str()).is_ok() => "GET, HEAD, POST",
            Self::Within(..) => READ,
        }
    }
}

const READ: &str = "GET, HEAD";
const JSON: &[&str] = &["application/json"];

impl Path {
    pub(super) fn parse(path: &str) -> Result<Self, Refusal> {
        let segments: Vec<&str> = path.strip_prefix('/').ok_or_else(absent)?.split('/').collect();
        match segments.as_slice() {
            ["bus", rest @ ..] => Self::bus(rest),
            ["api", registry, version, entity, rest @ ..] => {
                let target = Target {
                    registry: RegistryId::new(&decoded(registry)?).map_err(|_| absent())?,
                    version: Version::new(&decoded(version)?).map_err(|_| absent())?,
                    entity: EntityName::new(&decoded(entity)?).map_err(|_| absent())?,
                };
                Ok(Self::Entity(target, Self::rest(rest)?))
            }
            _ => Err(absent()),
        }
    }

    fn bus(segments: &[&str]) -> Result<Self, Refusal> {
        Ok(match segments {
            ["catalogue"] => Self::Catalogue,
            ["keys"] => Self::Keys,
            ["openapi.json"] => Self::OpenApi,
            ["asyncapi.json"] => Self::AsyncApi,
            ["schemas"] => Self::Schemas(None),
            ["schemas", name @ ..] if name.iter().all(|part| !part.is_empty()) => Self::Schemas(Some(decoded(&name.join("/"))?)),
            ["updates"] => Self::Updates,
            ["updates", id] => Self::Update(named(id)?),
            ["events"] => Self::Events,
            ["subscriptions"] => Self::Subscriptions,
            ["subscriptions", id] => Self::Subscription(named(id)?),
            ["subscriptions", id, "dead"] => Self::DeadLetters(named(id)?),
            ["subscriptions", id, "replay"] => Self::Replay(named(id)?),
            ["ledger", rest @ ..] => Self::Ledger(LedgerPath::parse(rest).ok_or_else(absent)?),
            rest => Self::Inquiry(InquiryPath::parse(rest).ok_or_else(absent)?),
        })
    }

    fn rest(segments: &[&str]) -> Result<Rest, Refusal> {
        match segments {
            [] => Ok(Rest::Collection),
            [key] if !key.is_empty() => Ok(Rest::Record(split_key(key)?)),
            [key, name] if !key.is_empty() => {
                let name = FieldName::new(&decoded(name)?).map_err(|_| absent())?;
                Ok(Rest::Within(split_key(key)?, name))
            }
            _ => Err(absent()),
        }
    }

    pub(super) fn allows(&self, method: &Method) -> bool {
        self.allow().split(", ").any(|allowed| allowed == method.as_str())
    }

    /// The methods that this path serves, as `Allow` lists them.
    pub(super) fn allow(&self) -> &'static str {
        match self {
            Self::Entity(_, rest) => rest.allow(),
            Self::Subscriptions => "GET, HEAD, POST",
            Self::Subscription(_) => "GET, HEAD, DELETE",
            Self::Replay(_) => "POST",
            Self::Ledger(path) => path.allow(),
            Self::Inquiry(path) => path.allow(),
            Self::Catalogue
            | Self::Keys
            | Self::OpenApi
            | Self::AsyncApi
            | Self::Schemas(_)
            | Self::Updates
            | Self::Update(_)
            | Self::DeadLetters(_) => READ,
            // A stream has no length to tell without its body.
            Self::Events => "GET",
        }
    }

    /// Whether a request with this method has a body that counts.
    pub(super) fn takes_body(&self, method: &Method) -> bool {
        self.allows(method)
            && match self {
                Self::Entity(..) => [Method::POST, Method::PUT, Method::PATCH].contains(method),
                Self::Subscriptions | Self::Ledger(_) => *method == Method::POST,
                Self::Inquiry(path) => path.takes_body(),
                _ => false,
            }
    }

    /// The media types in which the answer exists; empty where what is asked decides.
    pub(super) fn media_types(&self) -> &'static [&'static str] {
        match self {
            Self::Entity(..) => &[],
            Self::Keys => &["application/jwk-set+json", "application/json"],
            Self::Schemas(Some(_)) => &["application/schema+json", "application/json"],
            Self::Events => &["text/event-stream"],
            Self::Ledger(path) => path.media_types(),
            Self::Catalogue
            | Self::OpenApi
            | Self::AsyncApi
            | Self::Schemas(None)
            | Self::Updates
            | Self::Update(_)
            | Self::Subscriptions
            | Self::Subscription(_)
            | Self::DeadLetters(_)
            | Self::Replay(_)
            | Self::Inquiry(_) => JSON,
        }
    }
}

/// The id in a path. What has not the form of one names nothing.
fn named<T: FromStr>(segment: &str) -> Result<T, Refusal> {
    decoded(segment)?.parse().map_err(|_| absent())
}

fn absent() -> Refusal {
    Refusal::new(Code::RouteAbsent)
}

/// The values of a key, joined by `,`, each percent-encoded.
pub(super) fn split_key(text: &str) -> Result<Vec<String>, Refusal> {
    text.split(',').map(decoded).collect()
}
