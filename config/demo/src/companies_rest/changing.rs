//! What callers can do to a company.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::changes::Change;
use super::{ID_HEADER, Service};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeAsk {
    address: AddressAsk,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AddressAsk {
    street: Option<String>,
    house: Option<House>,
}

/// A number, or a number with a letter.
#[derive(Deserialize)]
#[serde(untagged)]
enum House {
    Number(u32),
    Text(String),
}

pub(super) async fn change(
    State(service): State<Arc<Service>>,
    Path(tin): Path<String>,
    headers: HeaderMap,
    Json(ask): Json<ChangeAsk>,
) -> Response {
    let AddressAsk { street, house } = ask.address;
    let house = house.map(|house| match house {
        House::Number(number) => number.to_string(),
        House::Text(text) => text,
    });
    let change = Change { id: text(&headers, ID_HEADER), tin, street, house, suspends: false };
    match make(&service, change, text(&headers, "if-match").as_deref()) {
        Ok(_) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SuspendAsk {
    reason_code: String,
}

pub(super) async fn suspend(
    State(service): State<Arc<Service>>,
    Path(tin): Path<String>,
    headers: HeaderMap,
    Json(ask): Json<SuspendAsk>,
) -> Response {
    if !["1", "2", "3"].contains(&ask.reason_code.as_str()) {
        return Refusal::REASON.into_response();
    }
    let change = Change { id: text(&headers, ID_HEADER), tin: tin.clone(), street: None, house: None, suspends: true };
    match make(&service, change, None) {
        Ok(revision) => Json(json!({ "data": { "decisionNo": format!("Q-{tin}-{revision}") } })).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

/// Makes a change, unless it was made before, and tells the revision that it made.
fn make(service: &Service, change: Change, expected: Option<&str>) -> Result<u64, Refusal> {
    let Some(company) = service.company(&change.tin) else { return Err(Refusal::ABSENT) };
    if company.closed.is_some() {
        return Err(Refusal::LIQUIDATED);
    }
    let mut changes = service.changes();
    if let Some(revision) = changes.made(change.id.as_deref()) {
        return Ok(revision);
    }
    let is = format!("\"{}\"", changes.of(&change.tin).revision);
    if expected.is_some_and(|expected| expected != is) {
        return Err(Refusal::REVISION);
    }
    changes.make(change).map_err(|_| Refusal::DISK)
}

/// Why nothing was done, in the service's words.
pub(super) struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: &'static str,
}

impl Refusal {
    pub(super) const ABSENT: Self = Self::new(StatusCode::NOT_FOUND, "TAXPAYER_NOT_FOUND", "VÖEN tapılmadı");
    const LIQUIDATED: Self = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "TAXPAYER_LIQUIDATED", "VÖEN ləğv edilib");
    const REASON: Self = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "REASON_UNKNOWN", "Səbəb kodu yanlışdır");
    const REVISION: Self = Self::new(StatusCode::PRECONDITION_FAILED, "REVISION", "Məlumat dəyişib");
    const DISK: Self = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "NOT_WRITTEN", "Yadda saxlanılmadı");

    const fn new(status: StatusCode, code: &'static str, message: &'static str) -> Self {
        Self { status, code, message }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": { "code": self.code, "message": self.message } }))).into_response()
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}
