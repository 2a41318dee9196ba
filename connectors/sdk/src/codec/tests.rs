//! What registries really hold, codec by codec.

use indexmap::IndexMap;
use jiff::civil::date;
use serde_json::{Value, json};

use super::*;

pub(super) fn book() -> CodeBook {
    let lists: IndexMap<String, crate::codes::CodeListSpec> = serde_json::from_value(json!({
        "sex": { "K": "male", "Q": "female" },
        "status": { "version": "2024-01", "values": { "1": "active", "2": "suspended", "9": "active" }, "width": 1 },
        "country": { "values": { "0030": "NL", "0031": "AZ" }, "width": 4 },
        "level": { "A": 1, "B": 2, "C": true },
        "late": { "from": "T", "code": "K", "value": "V" },
    }))
    .expect("code lists");
    CodeBook::load(&lists, std::path::Path::new("."), date(2024, 6, 1)).expect("sound code lists")
}

pub(super) fn codec(specs: &Value) -> Codec {
    let specs: Vec<CodecSpec> = serde_json::from_value(specs.clone()).expect("codecs");
    Codec::compile(&specs, &book()).expect("sound codecs")
}

fn legacy(value: &Value) -> Legacy {
    json::from_json(value)
}

/// Both ways: the legacy value decodes to the contract value, which encodes to the legacy value.
#[track_caller]
fn pairs(specs: Value, pairs: &[(Value, Value)]) {
    let codec = codec(&specs);
    for (old, new) in pairs {
        assert_eq!(codec.decode(legacy(old)), Ok(legacy(new)), "{specs} decodes {old}");
        assert_eq!(codec.encode(&legacy(new)), Ok(legacy(old)), "{specs} encodes {new}");
    }
}

/// One way: several legacy values mean the same.
#[track_caller]
fn decodes(specs: Value, pairs: &[(Value, Value)]) {
    let codec = codec(&specs);
    for (old, new) in pairs {
        assert_eq!(codec.decode(legacy(old)), Ok(legacy(new)), "{specs} decodes {old}");
    }
}

#[track_caller]
fn does_not_decode(specs: Value, code: &str, values: &[Value]) {
    let codec = codec(&specs);
    for value in values {
        assert_eq!(codec.decode(legacy(value)).map_err(|fault| fault.code), Err(code), "{specs} decodes {value}");
    }
}

#[track_caller]
fn does_not_encode(specs: Value, values: &[Value]) {
    let codec = codec(&specs);
    for value in values {
        let fault = codec.encode(&legacy(value)).expect_err(&format!("{specs} encodes {value}"));
        assert!(matches!(fault.code, "unrepresentable" | "wrong_kind" | "not_a_number" | "bad_date"), "{fault:?}");
    }
}

#[track_caller]
fn finding(spec: Value) -> Finding {
    let spec: CodecSpec = serde_json::from_value(spec).expect("a codec");
    let mut findings = Codec::compile(&[spec], &book()).expect_err("a finding");
    assert_eq!(findings.len(), 1);
    findings.remove(0)
}

#[test]
fn trims_names_and_refuses_those_that_would_lose_blanks() {
    decodes(json!(["trim"]), &[(json!("Əliyeva "), json!("Əliyeva")), (json!(7), json!(7)), (json!(null), json!(null))]);
    decodes(json!([{ "trim": "end" }]), &[(json!(" Əliyeva "), json!(" Əliyeva"))]);
    does_not_encode(json!(["trim"]), &[json!("Əliyeva "), json!(" ")]);
}

