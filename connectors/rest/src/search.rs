//! One page of records, whatever the registry's own pages are like.

use http::Method;
use rabita_http::Outgoing;
use rabita_sdk::reply::records;
use rabita_sdk::{Call, Failure, Page, Search};

use crate::answer::json;
use crate::connector::Rest;
use crate::paging::Answer;
use crate::path::Query;
use crate::plan::{Plan, SearchPlan};
use crate::settings::Meaning;

impl Rest {
    /// Asks the registry for the page of its own in which the page asked for begins, and gives what belongs to it.
    pub(crate) async fn page(&self, plan: &Plan, ask: &Search, call: &Call) -> Result<Page, Failure> {
        let search = plan.search.as_ref().ok_or_else(|| Failure::unsupported("this entity has no `search`"))?;
        let place = search.pages.place(ask.limit, ask.cursor.as_deref())?;
        let (mut query, mut fixed) = conditions(search, ask)?;
        plan.ask_fields(&ask.wanted, &[], &mut query);
        if let Some(fields) = &plan.fields {
            fixed.push(fields.name.clone());
        }
        let mut bare = search.path.clone();
        query.append_to(&mut bare);
        // What the client adds to every address belongs to no cursor: it may be a key.
        let asked = self.client.address(&bare)?;
        fixed.extend(asked.query_pairs().map(|(name, _)| name.into_owned()));
        search.pages.ask(&place, &mut query, &fixed);
        let mut path = search.path.clone();
        query.append_to(&mut path);

        let outgoing = Outgoing { method: Method::GET, path, headers: plan.headers.clone(), ..Outgoing::default() };
        let answer = self.client.send(outgoing, call).await?;
        match self.statuses.of_read(answer.status) {
            Meaning::Ok => {}
            // Without a word of the manifest's, 404 means that the path is wrong.
            Meaning::Absent if answer.status == http::StatusCode::NO_CONTENT || self.statuses.stated(answer.status).is_some() => {
                return Ok(Page::default());
            }
            Meaning::Absent => return Err(self.statuses.failure(Meaning::Malformed, &answer)),
            meaning => return Err(self.statuses.failure(meaning, &answer)),
        }
        let mut whole = json(&answer)?;
        // What is told about further pages may stand beside the list, or be lost with it where the list is the whole.
        let found = records(&mut whole, &search.records, search.absent)?;
        let mut told = Answer { body: &mut whole, headers: &answer.headers, asked: &asked, fixed: &fixed };
        let cut = search.pages.cut(&place, found.len(), ask.limit, &mut told)?;
        let rows = found.into_iter().skip(cut.from).take(cut.given).collect();
        Ok(Page { rows, next: cut.next })
    }
}

/// The parameters of the conditions, and their names.
fn conditions(search: &SearchPlan, ask: &Search) -> Result<(Query, Vec<String>), Failure> {
    let mut query = search.fixed.clone();
    let mut names = search.fixed_names.clone();
    for condition in &ask.conditions {
        if let Some(ignore) = condition.ignore.iter().find(|ignore| !search.ignores.contains(ignore)) {
            return Err(Failure::unsupported(format!("the search can't overlook {ignore:?}")));
        }
        let key = (condition.source.clone(), condition.comparison);
        let name = search.filters.get(&key).ok_or_else(|| {
            let comparison = condition.comparison.as_str();
            Failure::unsupported(format!("no parameter compares `{}` by {comparison}", condition.source))
        })?;
        let value = condition.value.to_text().ok_or_else(|| Failure::refused("a value to compare with is no text"))?;
        query.push(name, &value);
        names.push(name.clone());
    }
    Ok((query, names))
}
