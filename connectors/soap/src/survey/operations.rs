//! What an operation offers: to read a record, or to search for some.

use rabita_model::Comparison;
use rabita_sdk::Source;
use rabita_sdk::survey::{Searchable, SurveyedColumn};
use serde_json::{Map, Value, json};

use super::description::Described;
use super::schema::{Part, columns};
use super::{Prefixes, plain, source};

/// Wrappers around records, at most.
const WRAPPERS: usize = 3;

/// Words that an operation's name begins with when it changes something.
const CHANGES: [&str; 14] = [
    "create", "add", "insert", "register", "new", "update", "change", "modify", "set", "delete", "remove", "cancel", "submit",
    "send",
];

/// What an operation offers.
pub(super) struct Offered {
    pub(super) call: Call,
    pub(super) record_type: Option<String>,
    pub(super) columns: Vec<SurveyedColumn>,
    /// Elements of the record that are lists.
    pub(super) repeated: Vec<String>,
    pub(super) key: Vec<Source>,
    pub(super) search: Vec<Searchable>,
    pub(super) unsure: Vec<String>,
}

/// A call of the service.
pub(super) struct Call {
    pub(super) is_search: bool,
    pub(super) action: String,
    pub(super) request: Template,
    /// The element of the answer: namespace and name.
    pub(super) response: (Option<String>, String),
    /// The dotted path of the record or the records below it.
    pub(super) records: String,
    pub(super) total: Option<String>,
    pub(super) paging: Option<&'static str>,
}

/// An element of a request.
pub(super) struct Template {
    namespace: Option<String>,
    name: String,
    content: Content,
}

enum Content {
    Placeholder(String),
    Children(Vec<Template>),
}

impl Template {
    /// As the manifest writes it.
    pub(super) fn written(&self, prefixes: &mut Prefixes) -> Value {
        let name = prefixes.qualified(self.namespace.as_deref(), &self.name);
        let content = match &self.content {
            Content::Placeholder(text) => json!(text),
            Content::Children(children) => {
                let mut members = Map::new();
                for child in children {
                    if let Value::Object(own) = child.written(prefixes) {
                        members.extend(own);
                    }
                }
                Value::Object(members)
            }
        };
        json!({ name: content })
    }
}

/// What an operation offers, or why it cannot be said.
pub(super) fn offered(described: &Described) -> Result<Offered, String> {
    let name = described.name.to_lowercase();
    if CHANGES.iter().any(|word| name.starts_with(word)) {
        return Err("by its name it changes something; write it as a change or an action".to_owned());
    }
    let (path, record) = record(&described.response);
    let is_search = record.is_list;
    let (columns, repeated) = columns(record);
    if columns.is_empty() {
        return Err("its answer holds no record".to_owned());
    }
    let mut filling = Filling { columns: &columns, is_search, used: Vec::new(), paging: None };
    let request = filling.template(&described.request)?;
    let request = request.ok_or("its request takes nothing that a record could be found by")?;
    let Filling { used, paging, .. } = filling;
    if used.is_empty() {
        return Err("its request takes nothing that a record could be found by".to_owned());
    }
    let total = is_search.then(|| total(&described.response)).flatten();
    let mut columns = columns;
    for column in columns.iter_mut().filter(|column| !is_search && used.contains(&column.source)) {
        column.nullable = false;
    }
    let search = if is_search {
        let equals = |source: &Source| Searchable { source: source.clone(), comparisons: vec![Comparison::Equals], cheap: true };
        used.iter().map(equals).collect()
    } else {
        Vec::new()
    };
    let response = (described.response.namespace.clone(), described.response.name.clone());
    Ok(Offered {
        call: Call { is_search, action: described.action.clone(), request, response, records: path, total, paging },
        record_type: record.type_name.clone(),
        columns,
        repeated,
        key: if is_search { Vec::new() } else { used },
        search,
        unsure: Vec::new(),
    })
}

