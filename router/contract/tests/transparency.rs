//! What is asked of who used data.

#[path = "support/wire.rs"]
#[expect(dead_code, reason = "the file is shared with tests that ask for records")]
mod wire;

use rabita_contract::{Days, Inquiry, Page, Route, Span, SubjectInquiry, UsageInquiry, parse, wants_body};
use rabita_model::{Code, Refusal};
use wire::head;

fn ask(method: &str, uri: &str, headers: &[(&str, &str)], body: &str) -> Result<Inquiry, Refusal> {
    match parse(&head(method, uri, headers), body.as_bytes())? {
        Route::Transparency(inquiry) => Ok(inquiry),
        other => panic!("{other:?} is no inquiry"),
    }
}

fn get(uri: &str) -> Result<Inquiry, Refusal> {
    ask("GET", uri, &[("x-road-userid", "EE38001085718")], "")
}

fn subject(body: &str) -> Result<SubjectInquiry, Refusal> {
    let headers =
        [("content-type", "application/json"), ("rabita-purpose", "own-data"), ("rabita-user", "Ə"), ("rabita-case", "7")];
    match ask("POST", "/bus/subjects/accesses", &headers, body)? {
        Inquiry::Subject(inquiry) => Ok(inquiry),
        other => panic!("{other:?} is of no subject"),
    }
}

fn usage(uri: &str) -> Result<UsageInquiry, Refusal> {
    match get(uri)? {
        Inquiry::Usage(inquiry) => Ok(inquiry),
        other => panic!("{other:?} is of no subject"),
    }
}

fn places(refusal: &Refusal) -> Vec<(&str, &'static str)> {
    refusal.faults.iter().map(|fault| (fault.parameter.as_deref().unwrap_or(&fault.pointer), fault.code)).collect()
}

fn time(text: &str) -> jiff::Timestamp {
    text.parse().expect("a time")
}

