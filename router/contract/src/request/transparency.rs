//! Who used data: what a citizen's portal, an agency and the public ask of it.
//!
//! A portal asks with the personal number in the body. The paths below `/bus/datatracker/v2` are those of Estonia's Data
//! Tracker, version 2 of its published description, which puts the number into the URL and tells faults with 400; its
//! callers send no `Rabita-` headers, and name the person who asks in `X-Road-UserId`.

use http::request::Parts;
use http::{HeaderMap, Method};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use rabita_model::{AgencyId, Code, Fault, Purpose, Refusal, Subject};
use serde_json::{Map, Value};

use super::bus::Parameters;
use super::{body, decoded, headers, invalid, without_parameters};

/// The most uses on one page.
pub(crate) const LIMIT_MAX: u32 = 1_000;
/// The most uses in one answer in the Data Tracker's form.
pub(crate) const USAGES_MAX: u32 = 10_000;
/// Where the Data Tracker's form leaves the limit out.
pub(crate) const USAGES: u32 = 1_000;
/// The most days of which statistics are told at once.
pub(crate) const DAYS_MAX: i32 = 31;
/// Longer than any country's personal number.
const SUBJECT_MAX: usize = 64;
const USER: &str = "X-Road-UserId";

/// What is asked of who used data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inquiry {
    /// `POST /bus/subjects/accesses`.
    Subject(SubjectInquiry),
    /// `GET /bus/datatracker/v2/findUsage`.
    Usage(UsageInquiry),
    /// `GET /bus/datatracker/v2/usagePeriod`.
    UsagePeriod,
    /// `GET /bus/datatracker/v2/heartbeat`.
    Heartbeat,
    /// `GET /bus/agencies/{agency}/accesses`.
    Agency(AgencyInquiry),
    /// `GET /bus/statistics`.
    Statistics(Days),
}

impl Inquiry {
    /// On whose behalf it is asked, as its caller says.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::Subject(SubjectInquiry { reason, .. }) | Self::Usage(UsageInquiry { reason, .. }) => reason.user.as_deref(),
            Self::UsagePeriod | Self::Heartbeat | Self::Agency(_) | Self::Statistics(_) => None,
        }
    }
}

/// Who used the data of one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectInquiry {
    pub subject: Subject,
    pub reason: Reason,
    pub span: Span,
    pub page: Page,
}

/// The same in the Data Tracker's form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageInquiry {
    pub subject: Subject,
    pub reason: Reason,
    pub span: Span,
    /// How many of the newest are passed over.
    pub offset: u32,
    /// How many are told at most.
    pub limit: u32,
}

/// Who used the registries of one agency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgencyInquiry {
    pub agency: AgencyId,
    pub span: Span,
    pub page: Page,
}

/// Why, and on whose behalf.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reason {
    pub purpose: Option<Purpose>,
    pub user: Option<String>,
    pub case: Option<String>,
}

/// A span of time with its ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
}

/// Days in UTC, the first and the last too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Days {
    pub from: Option<Date>,
    pub to: Option<Date>,
}

/// A page of what was found, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// From 1 to 1000.
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
}

/// A path of an inquiry.
pub(super) enum InquiryPath {
    Subject,
    Usage,
    UsagePeriod,
    Heartbeat,
    Agency(AgencyId),
    Statistics,
}

impl InquiryPath {
    /// `None` where there is no such path below `/bus`.
    pub(super) fn parse(segments: &[&str]) -> Option<Self> {
        Some(match segments {
            ["subjects", "accesses"] => Self::Subject,
            ["datatracker", "v2", "findUsage"] => Self::Usage,
            ["datatracker", "v2", "usagePeriod"] => Self::UsagePeriod,
            ["datatracker", "v2", "heartbeat"] => Self::Heartbeat,
            ["agencies", agency, "accesses"] => Self::Agency(AgencyId::new(&decoded(agency).ok()?).ok()?),
            ["statistics"] => Self::Statistics,
            _ => return None,
        })
    }

