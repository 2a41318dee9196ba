//! What an operator asks for: a filter in a URL's query or in a body, and an order to retry or discard.

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use rabita_journal::{Filter, Verb};
use rabita_model::{Code, RegistryId, State, SystemId, UpdateId};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Refused;

/// How many updates one page, or one order, has at most.
pub(super) const LIMIT_MAX: usize = 1_000;

const OPERATOR_MAX: usize = 200;
const REASON_MAX: usize = 1_000;

/// Which updates are wanted, in the words of the query and of an order's `filter`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Wanted {
    registry: Option<RegistryId>,
    state: Option<State>,
    code: Option<String>,
    system: Option<SystemId>,
    /// Accepted so many seconds ago, or longer.
    older_than_s: Option<u32>,
    pub limit: Option<usize>,
    cursor: Option<String>,
}

impl Wanted {
    pub fn of_query(query: &str) -> Result<Self, Refused> {
        let mut members = Map::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let is_number = matches!(name.as_ref(), "older_than_s" | "limit");
            let number = value.parse::<u64>().ok().filter(|_| is_number);
            let twice =
                members.insert(name.clone().into_owned(), number.map_or_else(|| Value::from(value.as_ref()), Value::from));
            if twice.is_some() {
                return Err(bad(format!("`{name}` is given twice")));
            }
        }
        serde_json::from_value(Value::Object(members)).map_err(|error| bad(error.to_string()))
    }

    pub fn filter(&self, now: Timestamp) -> Result<Filter, Refused> {
        let code = self.code.as_deref().map(|name| Code::parse(name).ok_or_else(|| bad(format!("there is no code `{name}`"))));
        Ok(Filter {
            registry: self.registry.clone(),
            system: self.system.clone(),
            state: self.state,
            code: code.transpose()?,
            before: self.older_than_s.map(|seconds| now - SignedDuration::from_secs(seconds.into())),
            cursor: self.cursor.clone(),
            limit: self.limit.unwrap_or(100).clamp(1, LIMIT_MAX),
            ..Filter::default()
        })
    }
}

/// An order to retry or to discard.
#[derive(Debug)]
pub(super) struct Order {
    pub sought: Sought,
    operator: String,
    reason: Option<String>,
    pub dry_run: bool,
}

/// What an order is about.
#[derive(Debug)]
pub(super) enum Sought {
    Ids(Vec<UpdateId>),
    Filter(Wanted),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    ids: Option<Vec<UpdateId>>,
    filter: Option<Wanted>,
    operator: String,
    reason: Option<String>,
    #[serde(default)]
    dry_run: bool,
}

impl Order {
    pub fn parse(body: &[u8]) -> Result<Self, Refused> {
        let Written { ids, filter, operator, reason, dry_run } =
            serde_json::from_slice(body).map_err(|error| bad(error.to_string()))?;
        let sought = match (ids, filter) {
            (Some(ids), None) if ids.len() > LIMIT_MAX => return Err(bad(format!("at most {LIMIT_MAX} ids in one order"))),
            (Some(mut ids), None) => {
                let mut seen = std::collections::HashSet::new();
                ids.retain(|id| seen.insert(*id));
                Sought::Ids(ids)
            }
            (None, Some(filter)) => Sought::Filter(filter),
            _ => return Err(bad("an order has either `ids` or a `filter`")),
        };
        Ok(Self { sought, operator, reason, dry_run })
    }

    /// Who orders it, and why: discarding needs a reason.
    pub fn signed(&self, verb: Verb) -> Result<(String, Option<String>), Refused> {
        let operator = self.operator.trim();
        if !is_line(operator, OPERATOR_MAX) {
            return Err(bad(format!("`operator` is a line of 1 to {OPERATOR_MAX} characters")));
        }
        let reason = self.reason.as_deref().map(str::trim).filter(|reason| !reason.is_empty());
        if reason.is_some_and(|reason| !is_line(reason, REASON_MAX)) {
            return Err(bad(format!("`reason` is a line of at most {REASON_MAX} characters")));
        }
        if verb == Verb::Discard && reason.is_none() {
            return Err(bad("an update is discarded for a `reason`"));
        }
        Ok((operator.to_owned(), reason.map(str::to_owned)))
    }
}

fn is_line(text: &str, max: usize) -> bool {
    !text.is_empty() && text.chars().count() <= max && !text.chars().any(char::is_control)
}

fn bad(message: impl Into<String>) -> Refused {
    Refused::new(StatusCode::BAD_REQUEST, message)
}