#[test]
fn dates_of_which_only_the_month_or_the_year_is_known() {
    let spec = json!([{ "date": { "format": "%Y%m%d", "partial": true, "legacy": "integer" } }]);
    pairs(
        spec.clone(),
        &[
            (json!(19780321), json!("1978-03-21")),
            (json!(19780300), json!("1978-03")),
            (json!(19780000), json!("1978")),
            (json!(null), json!(null)),
            (json!(9990101), json!("0999-01-01")),
        ],
    );
    decodes(spec.clone(), &[(json!(0), json!(null)), (json!("00000000"), json!(null)), (json!("19780300"), json!("1978-03"))]);
    does_not_decode(
        spec.clone(),
        "bad_date",
        &[
            json!(19780231),
            json!(19781300),
            json!(19780031),
            json!(315),
            json!("1978032"),
            json!(""),
            json!(-1),
            json!("1978O321"),
        ],
    );
    does_not_encode(
        spec,
        &[json!("1978-02-31"), json!("1978-3-1"), json!("78"), json!(1978), json!("1978-03-"), json!("1978-03-21T00:00:00Z")],
    );
    pairs(
        json!([{ "date": { "format": "%d.%m.%Y", "partial": true } }]),
        &[
            (json!("21.03.1978"), json!("1978-03-21")),
            (json!("00.03.1978"), json!("1978-03")),
            (json!("00.00.1978"), json!("1978")),
        ],
    );
    does_not_decode(json!([{ "date": "%Y%m%d" }]), "bad_date", &[json!(19780300), json!(0)]);
}

#[test]
fn sentinels_stand_for_no_date() {
    pairs(
        json!([{ "null_if": ["9999-12-31", 0, "blank"] }, { "date": "%Y-%m-%d" }]),
        &[(json!("9999-12-31"), json!(null)), (json!("2024-02-29"), json!("2024-02-29"))],
    );
    decodes(
        json!([{ "null_if": ["9999-12-31", 0, "blank"] }, { "date": "%Y-%m-%d" }]),
        &[(json!(0), json!(null)), (json!("0"), json!(null)), (json!("   "), json!(null)), (json!(null), json!(null))],
    );
    does_not_encode(json!([{ "null_if": ["9999-12-31"] }, { "date": "%Y-%m-%d" }]), &[json!("9999-12-31")]);
    pairs(json!([{ "null_if": "" }]), &[(json!(""), json!(null)), (json!("x"), json!("x"))]);
    pairs(json!([{ "null_if": [null, 0] }]), &[(json!(null), json!(null))]);
}

#[test]
fn dates_in_other_clothes() {
    pairs(
        json!([{ "date": { "format": "%d%m%y", "pivot": 30 } }]),
        &[(json!("210378"), json!("1978-03-21")), (json!("010129"), json!("2029-01-01")), (json!("010130"), json!("1930-01-01"))],
    );
    does_not_encode(json!([{ "date": { "format": "%d%m%y", "pivot": 30 } }]), &[json!("1878-03-21"), json!("2030-01-01")]);
    pairs(json!([{ "date": "%d-%b-%Y" }]), &[(json!("21-Mar-1978"), json!("1978-03-21"))]);
    decodes(json!([{ "date": "%d-%b-%Y" }]), &[(json!("21-MAR-1978"), json!("1978-03-21"))]);
    pairs(
        json!([{ "date": { "format": "%-d %b %Y", "months":
        ["yanvar", "fevral", "mart", "aprel", "may", "iyun", "iyul", "avqust", "sentyabr", "oktyabr", "noyabr", "dekabr"] } }]),
        &[(json!("1 iyun 1990"), json!("1990-06-01")), (json!("31 iyul 1990"), json!("1990-07-31"))],
    );
    pairs(
        json!([{ "date": { "format": "%Y%j", "partial": true, "legacy": "integer" } }]),
        &[(json!(2024366), json!("2024-12-31")), (json!(2023000), json!("2023"))],
    );
    does_not_decode(json!([{ "date": "%Y%j" }]), "bad_date", &[json!(2023366), json!(2023000)]);
    pairs(json!([{ "date": { "format": "%m/%Y", "partial": true } }]), &[(json!("03/1978"), json!("1978-03"))]);
    does_not_encode(json!([{ "date": { "format": "%m/%Y", "partial": true } }]), &[json!("1978-03-21")]);
}

