//! What a manifest's `from:` says of an entity: where its records are, and how they are asked for.
//!
//! A path may hold `{source}` for each source of the key. A dotted path leads from an answer's root to a member;
//! the empty one means the whole answer.

use std::collections::BTreeMap;

use rabita_sdk::reply::AbsentRecords;
use rabita_sdk::{Ignore, Source};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An entity of a registry behind REST.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct From {
    pub read: Option<ReadAt>,
    pub read_many: Option<ReadManyAt>,
    pub search: Option<SearchAt>,
    pub fields_param: Option<FieldsParam>,
    pub create: Option<ChangeAt>,
    pub replace: Option<ChangeAt>,
    pub update: Option<ChangeAt>,
    pub delete: Option<ChangeAt>,
    pub version: Option<VersionAt>,
    /// Where binary values are, by source.
    pub binary: BTreeMap<Source, BinaryAt>,
    /// Headers for every request about this entity.
    pub headers: BTreeMap<String, String>,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadAt {
    pub path: String,
    /// The dotted path of the record in the answer.
    #[serde(default)]
    pub record: String,
}

/// Several records by their keys in one question. Only where a single source is the key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadManyAt {
    pub path: String,
    /// The query parameter that takes the keys.
    pub keys_param: String,
    /// What stands between two keys; without it the parameter is given once for each.
    #[serde(default)]
    pub join: Option<String>,
    /// The dotted path of the list of records.
    #[serde(default)]
    pub records: String,
    /// What it means that there is no such list.
    #[serde(default)]
    pub absent_records: AbsentRecords,
    /// The most keys in one question.
    #[serde(default = "keys_max")]
    #[schemars(range(min = 1))]
    pub max: usize,
    /// Query parameters that are always the same, such as a page size that holds all.
    #[serde(default)]
    pub fixed: BTreeMap<String, Constant>,
}

/// Records by conditions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchAt {
    pub path: String,
    /// The query parameters of each source that can be compared.
    #[serde(default)]
    pub filters: BTreeMap<Source, FilterParams>,
    /// Query parameters that are always the same.
    #[serde(default)]
    pub fixed: BTreeMap<String, Constant>,
    /// The dotted path of the list of records.
    #[serde(default)]
    pub records: String,
    /// What it means that there is no such list.
    #[serde(default)]
    pub absent_records: AbsentRecords,
    #[serde(default)]
    pub paging: Paging,
    /// Differences that the registry itself overlooks when it compares.
    #[serde(default)]
    pub ignores: Vec<Ignore>,
}

/// The query parameters that compare a source. A text is the one that asks for the same value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum FilterParams {
    Equals(String),
    Each(EachParam),
}

/// A query parameter for each comparison.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EachParam {
    pub equals: Option<String>,
    pub prefix: Option<String>,
    pub from: Option<String>,
    pub to: Option<String>,
}

/// How the registry divides the records of a search.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Paging {
    /// Not at all.
    #[default]
    None,
    Page(PagePaging),
    Offset(OffsetPaging),
    Cursor(CursorPaging),
    Link(LinkPaging),
}

/// Numbered pages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PagePaging {
    pub param: String,
    /// The parameter that takes the size of a page; without it the registry's pages are `size_max` long.
    #[serde(default)]
    pub size_param: Option<String>,
    /// The longest page that the registry gives. One asked for more gives that, which must not be taken for the last.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub size_max: Option<usize>,
    /// The number of the first page.
    #[serde(default)]
    pub first: u64,
    /// The dotted path of the number of pages; without it a page that is not full is the last.
    #[serde(default)]
    pub total_pages: Option<String>,
}

/// Records from a place on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OffsetPaging {
    pub param: String,
    #[serde(default)]
    pub limit_param: Option<String>,
    /// As for numbered pages.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub size_max: Option<usize>,
    /// The dotted path of the number of all records; without it a page that is not full is the last.
    #[serde(default)]
    pub total: Option<String>,
}

