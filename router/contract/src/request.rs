//! A request off the wire: its head and its body become a [`Route`], or a refusal with everything that is wrong.
//!
//! | call | meaning |
//! |---|---|
//! | `GET /api/{registry}/v{n}/{entity}/{key}?fields=` | one record |
//! | `GET /api/{registry}/v{n}/{entity}/{key}/{field}` | a binary field |
//! | `GET /api/{registry}/v{n}/{entity}?...` | a search, or several records by `key` |
//! | `POST /api/{registry}/v{n}/{entity}/query` | any of these with its arguments in the body |
//! | `POST /api/{registry}/v{n}/{entity}` | a new record |
//! | `PUT`, `PATCH`, `DELETE /api/{registry}/v{n}/{entity}/{key}` | a record replaced, changed in part, ended |
//! | `POST /api/{registry}/v{n}/{entity}/{key}/{action}` | a named action on a record |
//! | `POST /api/{registry}/v{n}/{entity}/change` | any of these with its key in the body |
//! | `GET /bus/catalogue`, `/bus/openapi.json`, `/bus/asyncapi.json`, `/bus/schemas`, `/bus/schemas/{name}` | what the caller may see |
//! | `GET /bus/updates`, `/bus/updates/{id}` | the caller's own changes, and how they stand |
//! | `GET /bus/events` | events as they happen |
//! | `GET`, `POST /bus/subscriptions`; `GET`, `DELETE /bus/subscriptions/{id}` | where events are sent |
//! | `GET /bus/subscriptions/{id}/dead`, `POST /bus/subscriptions/{id}/replay` | what could not be sent, and once more |
//! | `GET /bus/keys` | the public keys with which answers are verified |
//! | `GET /bus/ledger/...`, `POST /bus/ledger/cosignatures` | the log of what was asked and answered: [`LedgerRoute`] |
//! | `POST /bus/subjects/accesses`, `GET /bus/datatracker/v2/...` | who used the data of one person: [`Inquiry`] |
//! | `GET /bus/agencies/{agency}/accesses`, `GET /bus/statistics` | who used an agency's registries; counts |
//!
//! `HEAD` stands wherever `GET` does. Decisions that this module makes:
//!
//! - **Paths.** A path of another structure, with a trailing slash, or with a name that has not the form of its kind
//!   (`Population`, `v01`) is [`Code::RouteAbsent`]: the forms are public, so this tells nobody what exists. Whether
//!   a well-formed name means anything is answered by the core, as `not_permitted`, the same as for no grant.
//! - **Keys.** The values of a composite key are joined by `,` in the order of the manifest, each percent-encoded; a
//!   comma within a value is written `%2C`. In the query, `key` follows the same rule, so a client that encodes all
//!   commas sends composite keys in the body instead. A key may be `query` or `change`: only `POST` makes them calls.
//! - **The query.** Form encoding: `+` is a blank. `limit`, `cursor`, `fields` and `key` are the bus's own; a contract
//!   field of such a name is filtered with `limit[equals]=`. Everything else is a filter. `key` goes with `fields`
//!   alone, and answers several records even if given once.
//! - **The body** of a query has exactly one of `key`, `keys` and `where`. A member that stands twice, at any depth,
//!   is refused: two readers of the same body could otherwise see two different requests. So is a whole number that
//!   can't be held exactly. `POST .../query` takes no parameters in the URL.
//! - **Changes.** What has to go with one stands in headers: `Idempotency-Key`, and where wanted `If-Match`, `Prefer`,
//!   `Rabita-Apply-Until`. A refusal for want of a key has the other faults with it. A merge patch that names no field
//!   is refused. A patch of another media type is not taken for a merge patch.
//! - **Faults.** All are told at once, and none repeats a value. A name is repeated only where it has the form of a
//!   field name.
//! - **Headers.** `Rabita-User` and `Rabita-Case` hold 1 to 200 visible characters or blanks between them, in ASCII,
//!   UTF-8, or as `UTF-8''percent-encoded` (RFC 8187), since many clients can send nothing but ASCII.

mod body;
mod bus;
mod change;
mod headers;
mod host;
mod json;
mod ledger;
mod path;
mod query;
mod submission;
mod transparency;

use http::request::Parts;
use http::{Method, Uri};
use rabita_model::ask::Key;
use rabita_model::{Ask, Code, Fault, FieldName, Refusal, SubscriptionId, Target, UpdateId, Want};
use serde_json::Value;

use path::{CallWord, Path, Rest};
use submission::Terms;

pub use bus::{EventsQuery, NewSubscription, UpdatesQuery};
pub(crate) use headers::PATCH_TYPES;
pub use host::one_host;
pub use ledger::{LedgerRoute, Tile};
pub(crate) use query::parameter_name;
pub use query::{PARAMETERS, encode_key, filters_to_query};
pub use transparency::{AgencyInquiry, Days, Inquiry, Page, Reason, Span, SubjectInquiry, UsageInquiry};
pub(crate) use transparency::{DAYS_MAX, LIMIT_MAX, USAGES, USAGES_MAX};

