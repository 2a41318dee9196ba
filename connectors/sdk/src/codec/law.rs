//! The law, held against values that nobody would think of.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::tests::codec;
use super::*;
use crate::Row;

/// Each codec at least once, with options that matter.
fn specs() -> Vec<Value> {
    vec![
        json!("trim"),
        json!({ "trim": "end" }),
        json!({ "pad": { "width": 6 } }),
        json!({ "pad": { "width": 8, "with": " ", "side": "end" } }),
        json!({ "case": { "legacy": "upper", "contract": "lower" } }),
        json!({ "case": { "legacy": "upper", "contract": "title", "language": "az" } }),
        json!({ "null_if": [0, "", "blank", "9999-12-31"] }),
        json!({ "null_if": "blank" }),
        json!({ "codes": "sex" }),
        json!({ "codes": { "list": "status", "legacy": "integer", "unmapped": "keep" } }),
        json!({ "codes": { "list": "country", "unmapped": "null" } }),
        json!({ "codes": "level" }),
        json!({ "boolean": { "true": ["J", 1], "false": ["N", 0], "ignore_case": true } }),
        json!("integer"),
        json!({ "integer": { "width": 7 } }),
        json!({ "digits": 9 }),
        json!({ "decimal": { "scale": 2 } }),
        json!({ "decimal": { "scale": 3, "width": 9, "sign": "trailing" } }),
        json!({ "decimal": { "scale": 2, "as": "number" } }),
        json!({ "decimal": { "separator": ",", "grouping": ".", "sign": "parentheses" } }),
        json!("number"),
        json!("text"),
        json!({ "date": { "format": "%Y%m%d", "partial": true, "legacy": "integer" } }),
        json!({ "date": { "format": "%d.%m.%Y", "partial": true } }),
        json!({ "date": { "format": "%d%m%y", "pivot": 30, "partial": true } }),
        json!({ "date": { "format": "%Y%j", "partial": true } }),
        json!({ "date": "%-d %b %Y" }),
        json!({ "datetime": { "format": "%Y%m%d%H%M%S", "zone": "Asia/Baku", "legacy": "integer" } }),
        json!({ "datetime": { "format": "%d/%m/%y %H:%M:%S.%f", "zone": "Europe/Berlin", "pivot": 50 } }),
        json!({ "time": "%H%M" }),
        json!({ "time": "%H:%M:%S.%3f" }),
        json!("epoch"),
        json!({ "epoch": "milliseconds" }),
        json!({ "charset": "windows-1254" }),
        json!({ "charset": "utf-16le" }),
        json!({ "charset": "shift_jis" }),
        json!({ "charset": "iso-2022-jp" }),
        json!({ "charset": { "actual": "windows-1254", "declared": "windows-1252" } }),
        json!("base64"),
        json!("hex"),
        json!({ "hex": { "upper": true } }),
        json!({ "strip": { "prefix": "AZ-", "suffix": "!" } }),
        json!({ "mask": "##-@@-*" }),
        json!({ "split_list": "," }),
    ]
}

fn near_miss() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{1,20}",
        "-?[0-9]{1,12}([.,][0-9]{0,5})?-?",
        "[0-9]{4}(-[0-9]{2}){0,2}",
        "(0[1-9]|[12][0-9]|3[01])\\.(0[0-9]|1[0-2])\\.(19|20)[0-9]{2}",
        "(19|20)[0-9]{2}(0[0-9]|1[0-2])([0-2][0-9]|3[01])",
        "(19|20)[0-9]{2}-(0[1-9]|1[0-2])-([0-2][0-9])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-]0[0-9]:[0-5]0)",
        "([01][0-9]|2[0-3]):?[0-5][0-9](:[0-5][0-9])?",
        "[KQkqJNjn019XA]|male|female|active|NL|0030|blank|true",
        "[ \t]*[A-Za-zƏəİıŞşĞğ]{0,8}[ ]*",
        "AZ-[a-z]{0,4}!",
        "[0-9]{2}-?[A-Z]{2}-?.",
        "([0-9a-f]{2}){0,6}",
        "[a-z]{0,3}(,[a-z]{0,3}){0,4}",
        "\\PC{0,12}",
        any::<String>(),
    ]
}