    pub(super) const fn allow(&self) -> &'static str {
        match self {
            Self::Subject => "POST",
            _ => "GET, HEAD",
        }
    }

    pub(super) const fn takes_body(&self) -> bool {
        matches!(self, Self::Subject)
    }

    /// The inquiry, with what the URL's parameters, the headers or the body say.
    pub(super) fn inquiry(self, head: &Parts, body: &[u8]) -> Result<Inquiry, Refusal> {
        match self {
            Self::Subject => subject(head, body).map(Inquiry::Subject),
            Self::Usage => usage(head).map(Inquiry::Usage).map_err(as_published),
            Self::UsagePeriod => without_parameters(&head.uri).map(|()| Inquiry::UsagePeriod).map_err(as_published),
            Self::Heartbeat => without_parameters(&head.uri).map(|()| Inquiry::Heartbeat).map_err(as_published),
            Self::Agency(agency) => of_agency(head, agency).map(Inquiry::Agency),
            Self::Statistics => statistics(head).map(Inquiry::Statistics),
        }
    }
}

fn subject(head: &Parts, bytes: &[u8]) -> Result<SubjectInquiry, Refusal> {
    debug_assert!(head.method == Method::POST, "the path allows no other method");
    headers::content_type(&head.headers)?;
    let mut faults = Vec::new();
    let reason = reason(&head.headers, &mut faults);
    super::refuse_parameters(&head.uri, &mut faults);
    let Value::Object(members) = body::value(bytes)? else {
        faults.push(Fault::at("", "type", "the body is a JSON object with `subject`"));
        return Err(invalid(faults));
    };
    body::unknown_members(&members, &["subject", "from", "to", "limit", "cursor"], "", &mut faults);
    if !members.contains_key("subject") {
        faults.push(Fault::at("", "required", "`subject` has to be given: the personal number"));
    }
    let number = text(&members, "subject", "format", "a personal number as the registries write it", is_number, &mut faults);
    let mut time = |name| text(&members, name, "format", TIME, |text| text.parse().ok(), &mut faults);
    let span = Span { from: time("from"), to: time("to") };
    let limit = members.get("limit").and_then(|limit| {
        let limit = limit.as_u64().and_then(|limit| u32::try_from(limit).ok()).filter(|limit| (1..=LIMIT_MAX).contains(limit));
        if limit.is_none() {
            faults.push(Fault::at("/limit", "type", format!("`limit` is {}", limits())));
        }
        limit
    });
    let cursor = text(&members, "cursor", "type", CURSOR, |text| Some(text.to_owned()), &mut faults);
    check_order(span, &mut faults, |message| Fault::at("/to", "order", message));
    match number {
        Some(subject) if faults.is_empty() => Ok(SubjectInquiry { subject, reason, span, page: Page { limit, cursor } }),
        _ => Err(invalid(faults)),
    }
}

const TIME: &str = "a time as in RFC 3339: `2027-03-01T09:00:00Z`";
const CURSOR: &str = "the `next` of the page before";

fn limits() -> String {
    format!("a whole number from 1 to {LIMIT_MAX}")
}

fn usage(head: &Parts) -> Result<UsageInquiry, Refusal> {
    let mut faults = Vec::new();
    let mut reason = reason(&head.headers, &mut faults);
    match head.headers.get(USER) {
        None => faults.push(Fault::parameter(USER, "required", "the person who asks has to be named")),
        Some(value) => match value.to_str().ok().map(str::trim).and_then(is_number) {
            Some(user) => reason.user = Some(user.expose().to_owned()),
            None => faults.push(Fault::parameter(USER, "header_text", "this header holds a personal code")),
        },
    }
    let given = has_parameter(head, "userCode");
    let mut parameters = Parameters::of(&head.uri, &mut faults)?;
    let subject = parameters.take("userCode", "format", "a personal number as the registries write it", is_number);
    let span = Span {
        from: parameters.take("periodStart", "format", TIME, published_time),
        to: parameters.take("periodEnd", "format", TIME, published_time),
    };
    let offset = parameters.take("offset", "type", "a whole number from 0 on", |text| int32(text, i32::MAX.unsigned_abs()));
    let most = format!("a whole number from 0 to {USAGES_MAX}");
    let limit = parameters.take("limit", "type", &most, |text| int32(text, USAGES_MAX));
    parameters.end(&["userCode", "periodStart", "periodEnd", "offset", "limit"]);
    if !given {
        faults.push(Fault::parameter("userCode", "required", "`userCode` has to be given: the personal number"));
    }
    check_order(span, &mut faults, |message| Fault::parameter("periodEnd", "order", message));
    match subject {
        Some(subject) if faults.is_empty() => {
            let (offset, limit) = (offset.unwrap_or_default(), limit.unwrap_or(USAGES));
            Ok(UsageInquiry { subject, reason, span, offset, limit })
        }
        _ => Err(invalid(faults)),
    }
}

