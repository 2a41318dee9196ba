//! Where records are searched: by which parameters, and how pages follow each other.

use rabita_model::Comparison;
use rabita_sdk::Source;
use rabita_sdk::survey::{SurveyedColumn, ValueType};
use serde_json::{Map, Value, json};

use super::document::{Document, Operation, Parameter};
use super::{Filters, Item, plain};

/// A search that was found.
pub(super) struct Found {
    pub(super) from: Value,
    pub(super) filters: Filters,
    pub(super) size_max: Option<u32>,
}

const PAGES: [&str; 5] = ["page", "pagenumber", "pageno", "pageindex", "side"];
const OFFSETS: [&str; 4] = ["offset", "skip", "start", "startindex"];
const CURSORS: [&str; 5] = ["cursor", "pagetoken", "after", "nexttoken", "continuationtoken"];
const SIZES: [&str; 9] = ["size", "limit", "pagesize", "perpage", "count", "maxresults", "top", "take", "rows"];
/// Words before or after a name that make a bound of it.
const BOUNDS: [(&str, &str); 6] =
    [("from", "to"), ("fra", "til"), ("min", "max"), ("since", "until"), ("gte", "lte"), ("start", "end")];

/// Words before or after a name that ask for what begins so.
const PREFIXES: [&str; 4] = ["prefix", "startswith", "beginswith", "startingwith"];

/// A page, where the document does not say how many records one may have.
const PAGE: u32 = 100;

/// Whether a parameter is about pages and not about records.
pub(super) fn is_paging(name: &str) -> bool {
    let name = plain(name);
    [&PAGES[..], &OFFSETS, &CURSORS, &SIZES].concat().contains(&name.as_str())
}

/// The search at the path above an item's.
pub(super) fn search(
    document: &Document,
    item: &Item<'_>,
    operation: &Operation<'_>,
    columns: &[SurveyedColumn],
    has_links: bool,
    unsure: &mut Vec<String>,
) -> Option<Found> {
    let parameters = operation.parameters();
    let records = match list(document, operation) {
        Some((records, _)) => records,
        None if has_links => {
            let records = format!("_embedded.{}", item.name());
            unsure.push(format!(
                "the document does not say where in the answer of {} the records are: taken for {records}, as HAL has them",
                item.collection()
            ));
            records
        }
        None => {
            unsure.push(format!(
                "{} cannot be searched: the document does not say where in its answer the records are",
                item.collection()
            ));
            return None;
        }
    };
    let (params, filters) = filters(&parameters, columns);
    if filters.is_empty() {
        return None;
    }
    let answer = operation.answer().unwrap_or_default();
    let (paging, size_max) = paging(document, &parameters, &answer, has_links, unsure);
    let mut from = json!({ "path": item.collection(), "records": records, "filters": params });
    if records.starts_with("_embedded") {
        from["absent_records"] = json!("empty");
    }
    match paging {
        Some(paging) => from["paging"] = paging,
        None => unsure.push(format!("{} has no parameters for pages: each page asks for everything again", item.collection())),
    }
    Some(Found { from, filters, size_max })
}

/// The list of objects in an answer: its dotted path, and the schema of an item.
pub(super) fn list(document: &Document, operation: &Operation<'_>) -> Option<(String, Value)> {
    within(document, &operation.answer()?, "", 0)
}

fn within(document: &Document, schema: &Value, path: &str, depth: usize) -> Option<(String, Value)> {
    let schema = document.followed(schema);
    if schema["type"] == "array" {
        return Some((path.to_owned(), document.followed(&schema["items"]).clone()));
    }
    if depth > 3 {
        return None;
    }
    let parts = schema["allOf"].as_array().into_iter().flatten();
    let found = parts.filter_map(|part| within(document, part, path, depth + 1)).next();
    found.or_else(|| {
        schema["properties"].as_object()?.iter().filter(|(name, _)| !name.contains("link")).find_map(|(name, inner)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            within(document, inner, &path, depth + 1)
        })
    })
}