#[test]
fn a_portal_names_the_person_in_the_body_and_nowhere_else() {
    let head = head("POST", "/bus/subjects/accesses", &[]);
    assert!(wants_body(&head));
    let all = subject(r#"{"subject": "5ZJBKH7"}"#).expect("an inquiry");
    assert_eq!((all.subject.expose(), all.span, all.page), ("5ZJBKH7", Span::default(), Page::default()));
    let words = (all.reason.purpose.as_ref().map(|purpose| purpose.as_str()), all.reason.user, all.reason.case);
    assert_eq!(words, (Some("own-data"), Some("Ə".to_owned()), Some("7".to_owned())));
    let some = r#"{"subject":"5ZJBKH7","from":"2026-11-01T00:00:00+04:00","to":"2026-11-30T00:00:00Z","limit":5,"cursor":"c"}"#;
    let some = subject(some).expect("an inquiry");
    let span = Span { from: Some(time("2026-10-31T20:00:00Z")), to: Some(time("2026-11-30T00:00:00Z")) };
    assert_eq!((some.span, some.page), (span, Page { limit: Some(5), cursor: Some("c".into()) }));
    assert_eq!(ask("GET", "/bus/subjects/accesses", &[], "").expect_err("a refusal").code, Code::MethodNotAllowed);
    assert_eq!(get("/bus/subjects/5ZJBKH7/accesses").expect_err("a refusal").code, Code::RouteAbsent);
}

#[test]
fn everything_that_is_wrong_with_a_portals_request_is_told_at_once_and_no_value_repeated() {
    let body = r#"{"subject":"5Z JBKH7","from":"today","to":1,"limit":1001,"cursor":"","subjct":"5ZJBKH7"}"#;
    let refusal = subject(body).expect_err("a refusal");
    assert_eq!(refusal.code, Code::InvalidRequest);
    let expected = [
        ("/subjct", "unknown_member"),
        ("/subject", "format"),
        ("/from", "format"),
        ("/to", "format"),
        ("/limit", "type"),
        ("/cursor", "type"),
    ];
    assert_eq!(places(&refusal), expected);
    assert!(refusal.faults.iter().all(|fault| !fault.message.contains("JBKH7")), "{refusal:?}");
    assert_eq!(places(&subject("{}").expect_err("a refusal")), [("", "required")]);
    let turned = r#"{"subject":"5ZJBKH7","from":"2026-11-02T00:00:00Z","to":"2026-11-01T00:00:00Z"}"#;
    assert_eq!(places(&subject(turned).expect_err("a refusal")), [("/to", "order")]);
    let twice = r#"{"subject":"5ZJBKH7","subject":"4WTR2PX"}"#;
    assert_eq!(subject(twice).expect_err("a refusal").code, Code::MalformedRequest);
}

#[test]
fn the_data_trackers_form_is_as_published() {
    let all = usage("/bus/datatracker/v2/findUsage?userCode=5ZJBKH7").expect("an inquiry");
    assert_eq!((all.subject.expose(), all.span, all.offset, all.limit), ("5ZJBKH7", Span::default(), 0, 1_000));
    assert_eq!(all.reason.user.as_deref(), Some("EE38001085718"), "whoever asks is named in a header");
    let path = "/bus/datatracker/v2/findUsage?userCode=5ZJBKH7&periodStart=2021-01-31T10:20:30&periodEnd=2021-01-31T12:20:30%2B02:00&offset=20&limit=10";
    let some = usage(path).expect("an inquiry");
    let span = Span { from: Some(time("2021-01-31T10:20:30Z")), to: Some(time("2021-01-31T10:20:30Z")) };
    assert_eq!((some.span, some.offset, some.limit), (span, 20, 10), "a time without a zone is in UTC");
    assert!(matches!(get("/bus/datatracker/v2/usagePeriod"), Ok(Inquiry::UsagePeriod)));
    assert!(matches!(get("/bus/datatracker/v2/heartbeat"), Ok(Inquiry::Heartbeat)));
    for path in ["/bus/datatracker/v3/findUsage", "/bus/datatracker/v2/findusage", "/bus/datatracker/v2/findUsage/"] {
        assert_eq!(get(path).expect_err("a refusal").code, Code::RouteAbsent, "{path}");
    }
}

#[test]
fn the_data_tracker_hears_of_all_faults_at_once_with_the_status_that_it_knows() {
    let path = "/bus/datatracker/v2/findUsage?periodStart=yesterday&periodEnd=&offset=-1&limit=10001&page=2";
    let refusal = ask("GET", path, &[], "").expect_err("a refusal");
    assert_eq!((refusal.code, rabita_contract::status(refusal.code).as_u16()), (Code::MalformedRequest, 400));
    let expected = [
        ("X-Road-UserId", "required"),
        ("periodStart", "format"),
        ("periodEnd", "format"),
        ("offset", "type"),
        ("limit", "type"),
        ("page", "unexpected_parameter"),
        ("userCode", "required"),
    ];
    assert_eq!(places(&refusal), expected);
    assert_eq!(get("/bus/datatracker/v2/heartbeat?x=1").expect_err("a refusal").code, Code::MalformedRequest);
}

#[test]
fn an_agency_and_the_public_narrow_by_time() {
    let Ok(Inquiry::Agency(inquiry)) = get("/bus/agencies/interior/accesses?from=2026-11-01T00:00:00Z&limit=5&cursor=c") else {
        panic!("no inquiry")
    };
    assert_eq!((inquiry.agency.as_str(), inquiry.page), ("interior", Page { limit: Some(5), cursor: Some("c".into()) }));
    assert_eq!(inquiry.span, Span { from: Some(time("2026-11-01T00:00:00Z")), to: None });
    let refusal = get("/bus/agencies/interior/accesses?limit=0&registry=population").expect_err("a refusal");
    assert_eq!(places(&refusal), [("limit", "type"), ("registry", "unexpected_parameter")]);
    assert_eq!(get("/bus/agencies/Interior/accesses").expect_err("a refusal").code, Code::RouteAbsent);

    let all = get("/bus/statistics").expect("an inquiry");
    assert_eq!(all, Inquiry::Statistics(Days::default()));
    let month = get("/bus/statistics?from=2026-10-01&to=2026-10-31").expect("an inquiry");
    let day = |day| Some(jiff::civil::date(2026, 10, day));
    assert_eq!(month, Inquiry::Statistics(Days { from: day(1), to: day(31) }));
    let refused = |path: &str| get(path).expect_err("a refusal");
    assert_eq!(places(&refused("/bus/statistics?from=2026-10-01&to=2026-11-01")), [("from", "too_long")]);
    assert_eq!(places(&refused("/bus/statistics?from=2026-10-02&to=2026-10-01")), [("to", "order")]);
    assert_eq!(
        places(&refused("/bus/statistics?from=2026-10-01T00&by=hour")),
        [("from", "format"), ("by", "unexpected_parameter")]
    );
}