/// Pages that each name the next by a word of the registry's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CursorPaging {
    pub param: String,
    #[serde(default)]
    pub limit_param: Option<String>,
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub size_max: Option<usize>,
    /// The dotted path of that word; nothing there, null or an empty text is on the last page.
    pub next: String,
}

/// Pages that each give the address of the next, which must have the path of the search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkPaging {
    /// In the `Link` header, as `rel="next"` (RFC 8288).
    #[serde(default)]
    pub header: bool,
    /// In the body, at this dotted path.
    #[serde(default)]
    pub body: Option<String>,
    #[serde(default)]
    pub limit_param: Option<String>,
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub size_max: Option<usize>,
}

/// The query parameter that takes the names of the members that are wanted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldsParam {
    pub name: String,
    /// What stands between two names.
    #[serde(default = "comma")]
    pub join: String,
}

/// A change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeAt {
    /// Without it: POST creates, PUT replaces, PATCH updates, DELETE deletes.
    #[serde(default)]
    pub method: Option<Method>,
    pub path: String,
    /// The dotted path of the record in the body.
    #[serde(default)]
    pub body: String,
    /// The body's media type.
    #[serde(default = "json")]
    pub media_type: String,
}

/// How a named action is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActionFrom {
    #[serde(default = "post")]
    pub method: Method,
    /// May hold `{source}` for each source of the key and of the request.
    pub path: String,
    /// The dotted path of the request's values in the body.
    #[serde(default)]
    pub body: String,
    /// The whole body instead: a text in it that is `{source}` becomes that value.
    #[serde(default)]
    pub template: Option<serde_json::Value>,
    /// The body's media type.
    #[serde(default = "json")]
    pub media_type: String,
    /// The dotted path of the reply in the answer.
    #[serde(default)]
    pub reply: String,
}

const fn post() -> Method {
    Method::Post
}

/// An update feed: a list of changes, each with a number that is greater than those of all before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeedFrom {
    pub path: String,
    /// The query parameter that takes the number from which the changes are wanted.
    pub since_param: String,
    /// Whether the change of that number is among them.
    #[serde(default)]
    pub inclusive: bool,
    /// The query parameter that takes how many changes are wanted at most.
    #[serde(default)]
    pub size_param: Option<String>,
    /// The most changes that the registry gives at once.
    #[serde(default = "changes_max")]
    #[schemars(range(min = 1))]
    pub size_max: usize,
    /// Query parameters that are always the same.
    #[serde(default)]
    pub fixed: BTreeMap<String, Constant>,
    /// The dotted path of the list of changes.
    #[serde(default)]
    pub records: String,
    /// What it means that there is no such list.
    #[serde(default)]
    pub absent_records: AbsentRecords,
    /// The member of a change that is its number.
    pub place: Source,
    /// For each source of the key, the member of a change that is it; left out, the one of the same name.
    #[serde(default)]
    pub key: BTreeMap<Source, Source>,
    /// The member of a change that says what was done.
    #[serde(default)]
    pub kind: Option<Source>,
    /// Its words for the end of a record.
    #[serde(default)]
    pub gone: Vec<String>,
}

const fn changes_max() -> usize {
    1000
}

/// A method that changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    Post,
    Put,
    Patch,
    Delete,
}

/// How a record's version is told, and how a change depends on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VersionAt {
    /// The header of a read record that tells it; without it the version is a member of the record.
    #[serde(default)]
    pub header: Option<String>,
    /// Whether a change carries the version that it expects as `If-Match`.
    #[serde(default)]
    pub if_match: bool,
}

/// A binary value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BinaryAt {
    pub path: String,
}

/// A value that is always the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Constant {
    Text(String),
    Whole(i64),
    Truth(bool),
}

impl Constant {
    /// The value as it stands in an address, before it is encoded.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Whole(number) => number.to_string(),
            Self::Truth(truth) => truth.to_string(),
        }
    }
}

fn comma() -> String {
    ",".to_owned()
}

fn json() -> String {
    "application/json".to_owned()
}

const fn keys_max() -> usize {
    50
}
