//! The ministry of education's interface: a key in a header, places instead of pages, odd names, and bad days.
//!
//! It misbehaves for the diplomas of [`Mishap`], so that anyone can see what the bus makes of it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::diplomas::Diploma;

/// The header that the key stands in.
pub const KEY_HEADER: &str = "X-Acar";

/// How long a slow answer takes: longer than anyone waits.
const SLOW: Duration = Duration::from_secs(20);

const PAGE_MAX: usize = 50;

/// What goes wrong for certain diplomas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// The answer takes twenty seconds.
    Slow,
    /// The answer is a page for people, with status 200.
    Garbage,
    /// The answer ends in the middle.
    Truncated,
    /// The answer is JSON, but no diploma that the contract allows.
    BreaksItsSchema,
    /// The service is closed for maintenance.
    Closed,
}

impl Mishap {
    /// Every mishap.
    pub const ALL: [Self; 5] = [Self::Slow, Self::Garbage, Self::Truncated, Self::BreaksItsSchema, Self::Closed];

    /// The number of the diploma for which this goes wrong.
    #[must_use]
    pub const fn number(self) -> &'static str {
        match self {
            Self::Slow => "SLW-000001",
            Self::Garbage => "GRB-000001",
            Self::Truncated => "TRN-000001",
            Self::BreaksItsSchema => "SCH-000001",
            Self::Closed => "OUT-000001",
        }
    }

    fn of(number: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mishap| mishap.number() == number)
    }
}

struct Service {
    diplomas: Vec<Diploma>,
    key: String,
}

/// The service over these diplomas, which stand in the order of their numbers.
pub fn router(diplomas: Vec<Diploma>, key: String) -> Router {
    let service = Arc::new(Service { diplomas, key });
    Router::new()
        .route("/tehsil/sened", get(list))
        .route("/tehsil/sened/{number}", get(one))
        .layer(middleware::from_fn_with_state(Arc::clone(&service), with_key))
        .route("/tehsil/sag", get(async || "1"))
        .with_state(service)
}

async fn with_key(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let key = request.headers().get(KEY_HEADER).map(|value| value.as_bytes());
    if key == Some(service.key.as_bytes()) {
        next.run(request).await
    } else {
        (StatusCode::FORBIDDEN, Json(json!({ "xeta": "acar" }))).into_response()
    }
}

async fn one(State(service): State<Arc<Service>>, Path(number): Path<String>) -> Response {
    if let Some(mishap) = Mishap::of(&number) {
        return misbehave(mishap).await;
    }
    match service.diplomas.binary_search_by(|diploma| diploma.number.as_str().cmp(&number)) {
        Ok(place) => Json(whole(&service.diplomas[place])).into_response(),
        Err(_) => (StatusCode::NOT_FOUND, Json(json!({ "xeta": "yoxdur" }))).into_response(),
    }
}

async fn misbehave(mishap: Mishap) -> Response {
    let as_json = [(header::CONTENT_TYPE, "application/json")];
    match mishap {
        Mishap::Slow => {
            tokio::time::sleep(SLOW).await;
            (StatusCode::NOT_FOUND, Json(json!({ "xeta": "yoxdur" }))).into_response()
        }
        Mishap::Garbage => (as_json, "<html><body>Server is too busy</body></html>").into_response(),
        Mishap::Truncated => (as_json, "{\"nomre\":\"TRN-000001\",\"fin\":\"5ZJB").into_response(),
        Mishap::BreaksItsSchema => {
            let wrong = json!({ "nomre": "no number at all", "fin": "IOIO", "derece": 5, "ferqlenme": "X", "veziyyet": 1,
                "muessise": { "kod": "5001", "ad": "Nümunə Dövlət Universiteti" }, "verilib": "31.02.2001" });
            Json(wrong).into_response()
        }
        Mishap::Closed => (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "30")], "texniki fasilə").into_response(),
    }
}

#[derive(Deserialize)]
struct ListAsk {
    fin: Option<String>,
    derece: Option<i32>,
    /// How many to pass over.
    kec: Option<usize>,
    /// How many to give.
    say: Option<usize>,
}

async fn list(State(service): State<Arc<Service>>, Query(ask): Query<ListAsk>) -> Response {
    let is_asked = |diploma: &&Diploma| {
        ask.fin.as_ref().is_none_or(|pin| *pin == diploma.pin) && ask.derece.is_none_or(|level| level == diploma.level)
    };
    let found: Vec<&Diploma> = service.diplomas.iter().filter(is_asked).collect();
    let (skip, take) = (ask.kec.unwrap_or(0), ask.say.unwrap_or(PAGE_MAX).min(PAGE_MAX));
    let shown: Vec<Value> = found.iter().skip(skip).take(take).map(|diploma| whole(diploma)).collect();
    Json(json!({ "cem": found.len(), "siyahi": shown })).into_response()
}

fn whole(diploma: &Diploma) -> Value {
    json!({
        "nomre": diploma.number,
        "fin": diploma.pin,
        "saa": diploma.name,
        "derece": diploma.level,
        "muessise": { "kod": diploma.institution.0, "ad": diploma.institution.1 },
        "ixtisas": diploma.speciality.unwrap_or(""),
        "ferqlenme": if diploma.has_honours { "Bəli" } else { "Xeyr" },
        "verilib": diploma.issued.dotted(),
        "veziyyet": diploma.status,
    })
}
