//! What a manifest is drafted from: which classes have entries and where, and what those hold.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Instant;

use rabita_model::Comparison;
use rabita_sdk::survey::{
    Offers, Samples, Searchable, Survey, SurveyError, SurveySource, SurveyedColumn, SurveyedEntity, ValueType,
};
use rabita_sdk::{Row, Source};
use serde_json::{Value, json};

use super::classes::Allowed;
use super::{Asked, COUNTED_MAX, is_late, texts};
use crate::dn;
use crate::protocol::{Entry, Filter, Scope, parse_filter};
use crate::schema::Syntax;
use crate::values::Reader;

/// Classes of entries that others stand below, or that are there for the directory alone.
const FRAMEWORK: [&str; 10] = [
    "organization",
    "organizationalUnit",
    "domain",
    "country",
    "locality",
    "organizationalRole",
    "referral",
    "alias",
    "subentry",
    "groupOfNames",
];

/// Attributes that no survey reads and no manifest is offered.
const SECRET: [&str; 6] = ["userPassword", "authPassword", "userPKCS12", "sambaNTPassword", "sambaLMPassword", "krbPrincipalKey"];

/// What the bytes of an attribute are, where a standard says so (RFC 2798, RFC 4523).
const MEDIA_TYPES: [(&str, &str); 4] = [
    ("jpegPhoto", "image/jpeg"),
    ("userCertificate", "application/pkix-cert"),
    ("cACertificate", "application/pkix-cert"),
    ("certificateRevocationList", "application/pkix-crl"),
];

/// So many entries a directory goes through in no time.
const FEW: u64 = 5_000;

/// Contexts of the directory's own.
const INTERNAL: [&str; 4] = ["cn=config", "cn=monitor", "cn=accesslog", "cn=changelog"];

/// Entries of one class.
#[derive(Debug, Default)]
pub(super) struct Kin {
    count: u64,
    /// The entry below which all of them are.
    base: Option<String>,
    is_deep: bool,
    /// The classes that all of them have.
    classes: Option<BTreeSet<String>>,
    /// The classes that any of them has.
    any_classes: BTreeSet<String>,
    /// The attributes that name them, and the names.
    naming: BTreeSet<String>,
    names: HashSet<Vec<u8>>,
    has_doubles: bool,
}

impl Kin {
    fn add(&mut self, entry: &Entry) {
        self.count += 1;
        let own: BTreeSet<String> = texts(entry, "objectClass").map(str::to_owned).collect();
        self.any_classes.extend(own.iter().cloned());
        self.classes = Some(self.classes.take().map_or_else(|| own.clone(), |all| all.intersection(&own).cloned().collect()));
        let parent = dn::above(&entry.dn).unwrap_or_default();
        let base = self.base.take().map_or_else(|| parent.to_owned(), |base| common(&base, parent));
        self.is_deep |= !dn::is_same(&base, parent);
        self.base = Some(base);
        match dn::naming(&entry.dn).as_deref() {
            Some([(name, value)]) => {
                self.naming.insert(name.clone());
                self.has_doubles |= !self.names.insert(value.to_ascii_lowercase());
            }
            _ => _ = self.naming.insert(String::new()),
        }
    }

    /// The attribute that names each of them, and no two alike.
    fn key(&self) -> Option<&str> {
        let mut naming = self.naming.iter().map(String::as_str);
        let one = naming.next().filter(|name| !name.is_empty() && !self.has_doubles);
        one.filter(|_| naming.next().is_none())
    }
}

/// The lowest entry above both, or one of them.
fn common(one: &str, other: &str) -> String {
    let mut base = Some(one);
    while let Some(candidate) = base {
        let mut above = Some(other);
        while let Some(own) = above {
            if dn::is_same(candidate, own) {
                return candidate.to_owned();
            }
            above = dn::above(own);
        }
        base = dn::above(candidate);
    }
    String::new()
}

