use proptest::prelude::*;

use super::*;

fn text() -> impl Strategy<Value = String> {
    "\\PC{0,8}"
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..200)
}

fn attribute() -> impl Strategy<Value = Attribute> {
    (text(), proptest::collection::vec(value(), 0..4)).prop_map(|(name, values)| Attribute { name, values })
}

fn entry() -> impl Strategy<Value = Entry> {
    (text(), proptest::collection::vec(attribute(), 0..4)).prop_map(|(dn, attributes)| Entry { dn, attributes })
}

fn filter() -> impl Strategy<Value = Filter> {
    let substrings = (proptest::option::of(value()), proptest::collection::vec(value(), 0..3), proptest::option::of(value()));
    let leaf = prop_oneof![
        (text(), value()).prop_map(|(name, value)| Filter::Equal(name, value)),
        (text(), value()).prop_map(|(name, value)| Filter::AtLeast(name, value)),
        (text(), value()).prop_map(|(name, value)| Filter::AtMost(name, value)),
        (text(), value()).prop_map(|(name, value)| Filter::Approximate(name, value)),
        text().prop_map(Filter::Present),
        (text(), substrings).prop_map(|(name, (initial, any, last))| Filter::Substrings(name, Substrings { initial, any, last })),
        (proptest::option::of(text()), proptest::option::of(text()), value(), any::<bool>()).prop_map(
            |(rule, attribute, value, of_dn_too)| Filter::Extensible(filter::Extensible { rule, attribute, value, of_dn_too })
        ),
    ];
    leaf.prop_recursive(4, 20, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..3).prop_map(Filter::And),
            proptest::collection::vec(inner.clone(), 1..3).prop_map(Filter::Or),
            inner.prop_map(|not| Filter::Not(Box::new(not))),
        ]
    })
}

fn op() -> impl Strategy<Value = Op> {
    let code = (0..200_u32).prop_map(Code);
    let kind = prop_oneof![
        Just(ModificationKind::Add),
        Just(ModificationKind::Delete),
        Just(ModificationKind::Replace),
        Just(ModificationKind::Increment)
    ];
    let modification = (kind, attribute()).prop_map(|(kind, attribute)| Modification { kind, attribute });
    let scope = prop_oneof![Just(Scope::Base), Just(Scope::One), Just(Scope::Subtree)];
    prop_oneof![
        (text(), value()).prop_map(|(dn, password)| Op::BindRequest { dn, credentials: Credentials::Password(password) }),
        text().prop_map(|dn| Op::BindRequest { dn, credentials: Credentials::External }),
        (text(), scope, any::<i32>(), any::<i32>(), filter(), proptest::collection::vec(text(), 0..4)).prop_map(
            |(base, scope, size_limit, time_limit, filter, attributes)| {
                Op::SearchRequest(SearchRequest { base, scope, size_limit, time_limit, filter, attributes })
            }
        ),
        entry().prop_map(Op::SearchEntry),
        entry().prop_map(Op::AddRequest),
        (text(), proptest::collection::vec(modification, 0..3))
            .prop_map(|(dn, modifications)| Op::ModifyRequest { dn, modifications }),
        text().prop_map(Op::DeleteRequest),
        text().prop_map(Op::ExtendedRequest),
        code.clone().prop_map(Op::BindResponse),
        code.clone().prop_map(Op::SearchDone),
        code.clone().prop_map(Op::ModifyResponse),
        code.clone().prop_map(Op::AddResponse),
        code.clone().prop_map(Op::DeleteResponse),
        code.prop_map(Op::ExtendedResponse),
        Just(Op::UnbindRequest),
        Just(Op::SearchReference),
    ]
}

fn control() -> impl Strategy<Value = Control> {
    let any = (text(), any::<bool>(), proptest::option::of(value()));
    any.prop_map(|(oid, critical, value)| Control { oid, critical, value })
}

/// What a stream of these bytes gives, and what ends it.
fn taken(bytes: &[u8], message_max: usize) -> (Vec<Message>, Broken) {
    use futures_util::FutureExt as _;
    let (ours, mut theirs) = tokio::io::duplex(bytes.len().max(1));
    let work = async {
        use tokio::io::AsyncWriteExt as _;
        theirs.write_all(bytes).await.expect("room for all bytes");
        drop(theirs);
        let mut frames = Frames::new(ours, message_max);
        let mut messages = Vec::new();
        loop {
            match frames.next().await {
                Ok((message, _)) => messages.push(message),
                Err(broken) => return (messages, broken),
            }
        }
    };
    work.now_or_never().expect("all bytes are there")
}