#[test]
fn numbers_in_digits_and_digits_in_numbers() {
    pairs(json!([{ "integer": { "width": 5 } }]), &[(json!("00123"), json!(123)), (json!("00000"), json!(0))]);
    does_not_encode(json!([{ "integer": { "width": 5 } }]), &[json!(123_456), json!(-1), json!("123"), json!(1.5)]);
    decodes(json!(["integer"]), &[(json!("-7"), json!(-7)), (json!(7.0), json!(7)), (json!(" 12 "), json!(12))]);
    does_not_decode(json!(["integer"]), "not_a_number", &[json!(""), json!("1a"), json!(1.5), json!("99999999999999999999")]);
    pairs(json!([{ "digits": 9 }]), &[(json!(1234), json!("000001234"))]);
    does_not_decode(json!([{ "digits": 3 }]), "not_a_number", &[json!(1234), json!(-1)]);
    does_not_encode(json!([{ "digits": 9 }]), &[json!("1234"), json!("00000123x")]);
    pairs(json!(["text"]), &[(json!(1234), json!("1234")), (json!(1.5), json!("1.5"))]);
    does_not_encode(json!(["text"]), &[json!("007"), json!("abc"), json!("1e3"), json!("NaN")]);
    pairs(json!([{ "pad": { "width": 6 } }]), &[(json!("000123"), json!("123")), (json!("000000"), json!("0"))]);
    pairs(json!([{ "pad": { "width": 4, "with": " ", "side": "end" } }]), &[(json!("AB  "), json!("AB"))]);
    does_not_encode(json!([{ "pad": { "width": 3 } }]), &[json!("1234"), json!("012"), json!("")]);
}

#[test]
fn decimals_keep_every_digit() {
    pairs(
        json!([{ "decimal": { "scale": 2 } }]),
        &[
            (json!(12345), json!("123.45")),
            (json!(-5), json!("-0.05")),
            (json!(0), json!("0.00")),
            (json!(i64::MIN), json!("-92233720368547758.08")),
        ],
    );
    does_not_encode(
        json!([{ "decimal": { "scale": 2 } }]),
        &[json!("1.5"), json!("1.234"), json!("x"), json!("-0.00"), json!("01.50"), json!(1.5), json!("92233720368547758.08")],
    );
    pairs(
        json!([{ "decimal": { "separator": ",", "grouping": "." } }]),
        &[(json!("1.234,50"), json!("1234.50")), (json!("-1.234.567,8"), json!("-1234567.8")), (json!("12"), json!("12"))],
    );
    decodes(
        json!([{ "decimal": { "separator": ",", "grouping": "." } }]),
        &[(json!("1234,50"), json!("1234.50")), (json!(",5"), json!("0.5"))],
    );
    does_not_decode(
        json!([{ "decimal": { "separator": ",", "grouping": "." } }]),
        "not_a_number",
        &[json!("1.23,4"), json!("12.34"), json!("1,2,3"), json!(""), json!("-"), json!("1,")],
    );
    pairs(json!([{ "decimal": { "separator": ",", "sign": "trailing" } }]), &[(json!("12,5-"), json!("-12.5"))]);
    pairs(
        json!([{ "decimal": { "scale": 2, "sign": "trailing", "width": 7 } }]),
        &[(json!("0012345-"), json!("-123.45")), (json!("0000000"), json!("0.00"))],
    );
    pairs(
        json!([{ "decimal": { "separator": ".", "sign": "parentheses", "scale": 2 } }]),
        &[(json!("(12.50)"), json!("-12.50"))],
    );
    pairs(
        json!([{ "decimal": { "scale": 2, "as": "number" } }]),
        &[(json!(12345), json!(123.45)), (json!(12300), json!(123)), (json!(10), json!(0.1))],
    );
    does_not_decode(
        json!([{ "decimal": { "scale": 2, "as": "number" } }]),
        "not_a_number",
        &[json!(900_719_925_474_099_301_i64)],
    );
    does_not_encode(json!([{ "decimal": { "scale": 2, "as": "number" } }]), &[json!(0.1 + 0.2)]);
    pairs(json!(["number"]), &[(json!("12.5"), json!(12.5)), (json!("-3"), json!(-3))]);
}