/// The survey of a directory.
pub(super) async fn survey(mut asked: Asked, source: &SurveySource, base: Option<String>) -> Result<Survey, SurveyError> {
    let began = Instant::now();
    let narrow = match source.narrow.as_deref().map(parse_filter) {
        None => None,
        Some(Ok(filter)) => Some(filter),
        Some(Err(wrong)) => return Err(SurveyError::Unsuitable(format!("the filter can't be read: {wrong}"))),
    };
    let mut survey = Survey { settings: asked.settings.clone(), ..Survey::default() };
    let kin = count(&mut asked, base, narrow.as_ref(), &mut survey.unsure).await?;
    // Of few entries none is hard to find, with an index or without.
    let are_few = kin.values().map(|kin| kin.count).sum::<u64>() <= FEW;
    let is_wanted = |class: &str| match source.only.is_empty() {
        true => !FRAMEWORK.iter().any(|own| own.eq_ignore_ascii_case(class)),
        false => source.only.iter().any(|own| own.eq_ignore_ascii_case(class)),
    };
    if let Some(missing) = source.only.iter().find(|wanted| !kin.keys().any(|class| class.eq_ignore_ascii_case(wanted))) {
        return Err(SurveyError::Unsuitable(format!("no entry that the bus may see is of the class {missing}")));
    }
    let mut wanted: Vec<(&String, &Kin)> = kin.iter().filter(|(class, _)| is_wanted(class)).collect();
    wanted.sort_by_key(|(_, kin)| std::cmp::Reverse(kin.count));
    if wanted.len() > asked.limits.entities {
        survey.unsure.push(format!("{} classes have entries; {} were looked at", wanted.len(), asked.limits.entities));
        wanted.truncate(asked.limits.entities);
    }
    for (class, kin) in wanted {
        if is_late(began, &asked.limits) {
            survey.unsure.push(format!("there was no time left for the class {class}"));
            continue;
        }
        survey.entities.push(entity(&mut asked, class, kin, source.narrow.as_deref(), narrow.as_ref(), are_few).await?);
    }
    if asked.is_part {
        survey.unsure.push("a part of the directory is on other servers, which were not asked; see `references`".to_owned());
    }
    if !survey.entities.is_empty() {
        survey.unsure.push("which attributes have an index is not told: a search by one without reads all entries".to_owned());
    }
    Ok(survey)
}

/// Counts the entries by their structural class.
async fn count(
    asked: &mut Asked,
    base: Option<String>,
    narrow: Option<&Filter>,
    unsure: &mut Vec<String>,
) -> Result<BTreeMap<String, Kin>, SurveyError> {
    let is_own = |context: &String| !INTERNAL.iter().any(|own| context.to_ascii_lowercase().starts_with(own));
    let bases =
        base.map_or_else(|| asked.contexts.iter().filter(|context| is_own(context)).cloned().collect(), |base| vec![base]);
    let filter = narrow.cloned().unwrap_or_else(|| Filter::Present("objectClass".to_owned()));
    let mut found: Vec<Entry> = Vec::new();
    for base in &bases {
        let left = COUNTED_MAX.saturating_sub(found.len());
        let is_all = asked.go_through(base, Scope::Subtree, &filter, &["objectClass"], left, |entry| found.push(entry)).await?;
        if !is_all {
            unsure.push(format!("the directory holds more entries than were counted ({})", found.len()));
            break;
        }
    }
    let mut kin: BTreeMap<String, Kin> = BTreeMap::new();
    for entry in &found {
        if let Some(class) = asked.classes.structural(texts(entry, "objectClass")) {
            kin.entry(class).or_default().add(entry);
        }
    }
    Ok(kin)
}

async fn entity(
    asked: &mut Asked,
    class: &str,
    kin: &Kin,
    narrow: Option<&str>,
    filter: Option<&Filter>,
    are_few: bool,
) -> Result<SurveyedEntity, SurveyError> {
    let classes = kin.classes.clone().unwrap_or_default();
    let (readable, hidden): (Vec<Allowed>, Vec<Allowed>) =
        allowed(asked, kin).into_iter().partition(|one| !SECRET.iter().any(|secret| secret.eq_ignore_ascii_case(&one.name)));
    let base = kin.base.clone().unwrap_or_default();
    let scope = if kin.is_deep { Scope::Subtree } else { Scope::One };
    let member = Filter::Equal("objectClass".to_owned(), class.as_bytes().to_vec());
    let member = filter.map_or_else(|| member.clone(), |filter| Filter::And(vec![member.clone(), filter.clone()]));
    let place = Place { base: &base, scope, member: &member };

    let entries = samples(asked, &place, &readable).await?;
    let mut unsure = Vec::new();
    let mut columns = Vec::new();
    let mut unused = 0;
    for one in &readable {
        let is_used = entries.iter().any(|entry| !entry.values(&one.name).is_empty())
            || is_bytes(asked, &one.name) && has_any(asked, &place, &one.name).await?;
        if is_used || one.is_demanded {
            columns.push(column(asked, one, &entries));
        } else {
            unused += 1;
        }
    }
    if unused > 0 {
        unsure.push(format!("{unused} attributes that the classes allow have no value in what was looked at"));
    }
    if hidden.iter().any(|one| entries.iter().any(|entry| !entry.values(&one.name).is_empty())) {
        unsure.push("passwords are left out".to_owned());
    }
    let several: Vec<&str> =
        columns.iter().filter(|column| may_have_several(asked, column, kin.key())).map(|column| column.source.as_str()).collect();
    if !several.is_empty() {
        unsure.push(format!(
            "the schema allows several values of {}, and no entry that was looked at has them: name in `lists` those that may",
            several.join(", ")
        ));
    }
    let key: Vec<Source> = kin
        .key()
        .filter(|key| columns.iter().any(|own| own.source.as_str().eq_ignore_ascii_case(key)))
        .map(Source::new)
        .into_iter()
        .collect();
    match key.first() {
        None => unsure.push("nothing says what identifies a record: the entries' names do not by themselves".to_owned()),
        Some(key) => {
            if let Some(at) = columns.iter().position(|column| column.source.as_str().eq_ignore_ascii_case(key.as_str())) {
                let mut column = columns.remove(at);
                (column.unique, column.nullable) = (true, false);
                column.source = key.clone();
                column.value = ValueType::Text { max: None, fixed: false };
                columns.insert(0, column);
            }
            if kin.is_deep {
                unsure.push("the entries lie at several depths: whether names are the same in two places can change".to_owned());
            }
        }
    }
    let rows = entries.iter().map(|entry| row(asked, &columns, &key, entry)).collect::<Result<_, _>>()?;
    let version = asked.schema.attribute("entryCSN").is_some().then(|| Source::new("entryCSN"));
    let from = from(asked, class, &place, &classes, &key, &columns, narrow);
    let offers = offers(asked, &columns, &key, version, from.get("create").is_some(), are_few);
    let comment = asked.classes.class(class).and_then(|class| class.word("DESC")).map(str::to_owned);
    Ok(SurveyedEntity {
        name: class.to_owned(),
        comment,
        from,
        columns,
        key,
        references: Vec::new(),
        rows: Some(kin.count),
        samples: Samples(rows),
        offers,
        unsure,
    })
}

