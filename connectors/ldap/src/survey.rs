//! What a directory says of itself: its schema, and what its entries have of it. Nothing is changed, and no password is
//! read.

mod classes;
mod draft;
mod fixture;

use std::future::Future;
use std::path::Path;
use std::time::Instant;

use rabita_sdk::survey::{Recognised, Survey, SurveyError, SurveyLimits, SurveySource};
use rabita_sdk::{Secrets, TextOrSecret};
use serde_json::Value;

use crate::dn;
use crate::kind::dial;
use crate::link::Link;
use crate::protocol::{ASSERTION, Code, Control, Entry, Filter, PAGED_RESULTS, Scope, SearchRequest};
use crate::schema::{Description, Schema, subschema};
use crate::settings::{References, Settings};

use classes::Classes;
pub(crate) use fixture::fixture;

/// The entries that are counted, at most.
pub(super) const COUNTED_MAX: usize = 20_000;

/// How many entries are asked for at once.
const PAGE: usize = 500;

/// Whether an address is a directory's.
pub(crate) fn recognises(source: &SurveySource) -> Recognised {
    if source.has_scheme(&["ldap", "ldaps"]) { Recognised::Surely } else { Recognised::No }
}

/// Asks a directory what it holds.
///
/// # Errors
/// See [`SurveyError`].
pub(crate) async fn survey(source: &SurveySource, secrets: &dyn Secrets, limits: &SurveyLimits) -> Result<Survey, SurveyError> {
    let work = async {
        let (settings, base) = settings(source)?;
        let asked = Asked::begin(settings, &source.directory, secrets, limits).await?;
        draft::survey(asked, source, base).await
    };
    let late = |_| SurveyError::Unreachable("the directory did not say everything in the time that a survey has".to_owned());
    tokio::time::timeout(limits.whole, work).await.map_err(late)?
}

/// The manifest's settings, and the base that the address names behind the host (RFC 4516).
fn settings(source: &SurveySource) -> Result<(serde_json::Map<String, Value>, Option<String>), SurveyError> {
    let mut settings = source.settings.clone();
    let mut base = None;
    let address = match &source.address {
        TextOrSecret::Secret(_) => serde_json::to_value(&source.address).unwrap_or_default(),
        TextOrSecret::Text(text) => {
            let url = url::Url::parse(text).map_err(|_| SurveyError::Unsuitable("the address is no URL".to_owned()))?;
            if url.password().is_some() {
                let message = "the address has a password in the open: give `bind` with the password by reference";
                return Err(SurveyError::Unsuitable(message.to_owned()));
            }
            let path = url.path().trim_start_matches('/');
            if !path.is_empty() {
                base = Some(decoded(path)?);
            }
            let begin = text.find("://").map_or(0, |at| at + 3);
            let end = text[begin..].find('/').map_or(text.len(), |at| begin + at);
            Value::String(text[..end].to_owned())
        }
    };
    settings.insert("url".to_owned(), address);
    Ok((settings, base))
}

fn decoded(path: &str) -> Result<String, SurveyError> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    let wrong = || SurveyError::Unsuitable("the entry's name in the address can't be read".to_owned());
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16)).ok_or_else(wrong);
        let (high, low) = (digit()?, digit()?);
        bytes.push(u8::try_from(high * 16 + low).map_err(|_| wrong())?);
    }
    String::from_utf8(bytes).ok().filter(|base| dn::naming(base).is_some()).ok_or_else(wrong)
}

/// A directory that answers, and what it said so far.
pub(super) struct Asked {
    link: Link,
    pub(super) limits: SurveyLimits,
    pub(super) settings: serde_json::Map<String, Value>,
    pub(super) schema: Schema,
    pub(super) classes: Classes,
    /// Where its entries are.
    pub(super) contexts: Vec<String>,
    /// Whether a part of what was searched is on another server.
    pub(super) is_part: bool,
}