#[test]
fn codes_and_booleans_have_one_meaning() {
    pairs(json!([{ "codes": "sex" }]), &[(json!("K"), json!("male")), (json!("Q"), json!("female")), (json!(null), json!(null))]);
    does_not_decode(json!([{ "codes": "sex" }]), "unmapped_code", &[json!("X"), json!("k"), json!(1)]);
    does_not_decode(json!([{ "codes": "late" }]), "codes_not_loaded", &[json!("X")]);
    decodes(json!([{ "codes": "status" }]), &[(json!(1), json!("active")), (json!("9"), json!("active"))]);
    pairs(json!([{ "codes": { "list": "status", "legacy": "integer" } }]), &[(json!(1), json!("active"))]);
    pairs(json!([{ "codes": "country" }]), &[(json!("0030"), json!("NL"))]);
    pairs(json!([{ "codes": { "list": "country", "legacy": "integer" } }]), &[(json!(30), json!("NL"))]);
    decodes(json!([{ "codes": "country" }]), &[(json!(30), json!("NL"))]);
    pairs(json!([{ "codes": "level" }]), &[(json!("A"), json!(1)), (json!("C"), json!(true))]);
    does_not_encode(json!([{ "codes": "level" }]), &[json!("1"), json!("true"), json!(3)]);
    pairs(json!([{ "codes": { "list": "sex", "unmapped": "keep" } }]), &[(json!("X"), json!("X")), (json!("K"), json!("male"))]);
    does_not_encode(json!([{ "codes": { "list": "sex", "unmapped": "keep" } }]), &[json!("K")]);
    decodes(json!([{ "codes": { "list": "sex", "unmapped": "null" } }]), &[(json!("X"), json!(null))]);
    pairs(json!([{ "boolean": { "true": ["J", "1"], "false": "N" } }]), &[(json!("J"), json!(true)), (json!("N"), json!(false))]);
    decodes(
        json!([{ "boolean": { "true": ["J", "1"], "false": ["n"], "ignore_case": true } }]),
        &[(json!(1), json!(true)), (json!("N"), json!(false))],
    );
    does_not_decode(json!([{ "boolean": { "true": 1, "false": 0 } }]), "not_a_boolean", &[json!("J"), json!(true)]);
}

#[test]
fn times_know_their_zone() {
    let spec = json!([{ "datetime": { "format": "%Y%m%d%H%M%S", "zone": "Asia/Baku", "legacy": "integer" } }]);
    pairs(spec.clone(), &[(json!(20_240_105_134_500_i64), json!("2024-01-05T13:45:00+04:00"))]);
    assert_eq!(codec(&spec).encode(&"2024-01-05T09:45:00Z".into()), Ok(Legacy::Int(20_240_105_134_500)));
    does_not_encode(spec, &[json!("2024-01-05T09:45:00.5Z"), json!("2024-01-05"), json!("x")]);
    let berlin = json!([{ "datetime": { "format": "%Y-%m-%d %H:%M", "zone": "Europe/Berlin" } }]);
    does_not_decode(berlin.clone(), "bad_date", &[json!("2024-03-31 02:30"), json!("2024-02-30 00:00")]);
    pairs(berlin.clone(), &[(json!("2024-10-27 02:30"), json!("2024-10-27T02:30:00+02:00"))]);
    does_not_encode(berlin, &[json!("2024-10-27T02:30:00+01:00")]);
    pairs(
        json!([{ "datetime": { "format": "%Y-%m-%dT%H:%M:%S.%3f", "zone": "+05:30" } }]),
        &[(json!("2024-01-05T13:45:00.120"), json!("2024-01-05T13:45:00.12+05:30"))],
    );
    pairs(json!([{ "datetime": "%Y-%m-%d %H:%M:%S.%f" }]), &[(json!("2024-01-05 13:45:00.5"), json!("2024-01-05T13:45:00.5Z"))]);
    pairs(json!(["epoch"]), &[(json!(0), json!("1970-01-01T00:00:00Z"))]);
    pairs(json!([{ "epoch": "milliseconds" }]), &[(json!(-1), json!("1969-12-31T23:59:59.999Z"))]);
    does_not_decode(json!(["epoch"]), "bad_date", &[json!(i64::MAX), json!(i64::MIN)]);
    pairs(
        json!([{ "time": { "format": "%H%M", "legacy": "integer" } }]),
        &[(json!(930), json!("09:30:00")), (json!(0), json!("00:00:00"))],
    );
    does_not_decode(json!([{ "time": "%H%M" }]), "bad_time", &[json!(2460), json!(-5), json!("9:30")]);
    does_not_encode(json!([{ "time": "%H%M" }]), &[json!("09:30:15"), json!("09:30"), json!("24:00:00")]);
}