/// What is asked of the bus.
#[derive(Debug, Clone)]
pub enum Route {
    /// Something of an entity, or a change of one of its records.
    Entity(Ask),
    /// `/bus/catalogue`.
    Catalogue,
    /// `/bus/keys`.
    Keys,
    /// `/bus/openapi.json`.
    OpenApi,
    /// `/bus/schemas`, or one of them by its name.
    Schemas(Option<String>),
    /// `/bus/asyncapi.json`.
    AsyncApi,
    /// `/bus/updates`.
    Updates(UpdatesQuery),
    /// `/bus/updates/{id}`.
    Update(UpdateId),
    /// `/bus/events`.
    Events(EventsQuery),
    /// `GET /bus/subscriptions`.
    Subscriptions,
    /// `POST /bus/subscriptions`.
    SubscriptionCreate(NewSubscription),
    /// `GET /bus/subscriptions/{id}`.
    Subscription(SubscriptionId),
    /// `DELETE /bus/subscriptions/{id}`.
    SubscriptionDelete(SubscriptionId),
    /// `GET /bus/subscriptions/{id}/dead`.
    DeadLetters(SubscriptionId),
    /// `POST /bus/subscriptions/{id}/replay`.
    Replay(SubscriptionId),
    /// `/bus/ledger/...`.
    Ledger(LedgerRoute),
    /// Who used data: `/bus/subjects/accesses`, `/bus/datatracker/v2/...`, `/bus/agencies/...`, `/bus/statistics`.
    Transparency(Inquiry),
}

/// Reads a request. `body` is the whole body where [`wants_body`] says so, already held to its limit, else empty.
///
/// # Errors
/// A refusal with all that is wrong. For [`Code::MethodNotAllowed`], [`crate::Asked`] knows what would be allowed.
pub fn parse(head: &Parts, body: &[u8]) -> Result<Route, Refusal> {
    let path = Path::parse(head.uri.path())?;
    if !path.allows(&head.method) {
        return Err(Code::MethodNotAllowed.into());
    }
    headers::accepts(&head.headers, path.media_types())?;
    let route = match path {
        Path::Entity(target, rest) if is_read(&head.method, &rest) => return read(head, body, target, rest).map(Route::Entity),
        Path::Entity(target, rest) => return change(head, body, target, rest).map(Route::Entity),
        Path::Ledger(path) => return path.route(head, body).map(Route::Ledger),
        Path::Inquiry(path) => return path.inquiry(head, body).map(Route::Transparency),
        Path::Updates => return bus::updates(&head.uri).map(Route::Updates),
        Path::Events => return bus::events(&head.uri, &head.headers).map(Route::Events),
        Path::Subscriptions if head.method == Method::POST => {
            headers::content_type(&head.headers)?;
            Route::SubscriptionCreate(bus::subscription(&head.headers, body)?)
        }
        Path::Catalogue => Route::Catalogue,
        Path::Keys => Route::Keys,
        Path::OpenApi => Route::OpenApi,
        Path::AsyncApi => Route::AsyncApi,
        Path::Schemas(name) => Route::Schemas(name),
        Path::Update(id) => Route::Update(id),
        Path::Subscriptions => Route::Subscriptions,
        Path::Subscription(id) if head.method == Method::DELETE => Route::SubscriptionDelete(id),
        Path::Subscription(id) => Route::Subscription(id),
        Path::DeadLetters(id) => Route::DeadLetters(id),
        Path::Replay(id) => Route::Replay(id),
    };
    without_parameters(&head.uri).map(|()| route)
}

/// Whether the request's body has to be read.
#[must_use]
pub fn wants_body(head: &Parts) -> bool {
    Path::parse(head.uri.path()).is_ok_and(|path| path.takes_body(&head.method))
}

fn is_read(method: &Method, rest: &Rest) -> bool {
    match *method {
        Method::GET | Method::HEAD => true,
        Method::POST => rest.call() == Some(CallWord::Query),
        _ => false,
    }
}

/// The methods that a path serves, for `Allow`; empty where it serves nothing.
pub(crate) fn allowed(path: &str) -> &'static str {
    Path::parse(path).map_or("", |path| path.allow())
}

/// What a query string or a body says.
struct Wish {
    want: Want,
    fields: Option<Vec<FieldName>>,
    in_url: bool,
}

fn read(head: &Parts, body: &[u8], target: Target, rest: Rest) -> Result<Ask, Refusal> {
    let mut faults = Vec::new();
    let words = headers::words(&head.headers, &mut faults);
    let wish = if head.method == Method::POST {
        headers::content_type(&head.headers)?;
        refuse_parameters(&head.uri, &mut faults);
        body::parse(body, &mut faults)?
    } else {
        let pairs = query::pairs(head.uri.query().unwrap_or_default())?;
        from_url(rest, &pairs, &mut faults)
    };
    match wish {
        Some(Wish { want, fields, in_url }) if faults.is_empty() => {
            // A binary value has whatever media type the registry's contract says.
            if !matches!(want, Want::Binary { .. }) {
                headers::accepts(&head.headers, &["application/json"])?;
            }
            let headers::Words { purpose, user, case, consent } = words;
            Ok(Ask { target, want, fields, purpose, user, case, consent, in_url })
        }
        _ => Err(invalid(faults)),
    }
}

