//! Values that break what is not made well.

use proptest::prelude::any;
use proptest::sample::{Index, select};
use proptest::strategy::{BoxedStrategy, Strategy, Union};
use serde_json::{Value, json};

/// Texts: quotes, signs of syntaxes, what is not seen, what runs the other way, what is composed, what is long.
pub(super) const TEXTS: [&str; 24] = [
    "'",
    "\"",
    "\\",
    "'; DROP TABLE rabita_trial; --",
    "\" OR \"1\"=\"1",
    "%_*?[",
    "${rabita:trial}{{7*7}}",
    "<![CDATA[<a&b>]]>&amp;&#0;",
    "../../rabita-trial",
    "(cn=*)(|(uid=*",
    "rabita\u{0}trial",
    "\u{1}\u{8}\u{1B}[31m",
    "line\r\nbreak\tand\u{2028}more",
    "\u{202E}rabita trial\u{202C}",
    "\u{FEFF}rabita",
    "e\u{301}\u{323}e\u{323}\u{301}",
    "I\u{307}ıİi",
    "👩\u{200D}👩\u{200D}👧\u{1F3FD}",
    " before and after ",
    "\u{A0}\u{2003}",
    "NULL",
    "-0",
    "1e309",
    "\u{FFFD}\u{FFFF}",
];
/// What the longest text is made of, and how long it is.
const LONG: (char, usize) = ('Ə', 20_000);

/// Numbers at the ends of what machines and formats hold.
const NUMBERS: [i64; 8] =
    [i64::MIN, i64::MAX, 9_007_199_254_740_993, -1, 0, 2_147_483_648, -2_147_483_649, 1_000_000_000_000_000_000];

/// Half of the values as they are, half with one of their texts or numbers made hostile.
pub(super) fn spiced(values: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    let text = Union::new_weighted(vec![
        (8, select(TEXTS.map(str::to_owned).to_vec()).boxed()),
        (1, proptest::strategy::Just(LONG.0.to_string().repeat(LONG.1)).boxed()),
    ]);
    let with_one = (values.clone(), any::<Index>(), text, select(NUMBERS.to_vec())).prop_map(|(mut value, at, text, number)| {
        let leaves = leaves(&value);
        if let Some(pointer) = (!leaves.is_empty()).then(|| at.get(&leaves))
            && let Some(leaf) = value.pointer_mut(pointer)
        {
            *leaf = if leaf.is_number() { json!(number) } else { Value::String(text) };
        }
        value
    });
    Union::new([values, with_one.boxed()]).boxed()
}

/// The places of the texts and numbers in a value.
fn leaves(value: &Value) -> Vec<String> {
    fn collect(value: &Value, pointer: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => members.iter().for_each(|(name, value)| {
                collect(value, &format!("{pointer}/{}", rabita_sdk::finding::token(name)), found);
            }),
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(at, item)| collect(item, &format!("{pointer}/{at}"), found))
            }
            Value::String(_) | Value::Number(_) => found.push(pointer.to_owned()),
            Value::Null | Value::Bool(_) => {}
        }
    }
    let mut found = Vec::new();
    collect(value, "", &mut found);
    found
}
