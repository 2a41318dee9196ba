//! One change.

use http::header::{CONTENT_TYPE, IF_MATCH};
use http::{HeaderMap, HeaderValue};
use rabita_http::Outgoing;
use rabita_sdk::{Applied, Call, Change, ChangeKind, Failure, Legacy, Row, Source};

use crate::connector::Rest;
use crate::plan::{ChangePlan, Plan};
use crate::settings::Meaning;

impl Rest {
    /// Sends a change, once.
    pub(crate) async fn change(&self, plan: &Plan, change: Change, call: &Call) -> Result<Applied, Failure> {
        let kind = change.kind;
        let how = plan.change(kind).ok_or_else(|| Failure::unsupported(format!("this entity has no `{}`", kind.operation())))?;
        let headers = self.change_headers(plan, how, &change)?;
        let path = how.path.fill(&change.key)?;
        let body = match kind {
            ChangeKind::Delete => None,
            _ => Some(body(how, &change.values)?.into()),
        };
        let answer = self.client.send(Outgoing { method: how.method.clone(), path, headers, body, changes: true }, call).await?;
        match (self.statuses.of_change(answer.status), kind) {
            (Meaning::Ok, _) => Ok(Applied::Done),
            (Meaning::Conflict, _) => Ok(Applied::Conflict),
            // There is nothing yet that could be absent: what is missing is the place for it.
            (Meaning::Absent, ChangeKind::Create) => Err(self.statuses.failure(Meaning::Refused, &answer)),
            (Meaning::Absent, _) => Ok(Applied::Absent),
            (meaning, _) => Err(self.statuses.failure(meaning, &answer)),
        }
    }

    fn change_headers(&self, plan: &Plan, how: &ChangePlan, change: &Change) -> Result<HeaderMap, Failure> {
        let carried = Carried { id: change.id, expected_version: change.expected_version.as_ref() };
        let mut headers = self.carried_headers(plan, &carried)?;
        if change.kind != ChangeKind::Delete {
            headers.insert(CONTENT_TYPE, how.media_type.clone());
        }
        Ok(headers)
    }

    /// The headers of a change or an action: the entity's, its id, and the version that it rests on.
    pub(crate) fn carried_headers(&self, plan: &Plan, carried: &Carried<'_>) -> Result<HeaderMap, Failure> {
        let mut headers = plan.headers.clone();
        if let Some(name) = &self.idempotency_header
            && let Ok(id) = HeaderValue::try_from(carried.id.to_string())
        {
            headers.insert(name, id);
        }
        if let Some(version) = carried.expected_version {
            headers.insert(IF_MATCH, if_match(plan, version)?);
        }
        Ok(headers)
    }
}

/// What a change or an action carries besides its body.
pub(crate) struct Carried<'a> {
    pub(crate) id: uuid::Uuid,
    pub(crate) expected_version: Option<&'a Legacy>,
}

/// The condition of a change. A version from a header is an entity tag already; one from a record is made one.
fn if_match(plan: &Plan, version: &Legacy) -> Result<HeaderValue, Failure> {
    if !plan.if_match {
        return Err(Failure::unsupported("changes of this entity do not depend on a version"));
    }
    let unfit = || Failure::refused("the expected version can't stand in `If-Match`");
    let text = version.to_text().ok_or_else(unfit)?;
    let tag = if plan.version_header.is_some() { text.into_owned() } else { format!("\"{text}\"") };
    HeaderValue::from_str(&tag).map_err(|_| unfit())
}

fn body(how: &ChangePlan, values: &Row) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(&how.body.wrap(nested(values))).map_err(|_| Failure::refused("the change can't be written as JSON"))
}

/// Values by dotted sources, each put where its source leads to.
pub(crate) fn nested(values: &Row) -> Row {
    let mut nested = Row::with_capacity(values.len());
    for (name, value) in values.iter() {
        nested.put(&Source::new(name), value.clone());
    }
    nested
}