/// The attributes that entries may have; those of classes that only some entries have are demanded of none.
fn allowed(asked: &Asked, kin: &Kin) -> Vec<Allowed> {
    let of = |classes: &BTreeSet<String>| asked.classes.allowed(classes.iter().map(String::as_str));
    let mut allowed = kin.classes.as_ref().map(of).unwrap_or_default();
    for one in of(&kin.any_classes) {
        if !allowed.iter().any(|own| own.name.eq_ignore_ascii_case(&one.name)) {
            allowed.push(Allowed { is_demanded: false, ..one });
        }
    }
    allowed
}

/// Whether entries that were not looked at can break what the draft says of an attribute, since it has several values there.
fn may_have_several(asked: &Asked, column: &SurveyedColumn, key: Option<&str>) -> bool {
    let name = column.source.as_str();
    !matches!(column.value, ValueType::List(_) | ValueType::Bytes)
        && !key.is_some_and(|key| key.eq_ignore_ascii_case(name))
        && asked.classes.attribute(name).is_none_or(|one| !one.has("SINGLE-VALUE"))
}

/// Where the entries of a class are.
struct Place<'a> {
    base: &'a str,
    scope: Scope,
    member: &'a Filter,
}

/// Some entries, without photos and the like.
async fn samples(asked: &mut Asked, place: &Place<'_>, readable: &[Allowed]) -> Result<Vec<Entry>, SurveyError> {
    let names: Vec<String> = readable.iter().filter(|one| !is_bytes(asked, &one.name)).map(|one| one.name.clone()).collect();
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    if names.is_empty() {
        names.push("1.1");
    }
    let mut entries = Vec::new();
    let most = asked.limits.samples;
    asked.go_through(place.base, place.scope, place.member, &names, most, |entry| entries.push(entry)).await?;
    Ok(entries)
}

async fn has_any(asked: &mut Asked, place: &Place<'_>, name: &str) -> Result<bool, SurveyError> {
    let filter = Filter::And(vec![place.member.clone(), Filter::Present(name.to_owned())]);
    let mut has_any = false;
    asked.go_through(place.base, place.scope, &filter, &["1.1"], 1, |_| has_any = true).await?;
    Ok(has_any)
}

fn is_bytes(asked: &Asked, name: &str) -> bool {
    asked.schema.attribute(name).is_some_and(|attribute| attribute.syntax == Syntax::Bytes)
}

