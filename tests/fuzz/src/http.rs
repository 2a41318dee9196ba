//! A request off the wire, and what signs it.
//!
//! The bytes are a head as HTTP/1.1 has it, an empty line, and a body; what hyper would not let through is left out.

use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use rabita_contract::signature::{check_content_digest, signed_request as read_signature};
use rabita_contract::{Asked, Frame, Route, TraceParent, problem};
use rabita_model::Want;

/// Reads a request, and answers it where it is refused.
pub fn request(data: &[u8]) {
    let Some((head, body)) = parts(data) else { return };
    let _ = TraceParent::of(&head.headers);
    let asked = Asked::of(&head);
    let read_body = if rabita_contract::wants_body(&head) { body } else { &[] };
    match rabita_contract::parse(&head, read_body) {
        Ok(Route::Entity(ask)) => {
            let is_read = !matches!(ask.want, Want::Change(_));
            let safe = [Method::GET, Method::HEAD, Method::POST].contains(&head.method);
            assert!(safe || !is_read, "a method that changes reads");
            assert!(is_read || ![Method::GET, Method::HEAD].contains(&head.method), "a method that reads changes");
            let again = rabita_contract::parse(&head, read_body).expect("it was read before");
            let Route::Entity(again) = again else { panic!("the same request means two things") };
            assert_eq!(format!("{ask:?}"), format!("{again:?}"));
        }
        Ok(_) => {}
        Err(refusal) => {
            let response = problem(&refusal, &asked, &frame());
            assert!(response.status().is_client_error(), "a request that cannot be read is its caller's fault");
            if head.method != Method::HEAD {
                let told: serde_json::Value = serde_json::from_slice(response.body()).expect("a problem is JSON");
                assert_eq!(told["code"], refusal.code.as_str());
            }
        }
    }
}

/// Reads the signature of a request, and the digest of its body.
pub fn signed_request(data: &[u8]) {
    let Some((head, body)) = parts(data) else { return };
    let _ = check_content_digest(&head.headers, |_| vec![0; 32]);
    if let Ok(Some(signed)) = read_signature(&head, !body.is_empty()) {
        let _ = signed.check_time(1_700_000_000, 60);
        assert!(!signed.base.is_empty(), "something is signed");
        let base = String::from_utf8_lossy(&signed.base);
        assert!(base.contains("\"@method\""), "the method is signed: {base}");
    }
}

fn frame() -> Frame<'static> {
    Frame::new(rabita_model::ExchangeId::new(uuid::Uuid::nil()))
}

/// What hyper makes of these bytes; `None` where they are no request for it.
fn parts(data: &[u8]) -> Option<(Parts, &[u8])> {
    let end = data.windows(2).position(|two| two == b"\n\n")?;
    let (head, body) = (&data[..end], &data[end + 2..]);
    let mut lines = head.split(|byte| *byte == b'\n');
    let first = lines.next()?;
    let space = first.iter().position(|byte| *byte == b' ')?;
    let method = Method::from_bytes(&first[..space]).ok()?;
    let uri = Uri::try_from(&first[space + 1..]).ok()?;
    let mut request = Request::new(());
    (*request.method_mut(), *request.uri_mut()) = (method, uri);
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
        request.headers_mut().append(name, value);
    }
    Some((request.into_parts().0, body))
}