/// The parameters that compare something of the record.
fn filters(parameters: &[Parameter], columns: &[SurveyedColumn]) -> (Map<String, Value>, Filters) {
    let mut params = Map::new();
    let mut filters = Filters::new();
    for column in
        columns.iter().filter(|column| !matches!(column.value, ValueType::Group(_) | ValueType::List(_) | ValueType::Bytes))
    {
        let own = plain(column.source.as_str());
        let parameter = |wanted: &dyn Fn(&str) -> bool| {
            parameters
                .iter()
                .filter(|one| !is_paging(&one.name))
                .find(|one| wanted(&plain(&one.name)))
                .map(|one| one.name.clone())
        };
        let equals = parameter(&|name| name == own).or_else(|| {
            // `form` asks for `form.code`.
            let outer = ["kode", "code", "id"]
                .iter()
                .find_map(|end| own.strip_suffix(end))
                .filter(|_| column.source.as_str().contains('.'))?;
            parameter(&|name| name == outer)
        });
        let bound = |word: fn(&(&str, &str)) -> String| {
            parameter(&|name| {
                BOUNDS.iter().any(|pair| name == format!("{}{own}", word(pair)) || name == format!("{own}{}", word(pair)))
            })
        };
        let prefix =
            parameter(&|name| PREFIXES.iter().any(|word| name == format!("{own}{word}") || name == format!("{word}{own}")));
        let (from, to) = (bound(|pair| pair.0.to_owned()), bound(|pair| pair.1.to_owned()));
        let mut each = Map::new();
        let mut comparisons = Vec::new();
        for (word, comparison, parameter) in [
            ("equals", Comparison::Equals, equals),
            ("prefix", Comparison::Prefix, prefix),
            ("from", Comparison::From, from),
            ("to", Comparison::To, to),
        ] {
            if let Some(name) = parameter {
                each.insert(word.to_owned(), json!(name));
                comparisons.push(comparison);
            }
        }
        if comparisons.is_empty() {
            continue;
        }
        let short = (comparisons == [Comparison::Equals]).then(|| each["equals"].clone());
        params.insert(column.source.as_str().to_owned(), short.unwrap_or(Value::Object(each)));
        filters.push((Source::new(column.source.as_str()), comparisons));
    }
    (params, filters)
}

fn paging(
    document: &Document,
    parameters: &[Parameter],
    answer: &Value,
    has_links: bool,
    unsure: &mut Vec<String>,
) -> (Option<Value>, Option<u32>) {
    let find = |words: &[&str]| parameters.iter().find(|one| words.contains(&plain(&one.name).as_str()));
    let size = find(&SIZES);
    let size_max = size.and_then(Parameter::maximum);
    let most = size_max.unwrap_or(PAGE);
    if size.is_some() && size_max.is_none() {
        unsure.push(format!("the document does not say how many records a page may have: {PAGE} are taken to be allowed"));
    }
    let mut options = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            options.insert(name.to_owned(), value);
        }
    };
    let size_name = size.map(|size| json!(size.name));
    let named = |words: &[&str]| integer_at(document, answer, words, "", 0).map(Value::from);
    let style = if let Some(page) = find(&PAGES) {
        let first = page.schema["minimum"].as_u64().or_else(|| page.schema["default"].as_u64()).filter(|first| *first <= 1);
        set("param", Some(json!(page.name)));
        set("size_param", size_name);
        set("size_max", Some(json!(most)));
        set("first", first.filter(|first| *first == 1).map(Value::from));
        // As Spring writes HAL.
        let total = named(&["totalpages", "pagecount", "pages"]).or_else(|| has_links.then(|| json!("page.totalPages")));
        set("total_pages", total);
        if first.is_none() {
            unsure.push("whether the first page is 0 or 1 is not to be seen: taken for 0".to_owned());
        }
        "page"
    } else if let Some(offset) = find(&OFFSETS) {
        set("param", Some(json!(offset.name)));
        set("limit_param", size_name);
        set("size_max", Some(json!(most)));
        set("total", named(&["total", "totalcount", "totalelements", "totalresults"]));
        "offset"
    } else if let Some(cursor) = find(&CURSORS) {
        let next = text_at(document, answer, &["nextcursor", "next", "nextpagetoken", "nexttoken", "cursor"], "", 0);
        set("param", Some(json!(cursor.name)));
        set("limit_param", size_name);
        set("size_max", Some(json!(most)));
        set("next", Some(json!(next.unwrap_or_else(|| "next".to_owned()))));
        "cursor"
    } else {
        return (None, size_max);
    };
    (Some(json!({ style: options })), Some(most))
}

fn integer_at(document: &Document, schema: &Value, words: &[&str], path: &str, depth: usize) -> Option<String> {
    member(document, schema, words, "integer", path, depth)
}

fn text_at(document: &Document, schema: &Value, words: &[&str], path: &str, depth: usize) -> Option<String> {
    member(document, schema, words, "string", path, depth)
}

/// The dotted path of a member with one of these names and this type.
fn member(document: &Document, schema: &Value, words: &[&str], kind: &str, path: &str, depth: usize) -> Option<String> {
    let properties = document.followed(schema)["properties"].as_object()?;
    properties.iter().find_map(|(name, inner)| {
        let inner = document.followed(inner);
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        if inner["type"] == kind && words.contains(&plain(name).as_str()) {
            return Some(path);
        }
        if depth < 2 { member(document, inner, words, kind, &path, depth + 1) } else { None }
    })
}
