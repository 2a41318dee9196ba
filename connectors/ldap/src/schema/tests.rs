use super::*;

fn schema(texts: &[&str]) -> Schema {
    Schema::of(texts.iter().map(|text| Description::parse(text).expect("a description")).collect())
}

#[test]
fn an_attribute_has_the_rules_of_its_supertype_under_each_of_its_names() {
    let schema = schema(&[
        "( 2.5.4.41 NAME 'name' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15{32768} )",
        "( 2.5.4.4 NAME ( 'sn' 'surname' ) DESC 'RFC2256: last (family) name(s)' SUP name )",
    ]);
    for name in ["sn", "SN", "surname", "2.5.4.4", "sn;lang-az"] {
        let sn = schema.rules(name).expect("the attribute");
        assert_eq!((sn.name.as_str(), sn.syntax), ("sn", Syntax::Text), "{name}");
        assert_eq!(sn.equality.as_deref(), Some("caseIgnoreMatch"));
        assert_eq!((sn.substrings.is_some(), sn.ordering.is_some()), (true, false));
        assert!(sn.overlooks(Ignore::Case) && sn.overlooks(Ignore::OuterSpaces));
    }
    assert_eq!(schema.answered("surname;lang-az"), "sn;lang-az");
    assert_eq!(schema.answered("unknown"), "unknown");
}

#[test]
fn a_syntax_says_what_is_read() {
    let schema = schema(&[
        "( 0.9.2342.19200300.100.1.60 NAME 'jpegPhoto' SYNTAX 1.3.6.1.4.1.1466.115.121.1.28 X-ORIGIN 'RFC 2798' )",
        "( 1.1 NAME 'active' EQUALITY booleanMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.7 SINGLE-VALUE )",
        "( 1.2 NAME 'grade' SYNTAX '1.3.6.1.4.1.1466.115.121.1.27' SINGLE-VALUE NO-USER-MODIFICATION USAGE directoryOperation )",
        "(2.5.18.2 NAME 'modifyTimestamp' EQUALITY generalizedTimeMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.24)",
    ]);
    let syntax = |name| schema.attribute(name).map(|attribute| attribute.syntax);
    assert_eq!(syntax("jpegphoto"), Some(Syntax::Bytes));
    assert_eq!(syntax("active"), Some(Syntax::Boolean));
    assert_eq!(syntax("grade"), Some(Syntax::Integer));
    assert_eq!(syntax("modifyTimestamp"), Some(Syntax::Time));
    assert_eq!(syntax("none"), None);
}

#[test]
fn a_schema_without_any_rule_says_nothing_of_rules() {
    let schema =
        schema(&["( 1.2.840.113556.1.4.221 NAME 'sAMAccountName' SYNTAX '1.3.6.1.4.1.1466.115.121.1.15' SINGLE-VALUE )"]);
    assert!(schema.rules("sAMAccountName").is_none());
    assert!(schema.attribute("sAMAccountName").is_some());
}

#[test]
fn supertypes_in_a_circle_come_to_an_end() {
    let schema = schema(&["( 1.1 NAME 'a' SUP b )", "( 1.2 NAME 'b' SUP a )"]);
    assert_eq!(schema.attribute("a").map(|attribute| attribute.syntax), Some(Syntax::Text));
}

#[test]
fn what_is_no_description_is_none() {
    for text in ["", "(", "()", "( 1.1", "( 1.1 NAME 'a )", "1.1 NAME 'a'", "( 1.1 NAME ( 'a' )", "( 1.1 ) )"] {
        assert_eq!(Description::parse(text), None, "{text}");
    }
}
