//! Requests as they come off the wire.

use http::request::Parts;
use http::{Method, Request};
use rabita_contract::Route;
use rabita_model::{Ask, Refusal};

pub fn head(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, value.as_bytes());
    }
    request.body(()).expect("a request").into_parts().0
}

pub fn get(uri: &str) -> Result<Ask, Refusal> {
    asked(rabita_contract::parse(&head("GET", uri, &[]), b""))
}

pub fn post(body: &str) -> Result<Ask, Refusal> {
    let head = head("POST", "/api/population/v1/persons/query", &[("content-type", "application/json")]);
    asked(rabita_contract::parse(&head, body.as_bytes()))
}

pub fn asked(route: Result<Route, Refusal>) -> Result<Ask, Refusal> {
    match route? {
        Route::Entity(ask) => Ok(ask),
        other => panic!("{other:?} is of no entity"),
    }
}
