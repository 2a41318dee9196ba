//! Paths.

use http::Method;
use rabita_model::{Code, EntityName, FieldName, Refusal, RegistryId, Target, Version};

use super::decoded;

/// A path of the contract.
pub(super) enum Path {
    Entity(Target, Rest),
    Catalogue,
    OpenApi,
    Schemas(Option<String>),
}

/// What follows an entity.
pub(super) enum Rest {
    Collection,
    /// A record by its key, or the call `query` when the method is `POST`.
    Record(Vec<String>),
    Binary(Vec<String>, FieldName),
}

impl Rest {
    /// Whether this is `.../query`.
    pub(super) fn is_query(&self) -> bool {
        matches!(self, Self::Record(key) if matches!(key.as_slice(), [word] if word == "query"))
    }
}

impl Path {
    pub(super) fn parse(path: &str) -> Result<Self, Refusal> {
        let absent = || Refusal::new(Code::RouteAbsent);
        let segments: Vec<&str> = path.strip_prefix('/').ok_or_else(absent)?.split('/').collect();
        match segments.as_slice() {
            ["bus", "catalogue"] => Ok(Self::Catalogue),
            ["bus", "openapi.json"] => Ok(Self::OpenApi),
            ["bus", "schemas"] => Ok(Self::Schemas(None)),
            ["bus", "schemas", name @ ..] if name.iter().all(|part| !part.is_empty()) => {
                Ok(Self::Schemas(Some(decoded(&name.join("/"))?)))
            }
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

    fn rest(segments: &[&str]) -> Result<Rest, Refusal> {
        match segments {
            [] => Ok(Rest::Collection),
            [key] if !key.is_empty() => Ok(Rest::Record(split_key(key)?)),
            [key, field] if !key.is_empty() => {
                let field = FieldName::new(&decoded(field)?).map_err(|_| Refusal::new(Code::RouteAbsent))?;
                Ok(Rest::Binary(split_key(key)?, field))
            }
            _ => Err(Code::RouteAbsent.into()),
        }
    }

    pub(super) fn allows(&self, method: &Method) -> bool {
        self.allow().split(", ").any(|allowed| allowed == method.as_str())
    }

    /// The methods that this path serves, as `Allow` lists them.
    pub(super) fn allow(&self) -> &'static str {
        match self {
            Self::Entity(_, rest) if rest.is_query() => "GET, HEAD, POST",
            Self::Entity(..) | Self::Catalogue | Self::OpenApi | Self::Schemas(_) => "GET, HEAD",
        }
    }

    /// The media types in which the answer exists; empty where what is asked decides.
    pub(super) fn media_types(&self) -> &'static [&'static str] {
        match self {
            Self::Entity(..) => &[],
            Self::Catalogue | Self::OpenApi | Self::Schemas(None) => &["application/json"],
            Self::Schemas(Some(_)) => &["application/schema+json", "application/json"],
        }
    }
}

/// The values of a key, joined by `,`, each percent-encoded.
pub(super) fn split_key(text: &str) -> Result<Vec<String>, Refusal> {
    text.split(',').map(decoded).collect()
}