/// The record in an answer: the list, where there is one; else the only element that holds others; else the whole.
fn record(response: &Part) -> (String, &Part) {
    if let Some((path, list)) = list(response, "", 0) {
        return (path, list);
    }
    let complex: Vec<&Part> = response.children.iter().filter(|child| !child.is_simple()).collect();
    match complex.as_slice() {
        [one] if response.children.len() == 1 => (one.name.clone(), one),
        _ => (String::new(), response),
    }
}

fn list<'a>(part: &'a Part, before: &str, depth: usize) -> Option<(String, &'a Part)> {
    let at = |child: &Part| if before.is_empty() { child.name.clone() } else { format!("{before}.{}", child.name) };
    if let Some(found) = part.children.iter().find(|child| child.is_list && !child.is_simple()) {
        // A record that holds a list of parts is no list of records.
        let texts = part.children.iter().filter(|child| child.is_simple() && !is_count(&child.name)).count();
        return (texts == 0).then(|| (at(found), found));
    }
    if depth >= WRAPPERS {
        return None;
    }
    let wrappers: Vec<&Part> = part.children.iter().filter(|child| !child.is_simple()).collect();
    match wrappers.as_slice() {
        [one] if part.children.iter().all(|child| !child.is_simple() || is_count(&child.name)) => list(one, &at(one), depth + 1),
        _ => None,
    }
}

fn is_count(name: &str) -> bool {
    matches!(plain(name).as_str(), "total" | "totalcount" | "count" | "totalrecords" | "page" | "pagecount" | "hasmore" | "next")
}

fn total(response: &Part) -> Option<String> {
    let own = |child: &&Part| child.is_simple() && matches!(plain(&child.name).as_str(), "total" | "totalcount" | "totalrecords");
    response.children.iter().find(own).map(|child| child.name.clone())
}

/// Puts the record's own sources into a request.
struct Filling<'a> {
    columns: &'a [SurveyedColumn],
    is_search: bool,
    used: Vec<Source>,
    paging: Option<&'static str>,
}

impl Filling<'_> {
    /// The template of an element; `None` where it may be left out and there is nothing for it.
    fn template(&mut self, part: &Part) -> Result<Option<Template>, String> {
        let made = |content| Template { namespace: part.namespace.clone(), name: part.name.clone(), content };
        if part.is_simple() && part.text.is_some() {
            return match self.placeholder(part) {
                Some(text) => Ok(Some(made(Content::Placeholder(text)))),
                None if part.is_optional || (self.is_search && part.is_list) => Ok(None),
                None => Err(format!("its request needs {}, which no record has", part.name)),
            };
        }
        let mut children = Vec::new();
        for child in &part.children {
            match self.template(child) {
                Ok(child) => children.extend(child),
                Err(why) if !part.is_optional => return Err(why),
                Err(_) => return Ok(None),
            }
        }
        Ok((!children.is_empty()).then(|| made(Content::Children(children))))
    }

    fn placeholder(&mut self, part: &Part) -> Option<String> {
        let name = plain(&part.name);
        if self.is_search {
            let paged = match name.as_str() {
                "page" | "pagenumber" | "pageno" => Some(("{$page}", Some("page"))),
                "offset" | "skip" | "start" => Some(("{$offset}", Some("offset"))),
                "size" | "limit" | "pagesize" | "maxresults" | "count" => Some(("{$limit}", None)),
                _ => None,
            };
            if let Some((text, paging)) = paged {
                self.paging = self.paging.or(paging);
                return Some(text.to_owned());
            }
        } else if part.is_optional {
            // A read names the record by what it needs, and by nothing else.
            return None;
        }
        let found = self.columns.iter().find(|column| plain(column.source.as_str()) == name)?;
        let found = source(found.source.as_str());
        if !self.used.contains(&found) {
            self.used.push(found.clone());
        }
        Some(if self.is_search { format!("{{{found}?}}") } else { format!("{{{found}}}") })
    }
}
