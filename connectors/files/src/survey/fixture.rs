//! A test's `legacy:` out of rows: the file that they stand in.

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use rabita_sdk::survey::Foreseen;
use rabita_sdk::{Legacy, Row, Source};
use serde_json::{Value, json};

use super::object;
use crate::from::{Delimited, Format, From, Xml};

/// A file with the rows, and one for each table of codes; `None` where the format is one that can't be written.
pub(crate) fn fixture(foreseen: &Foreseen<'_>) -> Option<Value> {
    let from: From = serde_json::from_value(foreseen.entity.from.clone()).ok()?;
    let content = match &from.format {
        Format::Delimited(spec) if spec.header => {
            let sources: Vec<&Source> = foreseen.entity.columns.iter().map(|column| &column.source).collect();
            json!(delimited(spec, &sources, foreseen.rows)?)
        }
        Format::Delimited(_) | Format::Fixed(_) | Format::Copybook(_) => json!(foreseen.rows.iter().map(own).collect::<Vec<_>>()),
        Format::JsonLines(_) => json!(
            foreseen.rows.iter().filter_map(|row| Some(serde_json::to_string(&nested(row)).ok()? + "\n")).collect::<String>()
        ),
        Format::Xml(spec) => json!(xml(spec, foreseen.rows)?),
        Format::Sheet(_) => return None,
    };
    let mut files = object(&[(&name(&from.file), content)]);
    for (table, rows) in foreseen.tables {
        let from: From = serde_json::from_value(table.from.clone()).ok()?;
        let Format::Delimited(spec) = &from.format else { return None };
        files.insert(name(&from.file), json!(delimited(spec, &[&table.code, &table.value], rows)?));
    }
    Some(Value::Object(files))
}

/// A name that the pattern matches.
fn name(pattern: &str) -> String {
    pattern.replace(['*', '?'], "1").replace(['[', ']'], "")
}

fn own(row: &Row) -> Value {
    serde_json::to_value(row).unwrap_or_default()
}

fn nested(row: &Row) -> Row {
    let mut nested = Row::with_capacity(row.len());
    row.iter().for_each(|(name, value)| nested.put(&Source::new(name), value.clone()));
    nested
}

/// A document with the rows.
fn xml(spec: &Xml, rows: &[Row]) -> Option<String> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("utf-8"), None))).ok()?;
    writer.write_event(Event::Start(BytesStart::new("records"))).ok()?;
    for row in rows {
        element(&mut writer, &spec.record, &Legacy::Group(nested(row))).ok()?;
    }
    writer.write_event(Event::End(BytesEnd::new("records"))).ok()?;
    String::from_utf8(writer.into_inner()).ok()
}

/// A value as the layout reads it: `@name` is an attribute, `#text` the text beside others, a list elements of one name.
fn element(writer: &mut Writer<Vec<u8>>, name: &str, value: &Legacy) -> std::io::Result<()> {
    let mut start = BytesStart::new(name);
    match value {
        Legacy::List(items) => items.iter().try_for_each(|item| element(writer, name, item)),
        Legacy::Group(row) => {
            let row = nested(row);
            for (name, value) in row.iter() {
                if let (Some(name), Some(text)) = (name.strip_prefix('@'), value.to_text()) {
                    start.push_attribute((name, &*text));
                }
            }
            writer.write_event(Event::Start(start))?;
            for (name, value) in row.iter().filter(|(name, value)| !name.starts_with('@') && !value.is_null()) {
                match name {
                    "#text" => writer.write_event(Event::Text(BytesText::new(&value.to_text().unwrap_or_default())))?,
                    _ => element(writer, name, value)?,
                }
            }
            writer.write_event(Event::End(BytesEnd::new(name)))
        }
        value => {
            writer.write_event(Event::Start(start))?;
            writer.write_event(Event::Text(BytesText::new(&value.to_text().unwrap_or_default())))?;
            writer.write_event(Event::End(BytesEnd::new(name)))
        }
    }
}

/// The text of a file with a header: columns that are known by a number stand at that place.
fn delimited(spec: &Delimited, sources: &[&Source], rows: &[Row]) -> Option<String> {
    let number = |source: &Source| source.as_str().strip_prefix('#').and_then(|number| number.parse::<usize>().ok());
    let last = sources.iter().filter_map(|source| number(source)).max().unwrap_or_default();
    let mut header: Vec<Option<&Source>> = vec![None; last.max(sources.len())];
    for source in sources {
        if let Some(place) = number(source) {
            *header.get_mut(place.checked_sub(1)?)? = Some(source);
        }
    }
    let mut others = sources.iter().filter(|source| number(source).is_none());
    for cell in header.iter_mut().filter(|cell| cell.is_none()) {
        *cell = others.next().copied();
    }
    let mut writer = csv::WriterBuilder::new().delimiter(u8::try_from(spec.delimiter).ok()?).from_writer(Vec::new());
    let name = |cell: &Option<&Source>| match cell {
        Some(source) if number(source).is_none() => source.as_str().to_owned(),
        _ => String::new(),
    };
    writer.write_record(header.iter().map(name)).ok()?;
    for row in rows {
        let value = |cell: &Option<&Source>| {
            let value = cell.and_then(|source| row.get(source.as_str()));
            value.and_then(Legacy::to_text).map_or_else(|| spec.null.clone(), std::borrow::Cow::into_owned)
        };
        writer.write_record(header.iter().map(value)).ok()?;
    }
    let text = String::from_utf8(writer.into_inner().ok()?).ok()?;
    // A stand-in's text is UTF-8; a mark says so where the format says otherwise.
    Some(if spec.encoding.eq_ignore_ascii_case("utf-8") { text } else { format!("\u{feff}{text}") })
}
