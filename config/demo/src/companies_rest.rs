//! The tax service's interface: REST of the 2010s, with OAuth 2 client credentials, pages and an envelope.
//!
//! A company can be given another address, at the revision that the caller expects, and be suspended: no more than once for
//! an id.

mod changes;
mod changing;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Form, Path as Segment, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::companies::Company;
use crate::error::DemoError;
use crate::random::Random;
use changes::{Changed, Changes};
use changing::Refusal;

/// The header that a change's id stands in.
pub const ID_HEADER: &str = "X-Request-Id";

/// The client that the service knows.
pub const CLIENT: &str = "rabita";

const TOKEN_SECONDS: u32 = 300;
const TOKENS_MAX: usize = 1_000;
const PAGE_MAX: usize = 100;

struct Service {
    companies: Vec<Company>,
    secret: String,
    tokens: Mutex<Tokens>,
    changes: Mutex<Changes>,
}

struct Tokens {
    random: Random,
    given: BTreeSet<String>,
}

/// The service over these companies, which stand in the order of their numbers. What is changed of them is kept in
/// this file.
///
/// # Errors
/// When the file can't be read or written.
pub fn router(companies: Vec<Company>, secret: String, seed: u64, changes: &Path) -> Result<Router, DemoError> {
    let tokens = Tokens { random: Random::new(seed, "tokens"), given: BTreeSet::new() };
    let changes = Changes::open(changes).map_err(|source| DemoError::File { path: changes.to_owned(), source })?;
    let service = Arc::new(Service { companies, secret, tokens: Mutex::new(tokens), changes: Mutex::new(changes) });
    let guarded = Router::new()
        .route("/api/v2/taxpayers", get(list))
        .route("/api/v2/taxpayers/{tin}", get(one).patch(changing::change))
        .route("/api/v2/taxpayers/{tin}/suspension", post(changing::suspend))
        .route("/api/v2/taxpayers/{tin}/account", get(account))
        .layer(middleware::from_fn_with_state(Arc::clone(&service), with_token));
    Ok(Router::new().route("/oauth/token", post(token)).route("/health", get(async || "OK")).merge(guarded).with_state(service))
}

#[derive(Deserialize)]
struct TokenAsk {
    grant_type: String,
    client_id: Option<String>,
    client_secret: Option<String>,
}