/// The published description knows 400 for whatever is wrong with a request.
fn as_published(refusal: Refusal) -> Refusal {
    match refusal.code {
        Code::InvalidRequest => Refusal { code: Code::MalformedRequest, ..refusal },
        _ => refusal,
    }
}

fn has_parameter(head: &Parts, name: &str) -> bool {
    let query = head.uri.query().unwrap_or_default();
    query.split('&').any(|pair| pair.split_once('=').is_some_and(|(given, _)| given == name))
}

/// A time with its zone, or without one, as the examples of the description have it: then in UTC.
fn published_time(text: &str) -> Option<Timestamp> {
    let plain = || TimeZone::UTC.to_timestamp(text.parse::<DateTime>().ok()?).ok();
    text.parse().ok().or_else(plain)
}

fn int32(text: &str, most: u32) -> Option<u32> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| is_number && *number <= most)
}

fn of_agency(head: &Parts, agency: AgencyId) -> Result<AgencyInquiry, Refusal> {
    let mut faults = Vec::new();
    let mut parameters = Parameters::of(&head.uri, &mut faults)?;
    let span = span(&mut parameters);
    let limit = parameters.take("limit", "type", &limits(), |text| int32(text, LIMIT_MAX).filter(|limit| *limit > 0));
    let cursor = parameters.take("cursor", "empty", CURSOR, |text| Some(text.to_owned()));
    parameters.end(&["from", "to", "limit", "cursor"]);
    check_order(span, &mut faults, |message| Fault::parameter("to", "order", message));
    if faults.is_empty() { Ok(AgencyInquiry { agency, span, page: Page { limit, cursor } }) } else { Err(invalid(faults)) }
}

fn statistics(head: &Parts) -> Result<Days, Refusal> {
    let mut faults = Vec::new();
    let mut parameters = Parameters::of(&head.uri, &mut faults)?;
    let mut day =
        |name| parameters.take(name, "format", "a day: `2027-03-01`", |text| text.parse().ok().filter(|_| text.len() == DAY));
    let days = Days { from: day("from"), to: day("to") };
    parameters.end(&["from", "to"]);
    if let Days { from: Some(from), to: Some(to) } = days {
        match (to - from).get_days() {
            ..0 => faults.push(Fault::parameter("to", "order", TURNED)),
            DAYS_MAX.. => {
                let message = format!("statistics are told of {DAYS_MAX} days at once");
                faults.push(Fault::parameter("from", "too_long", message));
            }
            _ => {}
        }
    }
    if faults.is_empty() { Ok(days) } else { Err(invalid(faults)) }
}

fn span(parameters: &mut Parameters<'_, '_>) -> Span {
    let mut time = |name| parameters.take(name, "format", TIME, |text| text.parse().ok());
    Span { from: time("from"), to: time("to") }
}

fn check_order(span: Span, faults: &mut Vec<Fault>, fault: impl Fn(&'static str) -> Fault) {
    if let Span { from: Some(from), to: Some(to) } = span
        && to < from
    {
        faults.push(fault(TURNED));
    }
}

/// The length of a day: what has a time as well parses, too.
const DAY: usize = "2027-03-01".len();
const TURNED: &str = "the end is before the beginning";

fn reason(headers: &HeaderMap, faults: &mut Vec<Fault>) -> Reason {
    let headers::Words { purpose, user, case, .. } = headers::words(headers, faults);
    Reason { purpose, user, case }
}

/// A personal number, of whatever form a country gives it.
fn is_number(text: &str) -> Option<Subject> {
    let fits = !text.is_empty() && text.len() <= SUBJECT_MAX && !text.chars().any(|c| c.is_control() || c.is_whitespace());
    fits.then(|| Subject::new(text))
}

/// The text of a member, in what it stands for.
fn text<T>(
    members: &Map<String, Value>,
    name: &str,
    code: &'static str,
    what: &str,
    read: impl Fn(&str) -> Option<T>,
    faults: &mut Vec<Fault>,
) -> Option<T> {
    let found = members.get(name)?.as_str().filter(|text| !text.is_empty()).and_then(read);
    if found.is_none() {
        faults.push(Fault::at(format!("/{name}"), code, format!("`{name}` is {what}")));
    }
    found
}
