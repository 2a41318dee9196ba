//! Results as JUnit XML, in the form that Jenkins publishes a schema of (`junit-10.xsd`) and others follow.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use crate::results::{Case, Results, Suite, Verdict};

/// The document.
///
/// # Errors
/// When it cannot be written.
pub fn written(results: &Results) -> io::Result<String> {
    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 2);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let (passed, failed, skipped) = results.counted();
    let tests = (passed + failed + skipped).to_string();
    let failures = failed.to_string();
    let time = seconds(results.suites.iter().flat_map(|suite| &suite.cases));
    xml.create_element("testsuites")
        .with_attributes([
            ("name", "rabita connector test"),
            ("tests", tests.as_str()),
            ("failures", failures.as_str()),
            ("errors", "0"),
            ("time", time.as_str()),
        ])
        .write_inner_content(|xml| results.suites.iter().try_for_each(|one| suite(xml, one)))?;
    let mut bytes = xml.into_inner();
    bytes.push(b'\n');
    String::from_utf8(bytes).map_err(io::Error::other)
}

fn suite(xml: &mut Writer<Vec<u8>>, suite: &Suite) -> io::Result<()> {
    let (passed, failed, skipped) = suite.counted();
    let name = carried(&suite.registry);
    let (tests, failures, skipped) = ((passed + failed + skipped).to_string(), failed.to_string(), skipped.to_string());
    let time = seconds(&suite.cases);
    xml.create_element("testsuite")
        .with_attributes([
            ("name", name.as_str()),
            ("tests", tests.as_str()),
            ("failures", failures.as_str()),
            ("errors", "0"),
            ("skipped", skipped.as_str()),
            ("time", time.as_str()),
        ])
        .write_inner_content(|xml| suite.cases.iter().try_for_each(|one| case(xml, &suite.registry, one)))?;
    Ok(())
}

fn case(xml: &mut Writer<Vec<u8>>, registry: &str, case: &Case) -> io::Result<()> {
    let name = carried(&case.name);
    let class = case.entity.as_ref().map_or_else(|| registry.to_owned(), |entity| format!("{registry}.{entity}"));
    let class = carried(&class.replace('/', "."));
    let time = seconds([case]);
    let element = xml.create_element("testcase").with_attributes([
        ("name", name.as_str()),
        ("classname", class.as_str()),
        ("time", time.as_str()),
    ]);
    match &case.verdict {
        Verdict::Passed => element.write_empty()?,
        Verdict::Skipped { why } => element.write_inner_content(|xml| {
            xml.create_element("skipped").with_attribute(("message", carried(why).as_str())).write_empty().map(drop)
        })?,
        Verdict::Failed { why } => element.write_inner_content(|xml| {
            let first = carried(why.lines().next().unwrap_or_default());
            let failure = xml.create_element("failure").with_attributes([("message", first.as_str()), ("type", "failure")]);
            failure.write_text_content(BytesText::new(&carried(why))).map(drop)
        })?,
    };
    Ok(())
}

/// The sum of what cases took, in seconds.
fn seconds<'a>(cases: impl IntoIterator<Item = &'a Case>) -> String {
    format!("{:.3}", cases.into_iter().map(|case| case.took_ms / 1000.0).sum::<f64>())
}

/// A text with a mark in place of each character that XML 1.0 cannot carry.
fn carried(text: &str) -> String {
    let is_carried = |character: char| matches!(character, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..='\u{10FFFF}');
    text.chars().map(|character| if is_carried(character) { character } else { '\u{FFFD}' }).collect()
}