/// RFC 6749, section 4.4; the client's secret stands in the form (section 2.3.1).
async fn token(State(service): State<Arc<Service>>, Form(ask): Form<TokenAsk>) -> Response {
    if ask.grant_type != "client_credentials" {
        return (StatusCode::BAD_REQUEST, Json(json!({ "error": "unsupported_grant_type" }))).into_response();
    }
    if ask.client_id.as_deref() != Some(CLIENT) || ask.client_secret.as_deref() != Some(service.secret.as_str()) {
        return (StatusCode::UNAUTHORIZED, Json(json!({ "error": "invalid_client" }))).into_response();
    }
    let mut tokens = service.tokens.lock().unwrap_or_else(PoisonError::into_inner);
    let token = format!("{:016x}{:016x}", tokens.random.draw(), tokens.random.draw());
    if tokens.given.len() >= TOKENS_MAX {
        tokens.given.clear();
    }
    tokens.given.insert(token.clone());
    Json(json!({ "access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS })).into_response()
}

async fn with_token(State(service): State<Arc<Service>>, headers: HeaderMap, request: Request, next: Next) -> Response {
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = shown.and_then(|shown| shown.strip_prefix("Bearer "));
    let is_known = token.is_some_and(|token| service.tokens.lock().unwrap_or_else(PoisonError::into_inner).given.contains(token));
    if is_known {
        next.run(request).await
    } else {
        let challenge = [(header::WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"")];
        (StatusCode::UNAUTHORIZED, challenge, Json(json!({ "error": "invalid_token" }))).into_response()
    }
}

async fn one(State(service): State<Arc<Service>>, Segment(tin): Segment<String>) -> Response {
    service.company(&tin).map_or_else(
        || Refusal::ABSENT.into_response(),
        |company| Json(json!({ "data": service.whole(company) })).into_response(),
    )
}

async fn account(State(service): State<Arc<Service>>, Segment(tin): Segment<String>) -> Response {
    service
        .company(&tin)
        .map_or_else(|| Refusal::ABSENT.into_response(), |company| Json(json!({ "data": account_of(company) })).into_response())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListAsk {
    director_pin: Option<String>,
    legal_form: Option<String>,
    status: Option<String>,
    page: Option<usize>,
    page_size: Option<usize>,
}

async fn list(State(service): State<Arc<Service>>, Query(ask): Query<ListAsk>) -> Response {
    let size = ask.page_size.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let page = ask.page.unwrap_or(1).max(1);
    let status = |company: &Company| status(company, &service.changes().of(&company.tin));
    let is_asked = |company: &&Company| {
        ask.director_pin.as_ref().is_none_or(|pin| *pin == company.director)
            && ask.legal_form.as_ref().is_none_or(|form| form == company.form)
            && ask.status.as_ref().is_none_or(|asked| asked == status(company))
    };
    let found: Vec<&Company> = service.companies.iter().filter(is_asked).collect();
    let shown: Vec<Value> =
        found.iter().skip((page - 1).saturating_mul(size)).take(size).map(|company| service.whole(company)).collect();
    let paging = json!({ "page": page, "pageSize": size, "totalItems": found.len(), "totalPages": found.len().div_ceil(size) });
    Json(json!({ "data": shown, "paging": paging })).into_response()
}

impl Service {
    fn company(&self, tin: &str) -> Option<&Company> {
        let place = self.companies.binary_search_by(|company| company.tin.as_str().cmp(tin)).ok()?;
        self.companies.get(place)
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn whole(&self, company: &Company) -> Value {
        whole(company, &self.changes().of(&company.tin))
    }
}

const fn status(company: &Company, changed: &Changed) -> &'static str {
    match (company.closed.is_some(), company.is_active() && !changed.is_suspended) {
        (true, _) => "LIQUIDATED",
        (false, true) => "ACTIVE",
        (false, false) => "SUSPENDED",
    }
}

fn whole(company: &Company, changed: &Changed) -> Value {
    let founders: Vec<Value> = company
        .founders
        .iter()
        .map(|founder| json!({ "pin": founder.pin, "sharePercent": format!("{}.{:02}", founder.share / 100, founder.share % 100) }))
        .collect();
    let street = changed.street.as_deref().unwrap_or(company.street);
    // A number, except where somebody wrote a letter behind it.
    let house = changed
        .house
        .as_ref()
        .map_or_else(|| json!(company.house), |house| house.parse::<u32>().map_or(json!(house), |n| json!(n)));
    json!({
        "tin": company.tin,
        "revision": changed.revision,
        "legalName": company.name,
        "legalForm": company.form,
        "status": status(company, changed),
        // Midnight in Baku: who cuts the text at the T gets the day before.
        "registrationDate": format!("{}T00:00:00+04:00", company.registered.iso()),
        "liquidationDate": company.closed.map(|day| format!("{}T00:00:00+04:00", day.iso())),
        "activities": [{ "code": company.activity.0, "name": company.activity.1 }],
        "address": { "region": company.region_name(), "street": street, "house": house, "zip": null },
        "director": { "pin": company.director, "fullName": company.director_name },
        "founders": founders,
        "charterCapital": format!("{}.00", company.capital),
        "vatPayer": if company.is_vat_payer { "Y" } else { "N" },
        "employees": company.employees.to_string(),
    })
}

fn account_of(company: &Company) -> Value {
    let quarters = [("2026-Q1", 3), ("2025-Q4", 4), ("2025-Q3", 5)];
    let taxes: &[&str] = if company.is_vat_payer { &["EDV", "MENFEET"] } else { &["SADE"] };
    let balances: Vec<Value> = quarters
        .iter()
        .flat_map(|(period, factor)| taxes.iter().map(move |tax| (period, factor, tax)))
        .map(|(period, factor, tax)| {
            let charged = company.capital * factor;
            json!({ "period": period, "tax": tax, "chargedQepik": charged, "paidQepik": charged })
        })
        .collect();
    let declaration = if company.closed.is_some() { Value::Null } else { json!({ "period": "2026-Q1", "on": "20/04/2026" }) };
    json!({
        "tin": company.tin,
        "balances": balances,
        "debtQepik": company.debt,
        "lastDeclaration": declaration,
        "asOf": "30/06/2026 23:59:59",
    })
}