proptest! {
    #[test]
    fn a_message_is_read_as_it_was_written(id in 0..i32::MAX, op in op(), controls in proptest::collection::vec(control(), 0..3)) {
        let message = Message { id, op, controls };
        let bytes = encoded(&message);
        prop_assert_eq!(taken(&bytes, bytes.len()), (vec![message], Broken::Ended));
    }

    #[test]
    fn an_assertion_and_a_page_are_read_as_they_were_written(filter in filter(), size in 0..i32::MAX, cookie in value()) {
        prop_assert_eq!(Control::assertion(&filter).asserted(), Ok(filter));
        prop_assert_eq!(Control::paged_results(size, cookie.clone()).page(), Ok((size, cookie)));
    }

    #[test]
    fn bytes_that_are_no_message_are_told_as_such(bytes in value()) {
        taken(&bytes, 1000);
    }

    #[test]
    fn a_message_with_a_wrong_byte_is_read_or_told(op in op(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = encoded(&Message { id: 7, op, controls: Vec::new() });
        let at = at.index(bytes.len());
        bytes[at] = byte;
        taken(&bytes, 100_000);
    }
}

#[test]
fn a_message_longer_than_the_bound_is_not_waited_for() {
    assert_eq!(taken(&[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 0x02], 1000), (Vec::new(), Broken::TooLong));
}

#[test]
fn a_message_deeper_than_the_bound_is_none() {
    // Each piece holds nothing but the next.
    let mut bytes = Vec::new();
    for _ in 0..100_000 {
        let mut outer = vec![0x30, 0x83];
        outer.extend(u32::try_from(bytes.len()).expect("short").to_be_bytes()[1..].iter().copied());
        bytes.splice(0..0, outer);
        if bytes.len() > 2000 {
            break;
        }
    }
    assert!(matches!(taken(&bytes, 100_000), (messages, Broken::NoMessage(_)) if messages.is_empty()));
}

#[test]
fn a_message_of_more_pieces_than_the_bound_is_none() {
    let count = 1_100_000_usize;
    let mut bytes = vec![0x30, 0x84];
    bytes.extend(u32::try_from(count * 2).expect("short").to_be_bytes());
    bytes.extend(std::iter::repeat_n([0x05, 0x00], count).flatten());
    assert!(matches!(taken(&bytes, 10_000_000), (messages, Broken::NoMessage(_)) if messages.is_empty()));
}

#[test]
fn the_text_of_a_filter_means_what_rfc_4515_says() {
    let equal = |name: &str, value: &str| Filter::Equal(name.to_owned(), value.as_bytes().to_vec());
    assert_eq!(parse_filter("(cn=Babs Jensen)"), Ok(equal("cn", "Babs Jensen")));
    assert_eq!(parse_filter("(o=Parens R Us \\28for all\\29)"), Ok(equal("o", "Parens R Us (for all)")));
    assert_eq!(parse_filter("(sn=Lu\\c4\\8di\\c4\\87)"), Ok(equal("sn", "Lučić")));
    assert_eq!(parse_filter("(!(cn=Tim))"), Ok(Filter::Not(Box::new(equal("cn", "Tim")))));
    let present = Filter::Present("title".to_owned());
    assert_eq!(
        parse_filter("(&(ou=a)(|(ou=b)(title=*)))"),
        Ok(Filter::And(vec![equal("ou", "a"), Filter::Or(vec![equal("ou", "b"), present])]))
    );
    let substrings = Substrings { initial: Some(b"univ".to_vec()), any: vec![b"of".to_vec()], last: Some(b"mich".to_vec()) };
    assert_eq!(parse_filter("(o=univ*of*mich)"), Ok(Filter::Substrings("o".to_owned(), substrings)));
    assert_eq!(parse_filter("(grade>=5)"), Ok(Filter::AtLeast("grade".to_owned(), b"5".to_vec())));
    let own = filter::Extensible {
        rule: Some("1.2.840.113556.1.4.803".to_owned()),
        attribute: Some("userAccountControl".to_owned()),
        value: b"2".to_vec(),
        of_dn_too: false,
    };
    assert_eq!(parse_filter("(userAccountControl:1.2.840.113556.1.4.803:=2)"), Ok(Filter::Extensible(own)));
    for wrong in ["", "cn=a", "(cn=a", "(cn)", "(&)", "(=a)", "(cn=\\2)", "(cn=a))", "(c n=a)", &"(!".repeat(100)] {
        assert!(parse_filter(wrong).is_err(), "{wrong}");
    }
}
