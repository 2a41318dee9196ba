//! Texts made up from what a schema says of them.

use proptest::collection::vec;
use proptest::sample::select;
use proptest::strategy::{BoxedStrategy, Just, Strategy, Union};
use proptest::string::string_regex;
use serde_json::{Map, Value};

use super::bound;

/// Characters of names and words as they are in the region: several alphabets, marks and blanks.
const CHARACTERS: &str = "aAbBzZ019 -'.,əƏğĞıIİşŞçÇöüßñéåøжЖяЯҚқΩ";
/// How long texts are where nothing bounds them.
const LENGTH: usize = 24;
/// Days that calendars and formats stumble over.
const DAYS: [&str; 8] =
    ["0001-01-01", "1582-10-15", "1899-12-31", "1900-03-01", "1970-01-01", "2000-02-29", "2024-02-29", "9999-12-31"];

/// Any text.
pub(super) fn any() -> BoxedStrategy<String> {
    of_length(0, LENGTH)
}

/// Texts of a schema.
pub(super) fn of(members: &Map<String, Value>) -> BoxedStrategy<String> {
    if let Some(pattern) = members.get("pattern").and_then(Value::as_str)
        && let Ok(matching) = string_regex(&ascii(pattern))
    {
        return matching.boxed();
    }
    match members.get("format").and_then(Value::as_str) {
        Some("date") => days(),
        Some("partial-date") => Union::new([
            days(),
            days().prop_map(|day| day[..7].to_owned()).boxed(),
            days().prop_map(|day| day[..4].to_owned()).boxed(),
        ])
        .boxed(),
        Some("date-time") => (days(), times(), select(vec!["Z", "+04:00", "-11:30"]))
            .prop_map(|(day, time, zone)| format!("{day}T{time}{zone}"))
            .boxed(),
        Some("time") => times().prop_map(|time| format!("{time}Z")).boxed(),
        Some("uuid") => matching("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}"),
        Some("email") => matching("[a-z]{1,12}@[a-z]{1,12}\\.example"),
        Some("uri" | "uri-reference" | "iri") => matching("https://[a-z]{1,12}\\.example/[a-z0-9]{0,8}"),
        _ => {
            let least = bound(members, "minLength").unwrap_or(0);
            let most = bound(members, "maxLength").unwrap_or(least.max(LENGTH)).max(least);
            of_length(least, most)
        }
    }
}

/// A pattern without anchors, and with what stands for sets of characters written out: proptest takes them for those of
/// all alphabets.
fn ascii(pattern: &str) -> String {
    let bare = pattern.strip_prefix('^').unwrap_or(pattern);
    let bare = match bare.strip_suffix('$') {
        Some(rest) if !rest.ends_with('\\') => rest,
        _ => bare,
    };
    bare.replace("\\d", "[0-9]").replace("\\w", "[A-Za-z0-9_]").replace("\\s", "[ ]")
}

fn matching(pattern: &str) -> BoxedStrategy<String> {
    string_regex(pattern).map_or_else(|_| Just(String::new()).boxed(), Strategy::boxed)
}

fn of_length(least: usize, most: usize) -> BoxedStrategy<String> {
    let characters: Vec<char> = CHARACTERS.chars().collect();
    let short = most.min(least.saturating_add(LENGTH));
    let usual = vec(select(characters.clone()), least..=short).prop_map(|text| text.into_iter().collect()).boxed();
    // The longest text that there may be, once in a while.
    let longest = vec(select(characters), most.min(4_000)..=most.min(4_000)).prop_map(|text| text.into_iter().collect()).boxed();
    Union::new_weighted(vec![(9, usual), (1, longest)]).boxed()
}

fn days() -> BoxedStrategy<String> {
    let usual = (1900_u16..2100, 1_u8..=12, 1_u8..=28).prop_map(|(year, month, day)| format!("{year:04}-{month:02}-{day:02}"));
    Union::new_weighted(vec![(3, usual.boxed()), (1, select(DAYS.map(str::to_owned).to_vec()).boxed())]).boxed()
}

fn times() -> BoxedStrategy<String> {
    (0_u8..24, 0_u8..60, 0_u8..60).prop_map(|(hour, minute, second)| format!("{hour:02}:{minute:02}:{second:02}")).boxed()
}