#[test]
fn bytes_in_the_encodings_of_old_systems() {
    let turkish = codec(&json!([{ "charset": "windows-1254" }]));
    assert_eq!(turkish.decode(Legacy::Bytes(vec![0xDE, 0xFE, 0xDD, 0xFD, 0xF0])), Ok("Şşİığ".into()));
    assert_eq!(turkish.encode(&"Şşİığ".into()), Ok(Legacy::Bytes(vec![0xDE, 0xFE, 0xDD, 0xFD, 0xF0])));
    assert_eq!(turkish.encode(&"Ə".into()).map_err(|fault| fault.code), Err("unrepresentable"));
    assert_eq!(turkish.decode("Ş".into()).map_err(|fault| fault.code), Err("wrong_kind"));
    let wide = codec(&json!([{ "charset": "utf-16le" }]));
    assert_eq!(wide.encode(&"Ə😀".into()), Ok(Legacy::Bytes(vec![0x8F, 0x01, 0x3D, 0xD8, 0x00, 0xDE])));
    assert_eq!(wide.decode(Legacy::Bytes(vec![0x8F, 0x01, 0x3D])).map_err(|fault| fault.code), Err("undecodable_text"));
    pairs(
        json!([{ "charset": { "actual": "windows-1254", "declared": "windows-1252" } }]),
        &[(json!("Þükrü Iþýk"), json!("Şükrü Işık"))],
    );
    let base64 = codec(&json!(["base64", { "charset": "utf-8" }]));
    assert_eq!(base64.decode("xo8=".into()), Ok("Ə".into()));
    assert_eq!(base64.encode(&"Ə".into()), Ok("xo8=".into()));
    let hex = codec(&json!(["hex"]));
    assert_eq!(hex.decode(Legacy::Bytes(vec![0, 0xAB])), Ok("00ab".into()));
    assert_eq!(hex.encode(&"00ab".into()), Ok(Legacy::Bytes(vec![0, 0xAB])));
    assert_eq!(hex.encode(&"00AB".into()).map_err(|fault| fault.code), Err("unrepresentable"));
}

#[test]
fn texts_between_affixes_masks_and_capitals() {
    pairs(json!([{ "strip": "AZ-" }]), &[(json!("AZ-77"), json!("77"))]);
    pairs(json!([{ "strip": { "prefix": "<", "suffix": ">" } }]), &[(json!("<a>"), json!("a"))]);
    does_not_decode(json!([{ "strip": "AZ-" }]), "unexpected_form", &[json!("77")]);
    pairs(json!([{ "mask": "##-@@-###" }]), &[(json!("10-ƏA-123"), json!("10ƏA123"))]);
    does_not_decode(
        json!([{ "mask": "##-@@-###" }]),
        "unexpected_form",
        &[json!("10-AA-12"), json!("10-AA-1234"), json!("10-A1-123"), json!("")],
    );
    does_not_encode(json!([{ "mask": "##-@@-###" }]), &[json!("10AA12"), json!("10-AA-123")]);
    pairs(json!([{ "mask": "\\#*" }]), &[(json!("#x"), json!("x"))]);
    pairs(
        json!([{ "case": { "legacy": "upper", "contract": "title", "language": "az" } }]),
        &[(json!("İSMAYILLI IRADƏ-XANIM"), json!("İsmayıllı Iradə-Xanım"))],
    );
    does_not_encode(json!([{ "case": { "legacy": "upper", "contract": "lower" } }]), &[json!("Ali"), json!("ß")]);
    pairs(
        json!([{ "split_list": "," }]),
        &[(json!("a,b,c"), json!(["a", "b", "c"])), (json!(""), json!([])), (json!("a,"), json!(["a", ""]))],
    );
    does_not_encode(json!([{ "split_list": "," }]), &[json!([""]), json!(["a,b"]), json!("a"), json!([1]), json!([null])]);
    pairs(json!([{ "split_list": " " }, { "codes": "sex" }]), &[(json!("K Q"), json!(["male", "female"]))]);
}