fn change(head: &Parts, body: &[u8], target: Target, rest: Rest) -> Result<Ask, Refusal> {
    let mut faults = Vec::new();
    let words = headers::words(&head.headers, &mut faults);
    let terms = Terms::of(&head.headers, &mut faults);
    match head.method {
        Method::PATCH => headers::patch_type(&head.headers)?,
        Method::POST | Method::PUT if !body.is_empty() => headers::content_type(&head.headers)?,
        _ => {}
    }
    refuse_parameters(&head.uri, &mut faults);
    let by_body = head.method == Method::POST && rest.call() == Some(CallWord::Change);
    let in_url = !by_body && !matches!(rest, Rest::Collection);
    let found =
        if by_body { change::by_body(body, &mut faults)? } else { change::by_url(&head.method, rest, body, &mut faults)? };
    let submission = terms.submission(found, faults)?;
    headers::accepts(&head.headers, &["application/json"])?;
    let headers::Words { purpose, user, case, consent } = words;
    Ok(Ask { target, want: Want::Change(Box::new(submission)), fields: None, purpose, user, case, consent, in_url })
}

fn from_url(rest: Rest, pairs: &[query::Pair<'_>], faults: &mut Vec<Fault>) -> Option<Wish> {
    match rest {
        Rest::Collection => query::collection(pairs, faults),
        Rest::Record(key) => {
            let fields = query::only_fields(pairs, faults);
            let key = checked(key, faults)?;
            Some(Wish { want: Want::Read { key }, fields, in_url: true })
        }
        Rest::Within(key, field) => {
            query::nothing(pairs, faults);
            let key = checked(key, faults)?;
            Some(Wish { want: Want::Binary { key, field }, fields: None, in_url: true })
        }
    }
}

/// The key of a path, none of whose values is empty.
fn checked(values: Vec<String>, faults: &mut Vec<Fault>) -> Option<Key> {
    if let Some(fault) = key_fault(&values) {
        faults.push(fault);
        return None;
    }
    Some(Key(values.into_iter().map(Value::String).collect()))
}

fn key_fault(values: &[String]) -> Option<Fault> {
    if values.iter().any(String::is_empty) {
        let message = "a value of the key is empty; a comma within a value is written `%2C`";
        return Some(Fault::parameter("key", "empty", message));
    }
    values.iter().any(|value| value.contains('\0')).then(|| Fault::parameter("key", "character", NUL))
}

/// No registry means this character, and some legacy systems end a text at it.
const NUL: &str = "a text holds the character U+0000";

fn without_parameters(uri: &Uri) -> Result<(), Refusal> {
    let pairs = query::pairs(uri.query().unwrap_or_default())?;
    let mut faults = Vec::new();
    query::nothing(&pairs, &mut faults);
    if faults.is_empty() { Ok(()) } else { Err(invalid(faults)) }
}

fn refuse_parameters(uri: &Uri, faults: &mut Vec<Fault>) {
    if let Err(refusal) = without_parameters(uri) {
        faults.extend(refusal.faults);
    }
}

fn invalid(faults: Vec<Fault>) -> Refusal {
    Refusal::with_faults(Code::InvalidRequest, faults)
}

/// The fields that are asked for: names in their form, each once.
fn field_list<'a>(
    names: impl Iterator<Item = &'a str>,
    faults: &mut Vec<Fault>,
    at: impl Fn(usize, &'static str, &'static str) -> Fault,
) -> Vec<FieldName> {
    let mut fields = Vec::new();
    let mut count = 0;
    for (index, name) in names.enumerate() {
        count += 1;
        match FieldName::new(name) {
            Ok(field) if fields.contains(&field) => {}
            Ok(field) => fields.push(field),
            Err(_) => faults.push(at(index, "field_name", "this is no field name; nested fields are written `name.family`")),
        }
    }
    if count == 0 {
        faults.push(at(0, "empty", "no field is named; leave `fields` out to get all that are permitted"));
    }
    fields
}

/// Text as the bus's own parts of a request encode it.
fn decoded(text: &str) -> Result<String, Refusal> {
    if has_bad_escape(text) {
        return Err(malformed("a `%` is not followed by two hexadecimal digits"));
    }
    percent_encoding::percent_decode_str(text)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| malformed("percent-encoded text is not UTF-8"))
}

fn has_bad_escape(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_hex = |index: usize| bytes.get(index).is_some_and(u8::is_ascii_hexdigit);
    bytes.iter().enumerate().any(|(index, byte)| *byte == b'%' && !(is_hex(index + 1) && is_hex(index + 2)))
}

fn malformed(message: &str) -> Refusal {
    Refusal::with_faults(Code::MalformedRequest, vec![Fault::at("", "malformed", message)])
}