impl Asked {
    async fn begin(
        mut settings: serde_json::Map<String, Value>,
        directory: &Path,
        secrets: &dyn Secrets,
        limits: &SurveyLimits,
    ) -> Result<Self, SurveyError> {
        let mut parsed: Settings = serde_json::from_value(Value::Object(settings.clone()))
            .map_err(|wrong| SurveyError::Unsuitable(format!("connector: {wrong}")))?;
        // What is on another server is told as missing, and is no reason to tell nothing.
        parsed.references = References::Overlook;
        let dial = dial(&parsed, directory, secrets).await.map_err(|wrong| SurveyError::Unsuitable(wrong.0))?;
        let mut link = within(limits, dial.link()).await?;
        let root = request("", Scope::Base, Filter::Present("objectClass".to_owned()), &["namingContexts", "supportedControl"]);
        let mut found = None;
        let asking = link.search(request_for(root, limits), Vec::new(), |entry, _| {
            found = Some(entry);
            Ok(())
        });
        within(limits, asking).await?;
        let root = found.unwrap_or(Entry { dn: String::new(), attributes: Vec::new() });
        let said = |name| texts(&root, name).map(str::to_owned).collect::<Vec<_>>();
        if !said("supportedControl").iter().any(|control| control == ASSERTION) {
            settings.insert("assertions".to_owned(), Value::Bool(false));
        }
        let entry = within(limits, subschema(&mut link, &["attributeTypes", "objectClasses"])).await?;
        let entry = entry.ok_or_else(|| SurveyError::Unreachable("the directory does not show the bus its schema".to_owned()))?;
        let descriptions = |name| texts(&entry, name).filter_map(Description::parse).collect::<Vec<_>>();
        let attributes = descriptions("attributeTypes");
        let classes = Classes::new(descriptions("objectClasses"), &attributes);
        Ok(Self {
            link,
            limits: *limits,
            settings,
            schema: Schema::of(attributes),
            classes,
            contexts: said("namingContexts"),
            is_part: false,
        })
    }

    /// Goes through entries, so many at most. Answers whether these were all.
    pub(super) async fn go_through(
        &mut self,
        base: &str,
        scope: Scope,
        filter: &Filter,
        attributes: &[&str],
        most: usize,
        mut each: impl FnMut(Entry),
    ) -> Result<bool, SurveyError> {
        let (mut place, mut left) = (Vec::new(), most);
        loop {
            let request = request_for(request(base, scope, filter.clone(), attributes), &self.limits);
            let control = Control::paged_results(i32::try_from(left.min(PAGE)).unwrap_or(i32::MAX), place);
            let asking = self.link.search(request, vec![control], |entry, _| {
                if left > 0 {
                    left -= 1;
                    each(entry);
                }
                Ok(())
            });
            let end = within(&self.limits, asking).await?;
            self.is_part |= end.is_part;
            place = end
                .controls
                .iter()
                .find(|control| control.oid == PAGED_RESULTS)
                .map_or(Ok((0, Vec::new())), Control::page)
                .map_err(|_| SurveyError::Unreachable("the directory's word on pages is none".to_owned()))?
                .1;
            if end.code != Code::SUCCESS || left == 0 && !place.is_empty() {
                return Ok(false);
            }
            if place.is_empty() {
                return Ok(true);
            }
        }
    }
}

/// The values of an attribute that are text.
pub(super) fn texts<'a>(entry: &'a Entry, name: &str) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
    entry.values(name).iter().filter_map(|value| std::str::from_utf8(value).ok())
}

fn request(base: &str, scope: Scope, filter: Filter, attributes: &[&str]) -> SearchRequest {
    let attributes = attributes.iter().map(|name| (*name).to_owned()).collect();
    SearchRequest { base: base.to_owned(), scope, size_limit: 0, time_limit: 0, filter, attributes }
}

fn request_for(mut request: SearchRequest, limits: &SurveyLimits) -> SearchRequest {
    request.time_limit = i32::try_from(limits.question.as_secs().max(1)).unwrap_or(i32::MAX);
    request
}

/// One question, which may take so long.
async fn within<T>(
    limits: &SurveyLimits,
    question: impl Future<Output = Result<T, rabita_sdk::Failure>>,
) -> Result<T, SurveyError> {
    match tokio::time::timeout(limits.question, question).await {
        Ok(answer) => answer.map_err(|failure| SurveyError::Unreachable(failure.to_string())),
        Err(_) => Err(SurveyError::Unreachable("the directory did not answer a question in time".to_owned())),
    }
}

/// When a survey has to leave out what is left.
pub(super) fn is_late(began: Instant, limits: &SurveyLimits) -> bool {
    began.elapsed() > limits.whole.mul_f32(0.8)
}