fn value() -> impl Strategy<Value = Legacy> {
    let scalar = prop_oneof![
        1 => Just(Legacy::Null),
        1 => any::<bool>().prop_map(Legacy::Bool),
        2 => any::<i64>().prop_map(Legacy::Int),
        2 => (-99_999_i64..99_999_999).prop_map(Legacy::Int),
        1 => prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(0), Just(19_780_300)].prop_map(Legacy::Int),
        1 => any::<f64>().prop_map(Legacy::Float),
        1 => (-9999_i32..9999).prop_map(|number| Legacy::Float(f64::from(number) / 100.0)),
        1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(-0.0), Just(f64::MAX), Just(f64::MIN_POSITIVE)].prop_map(Legacy::Float),
        10 => near_miss().prop_map(Legacy::Text),
        1 => proptest::collection::vec(any::<u8>(), 0..12).prop_map(Legacy::Bytes),
    ];
    scalar.prop_recursive(2, 8, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Legacy::List),
            inner.prop_map(|value| Legacy::Group([("a", value)].into_iter().collect::<Row>())),
        ]
    })
}

fn chain() -> impl Strategy<Value = Value> {
    proptest::collection::vec(proptest::sample::select(specs()), 1..4).prop_map(Value::Array)
}

/// What decodes is a fair contract value to encode as well.
fn holds(specs: &Value, value: Legacy) -> Result<(), TestCaseError> {
    let codec = codec(specs);
    let last = codec.steps.last().expect("a step");
    let decoded = codec.decode(value.clone()).ok();
    for contract in [Some(value), decoded].into_iter().flatten() {
        if let Ok(legacy) = codec.encode(&contract) {
            let back = codec.decode(legacy);
            prop_assert!(
                back.as_ref().is_ok_and(|back| alike(&**last, back, &contract)),
                "{specs}: {contract:?} came back as {back:?}"
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn every_codec_that_encodes_decodes_to_the_same(spec in proptest::sample::select(specs()), value in value()) {
        holds(&json!([spec]), value)?;
    }

    #[test]
    fn every_chain_that_encodes_decodes_to_the_same(chain in chain(), value in value()) {
        holds(&chain, value)?;
    }

    #[test]
    fn faults_never_hold_the_value(chain in chain(), text in "[B-IL-MO-P]{6,12}") {
        let codec = codec(&chain);
        let value = Legacy::Text(text.clone());
        for fault in [codec.decode(value.clone()).err(), codec.encode(&value).err()].into_iter().flatten() {
            prop_assert!(!fault.message.contains(&text), "{fault:?}");
        }
    }
}

/// Decoding what a codec wrote gives something the codec writes again: most legacy values that decode also encode, so
/// the law is not held by refusing everything.
#[test]
fn every_codec_encodes_something_that_is_not_null() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for spec in specs() {
        let codec = codec(&json!([spec]));
        let encodes = (0..20_000).any(|_| {
            let value = value().new_tree(&mut runner).expect("a value").current();
            codec.decode(value.clone()).into_iter().chain([value]).any(|value| !value.is_null() && codec.encode(&value).is_ok())
        });
        assert!(encodes, "{spec} encoded nothing");
    }
}

#[test]
fn large_values_neither_panic_nor_take_long() {
    for filler in ["0", "9", "Ə", " ", ",", "a,", "1.", "😀"] {
        let large = Legacy::Text(filler.repeat(1_048_576 / filler.len()));
        for spec in specs() {
            let codec = codec(&json!([spec]));
            let began = std::time::Instant::now();
            let decoded = codec.decode(large.clone());
            if let Ok(decoded) = decoded {
                let _encoded = codec.encode(&decoded);
            }
            assert!(began.elapsed().as_secs() < 5, "{spec} takes long over {filler:?}");
        }
    }
}