fn column(asked: &Asked, allowed: &Allowed, entries: &[Entry]) -> SurveyedColumn {
    let description = asked.classes.attribute(&allowed.name);
    let syntax = asked.schema.attribute(&allowed.name).map_or(Syntax::Text, |attribute| attribute.syntax);
    let one = match syntax {
        Syntax::Boolean => ValueType::Boolean,
        Syntax::Integer => ValueType::Integer { digits: None },
        Syntax::Bytes => ValueType::Bytes,
        Syntax::Time => ValueType::Timestamp { zoned: true },
        Syntax::Uuid => ValueType::Uuid,
        Syntax::Canonical | Syntax::Text => ValueType::Text { max: None, fixed: false },
    };
    let has_several = entries.iter().any(|entry| entry.values(&allowed.name).len() > 1);
    let legacy_type = description.and_then(|one| one.word("SYNTAX")).unwrap_or("a syntax that is not told").to_owned();
    let value = if has_several { ValueType::List(Box::new(one)) } else { one };
    let mut column = SurveyedColumn::new(&allowed.name, value, &legacy_type);
    column.comment = description.and_then(|one| one.word("DESC")).map(str::to_owned);
    column.nullable = !allowed.is_demanded;
    column.media_type = MEDIA_TYPES
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(&allowed.name))
        .map(|(_, media_type)| (*media_type).to_owned());
    column
}

fn row(asked: &Asked, columns: &[SurveyedColumn], key: &[Source], entry: &Entry) -> Result<Row, SurveyError> {
    let mut row = Row::with_capacity(columns.len());
    for column in columns.iter().filter(|column| column.value != ValueType::Bytes) {
        let reader = Reader::new(&column.source, &asked.schema, false, matches!(column.value, ValueType::List(_)));
        let value = match &column.value {
            _ if key.contains(&column.source) => reader.key(entry).and_then(|key| reader.one(key)),
            _ => reader.value(entry),
        };
        let value = value.map_err(|failure| SurveyError::Unreachable(failure.to_string()))?;
        row.push(column.source.shared(), value);
    }
    Ok(row)
}

fn from(
    asked: &Asked,
    class: &str,
    place: &Place<'_>,
    classes: &BTreeSet<String>,
    key: &[Source],
    columns: &[SurveyedColumn],
    narrow: Option<&str>,
) -> Value {
    let scope = if place.scope == Scope::Subtree { "subtree" } else { "one" };
    let mut from = json!({ "base": place.base, "scope": scope, "class": class });
    if let Some(filter) = narrow {
        from["filter"] = filter.into();
    }
    let lists: Vec<&Source> =
        columns.iter().filter(|column| matches!(column.value, ValueType::List(_))).map(|column| &column.source).collect();
    if !lists.is_empty() {
        from["lists"] = json!(lists);
    }
    let folds = |column: &SurveyedColumn| {
        let rules = asked.schema.rules(column.source.as_str());
        rules.is_some_and(|rules| rules.overlooks(rabita_sdk::Ignore::Case))
    };
    if columns.iter().any(folds) {
        from["ignores"] = json!(["case", "outer_spaces"]);
    }
    // Of entries at several depths nobody says where a new one belongs.
    if let ([key], Scope::One) = (key, place.scope) {
        from["create"] = json!({ "rdn": format!("{key}={{{key}}}"), "classes": classes });
    }
    from
}

fn offers(
    asked: &Asked,
    columns: &[SurveyedColumn],
    key: &[Source],
    version: Option<Source>,
    creates: bool,
    are_few: bool,
) -> Offers {
    let is_plain = |column: &&SurveyedColumn| !matches!(column.value, ValueType::List(_) | ValueType::Bytes);
    let may_write = |column: &&SurveyedColumn| {
        column.value != ValueType::Bytes
            && asked.classes.attribute(column.source.as_str()).is_none_or(|one| !one.has("NO-USER-MODIFICATION"))
    };
    let search = columns.iter().filter(is_plain).filter_map(|column| {
        let rules = asked.schema.attribute(column.source.as_str())?;
        let mut comparisons = Vec::new();
        comparisons.extend(rules.equality.is_some().then_some(Comparison::Equals));
        comparisons.extend(rules.substrings.is_some().then_some(Comparison::Prefix));
        comparisons.extend(rules.ordering.iter().flat_map(|_| [Comparison::From, Comparison::To]));
        let cheap = are_few || key.contains(&column.source);
        (!comparisons.is_empty()).then(|| Searchable { source: column.source.clone(), comparisons, cheap })
    });
    let written: Vec<Source> = columns.iter().filter(may_write).map(|column| column.source.clone()).collect();
    let update: Vec<Source> = written.iter().filter(|source| !key.contains(source)).cloned().collect();
    // What a new entry must have has to be given.
    let creates = creates && columns.iter().filter(|column| !column.nullable).all(|column| written.contains(&column.source));
    Offers {
        read: !key.is_empty(),
        read_many: (!key.is_empty()).then_some(50),
        search: search.collect(),
        search_max: None,
        create: if creates { written } else { Vec::new() },
        replace: Vec::new(),
        update: if key.is_empty() { Vec::new() } else { update },
        delete: !key.is_empty(),
        changes: version.is_some().then(|| json!({})),
        version,
    }
}