#[test]
fn bytes_and_infinities_are_no_json() {
    assert!(json::to_json(Legacy::List(vec![Legacy::Bytes(vec![1])])).is_err());
    assert!(json::to_json(Legacy::Float(f64::NAN)).is_err());
    let value = json!({ "a": [1, 2.5, "x", null, true], "b": { "c": u64::MAX.to_string() } });
    assert_eq!(json::to_json(json::from_json(&value)), Ok(value));
}

#[test]
fn findings_point_at_what_is_wrong() {
    let place = |spec: Value| finding(spec).pointer;
    assert_eq!(place(json!({ "date": "%Y%q" })), "/0/date/format");
    assert_eq!(place(json!({ "date": "%d%m%y" })), "/0/date/format");
    assert_eq!(place(json!({ "date": { "format": "%Y%m%d", "pivot": 3 } })), "/0/date/pivot");
    assert_eq!(place(json!({ "date": { "format": "%Y-%m-%d", "legacy": "integer" } })), "/0/date/legacy");
    assert_eq!(place(json!({ "date": "%Y%m" })), "/0/date/format");
    assert_eq!(place(json!({ "date": "%-d%m%Y" })), "/0/date/format");
    assert_eq!(place(json!({ "datetime": { "format": "%Y%m%d%H", "zone": "Asia/Bakı" } })), "/0/datetime/zone");
    assert_eq!(place(json!({ "charset": "ebcdic" })), "/0/charset/actual");
    assert_eq!(place(json!({ "digits": { "width": 40 } })), "/0/digits/width");
    assert_eq!(place(json!({ "decimal": { "separator": "3" } })), "/0/decimal/separator");
    assert_eq!(place(json!({ "boolean": { "true": 1, "false": "1" } })), "/0/boolean/false");
    let codes = finding(json!({ "codes": "sec" }));
    assert_eq!((codes.pointer.as_str(), codes.instead.as_deref()), ("/0/codes/list", Some("sex")));
}

#[test]
fn a_spec_is_a_word_or_a_map_of_one_word() {
    let read = |spec: Value| serde_json::from_value::<CodecSpec>(spec);
    assert_eq!(read(json!("trim")).expect("a codec"), read(json!({ "trim": {} })).expect("a codec"));
    for (wrong, says) in [
        (json!("trin"), "unknown variant `trin`"),
        (json!("pad"), "missing field `width`"),
        (json!({ "trim": {}, "integer": {} }), ""),
        (json!({ "date": { "format": "%Y", "partail": true } }), "unknown field `partail`"),
        (json!({ "date": 7 }), "expected a date format"),
        (json!(7), "a codec: a word as `trim`"),
        (json!({ "trim": { "side": "left" } }), "unknown variant `left`"),
    ] {
        let error = read(wrong.clone()).expect_err("an error").to_string();
        assert!(error.contains(says), "{wrong}: {error}");
    }
    // As YAML has it when the word is not quoted.
    let lost = json!({ "codes": { "list": "sex", "unmapped": null } });
    assert_eq!(read(lost).expect("a codec"), read(json!({ "codes": { "list": "sex", "unmapped": "null" } })).expect("a codec"));
    let spec = read(json!({ "date": "%Y%m%d" })).expect("a codec");
    assert_eq!(read(serde_json::to_value(&spec).expect("JSON")).expect("a codec"), spec);
}

#[test]
fn what_searches_may_go_through() {
    let all = |specs: Value| {
        let codec = codec(&specs);
        (codec.is_invertible(), codec.keeps_prefix(), codec.keeps_order())
    };
    assert_eq!(all(json!(["trim"])), (true, true, true));
    assert_eq!(all(json!([{ "date": "%Y%m%d" }])), (true, false, true));
    assert_eq!(all(json!([{ "date": "%d.%m.%Y" }])), (true, false, false));
    assert_eq!(all(json!([{ "date": { "format": "%y%m%d", "pivot": 30 } }])), (true, false, false));
    assert_eq!(all(json!([{ "codes": "sex" }])), (true, false, false));
    assert_eq!(all(json!([{ "codes": { "list": "sex", "unmapped": "null" } }])), (false, false, false));
    let upper = codec(&json!(["trim", { "case": { "legacy": "upper", "contract": "lower", "language": "az" } }]));
    assert_eq!(upper.encode_prefix("əli"), Ok("ƏLİ".into()));
}
