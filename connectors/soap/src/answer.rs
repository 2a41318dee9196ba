//! Finds in an answer what the manifest names by dotted paths.

use rabita_sdk::{GroupSpec, Legacy, Row, Source, Wanted};

/// What a path leads to.
#[derive(Debug, Default)]
pub(crate) struct Found<'a> {
    pub(crate) values: Vec<&'a Legacy>,
    /// Whether one of the elements on the way came more than once.
    pub(crate) is_list: bool,
}

/// Follows a path through elements. Where an element is repeated it follows all of them. `#text` is an element's text
/// whether it has attributes or not.
pub(crate) fn follow<'a>(value: &'a Legacy, path: &str) -> Found<'a> {
    let mut found = Found::default();
    found.follow(value, path);
    found
}

/// The text that a path leads to, if it leads to exactly one.
pub(crate) fn text_at<'a>(value: &'a Legacy, path: &str) -> Option<&'a str> {
    match follow(value, path).values.as_slice() {
        [Legacy::Text(text)] => Some(text),
        [Legacy::Group(row)] => match row.get("#text") {
            Some(Legacy::Text(text)) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// What is wanted of a record, under the names by which it is wanted. `repeated` are the paths of elements which are
/// lists even when there is one or none.
pub(crate) fn select(record: &Legacy, wanted: &Wanted, repeated: &[String]) -> Row {
    let mut row = Row::with_capacity(wanted.sources.len() + wanted.groups.len());
    select_sources(record, &wanted.sources, |source| repeated.iter().any(|path| path == source), &mut row);
    for group in &wanted.groups {
        row.push(group.name.shared(), Legacy::List(select_group(record, group, repeated)));
    }
    row
}

impl<'a> Found<'a> {
    fn follow(&mut self, value: &'a Legacy, path: &str) {
        match value {
            Legacy::List(items) => {
                self.is_list = true;
                items.iter().for_each(|item| self.follow(item, path));
            }
            value if path.is_empty() => self.values.push(value),
            Legacy::Group(row) => {
                if let Some(value) = row.get(path) {
                    self.follow(value, "");
                } else if let Some((member, rest)) = path.split_once('.')
                    && let Some(value) = row.get(member)
                {
                    self.follow(value, rest);
                }
            }
            Legacy::Text(_) if path == "#text" => self.values.push(value),
            _ => {}
        }
    }
}

fn select_sources(record: &Legacy, sources: &[Source], is_repeated: impl Fn(&str) -> bool, row: &mut Row) {
    for source in sources {
        let found = follow(record, source.as_str());
        if found.is_list || is_repeated(source.as_str()) {
            row.push(source.shared(), Legacy::List(found.values.into_iter().map(bare).collect()));
        } else if let Some(value) = found.values.first() {
            row.push(source.shared(), bare(value));
        }
    }
}

/// A group without sources is a list of plain values.
fn select_group(record: &Legacy, group: &GroupSpec, repeated: &[String]) -> Vec<Legacy> {
    let items = follow(record, group.name.as_str()).values.into_iter().filter(|item| !item.is_null());
    if group.sources.is_empty() {
        return items.map(bare).collect();
    }
    let is_repeated = |source: &str| {
        let within =
            |path: &String| path.strip_prefix(group.name.as_str()).and_then(|rest| rest.strip_prefix('.')) == Some(source);
        repeated.iter().any(within)
    };
    let one = |item: &Legacy| {
        let mut row = Row::with_capacity(group.sources.len());
        select_sources(item, &group.sources, is_repeated, &mut row);
        Legacy::Group(row)
    };
    items.map(one).collect()
}

/// An element's text without its attributes, where it has no elements in it: an attribute that a service begins to
/// send changes nothing for those who did not ask for it.
fn bare(value: &Legacy) -> Legacy {
    match value {
        Legacy::Group(row) if row.iter().all(|(name, _)| name.starts_with(['@', '#'])) => {
            row.get("#text").cloned().unwrap_or_else(|| Legacy::Text(String::new()))
        }
        value => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{Names, read};

    fn selected(xml: &str, sources: &[&str], groups: &[(&str, &[&str])], repeated: &[&str]) -> String {
        let record = read(xml, &Names::default()).expect("a document").value;
        let named = |names: &[&str]| names.iter().map(|name| Source::new(name)).collect();
        let groups = groups.iter().map(|(name, sources)| GroupSpec { name: Source::new(name), sources: named(sources) });
        let wanted = Wanted { sources: named(sources), groups: groups.collect() };
        let repeated: Vec<String> = repeated.iter().map(|path| (*path).to_owned()).collect();
        serde_json::to_string(&select(&record, &wanted, &repeated)).expect("JSON")
    }

    #[test]
    fn takes_what_is_wanted_and_no_more() {
        let xml = "<r><a>1</a><b><c x='2'>3</c><d/></b><n/></r>";
        assert_eq!(
            selected(xml, &["a", "b.c", "b.c.@x", "b.c.#text", "a.#text", "n", "gone", "b.gone"], &[], &[]),
            r##"{"a":"1","b.c":"3","b.c.@x":"2","b.c.#text":"3","a.#text":"1","n":""}"##
        );
    }

    #[test]
    fn makes_a_group_of_one_element_several_or_none() {
        let group: &[(&str, &[&str])] = &[("phones.phone", &["@kind", "#text"])];
        for (xml, expected) in [
            ("<r/>", "[]"),
            ("<r><phones/></r>", "[]"),
            ("<r><phones><phone>1</phone></phones></r>", r##"[{"#text":"1"}]"##),
            (
                "<r><phones><phone kind='home'>1</phone><phone>2</phone></phones></r>",
                r##"[{"@kind":"home","#text":"1"},{"#text":"2"}]"##,
            ),
        ] {
            assert_eq!(selected(xml, &[], group, &[]), format!(r#"{{"phones.phone":{expected}}}"#));
        }
        let plain = selected("<r><a><b x='1'>1</b></a></r>", &[], &[("a.b", &[])], &[]);
        assert_eq!(plain, r#"{"a.b":["1"]}"#);
    }

    #[test]
    fn makes_lists_of_repeated_elements_and_of_those_that_are_said_to_be() {
        assert_eq!(selected("<r><a><b>1</b><b>2</b></a></r>", &["a.b"], &[], &[]), r#"{"a.b":["1","2"]}"#);
        assert_eq!(selected("<r><a><b>1</b></a></r>", &["a.b"], &[], &["a.b"]), r#"{"a.b":["1"]}"#);
        assert_eq!(selected("<r/>", &["a.b"], &[], &["a.b"]), r#"{"a.b":[]}"#);
        let inner = selected("<r><o><p>1</p></o></r>", &[], &[("o", &["p"])], &["o.p"]);
        assert_eq!(inner, r#"{"o":[{"p":["1"]}]}"#);
    }
}
