//! A document written so that what is read back is what was meant.

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use super::is_carried;

/// A document on its way out. Elements are closed by the names they were opened with.
pub(crate) struct Xml {
    writer: Writer<Vec<u8>>,
    open: Vec<String>,
}

/// A value has a character that XML 1.0 can't carry in any form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a value has a character that XML can't carry")]
pub(crate) struct Unwritable;

impl Xml {
    /// A document in UTF-8.
    pub(crate) fn new() -> Self {
        let mut xml = Self { writer: Writer::new(Vec::new()), open: Vec::new() };
        xml.event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)));
        xml
    }

    /// Opens an element.
    ///
    /// # Errors
    /// When a value can't be written.
    pub(crate) fn open<'v>(
        &mut self,
        name: &str,
        attributes: impl IntoIterator<Item = (&'v str, &'v str)>,
    ) -> Result<(), Unwritable> {
        let mut start = BytesStart::new(name);
        for (name, value) in attributes {
            carried(value)?;
            start.push_attribute((name, value));
        }
        self.event(Event::Start(start));
        self.open.push(name.to_owned());
        Ok(())
    }

    /// Writes text into the element that is open.
    ///
    /// # Errors
    /// When it can't be written.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), Unwritable> {
        carried(text)?;
        self.event(Event::Text(BytesText::new(text)));
        Ok(())
    }

    /// Closes the element that was opened last.
    pub(crate) fn close(&mut self) {
        if let Some(name) = self.open.pop() {
            self.event(Event::End(BytesEnd::new(name)));
        }
    }

    /// An element with nothing but text.
    ///
    /// # Errors
    /// When a value can't be written.
    pub(crate) fn leaf<'v>(
        &mut self,
        name: &str,
        attributes: impl IntoIterator<Item = (&'v str, &'v str)>,
        text: &str,
    ) -> Result<(), Unwritable> {
        self.open(name, attributes)?;
        self.text(text)?;
        self.close();
        Ok(())
    }

    /// The document, with everything closed that is still open.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        while !self.open.is_empty() {
            self.close();
        }
        self.writer.into_inner()
    }

    fn event(&mut self, event: Event<'_>) {
        self.writer.write_event(event).expect("memory takes every write");
    }
}

fn carried(text: &str) -> Result<(), Unwritable> {
    if text.chars().all(is_carried) { Ok(()) } else { Err(Unwritable) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rabita_sdk::Legacy;

    use super::*;
    use crate::xml::{Names, decode, read};

    fn back(text: &str) -> Result<(Legacy, Legacy), Unwritable> {
        let mut xml = Xml::new();
        xml.open("a", [("b", text)])?;
        xml.leaf("c", [], text)?;
        let bytes = xml.finish();
        let document = decode(&bytes, None).expect("UTF-8");
        let Legacy::Group(row) = read(&document, &Names::default()).expect("well-formed").value else {
            panic!("no group");
        };
        Ok((row.get("@b").cloned().unwrap_or_default(), row.get("c").cloned().unwrap_or_default()))
    }

    #[test]
    fn writes_markup_as_text() {
        for text in ["", " ", "<a>&'\"]]>\r\n\t", "]]>", "&amp;", "Ə\u{10348}", "\u{85}\u{2028}", "<![CDATA[x]]>"] {
            assert_eq!(back(text), Ok((Legacy::Text(text.into()), Legacy::Text(text.into()))), "{text:?}");
        }
    }

    #[test]
    fn refuses_characters_that_xml_cannot_carry() {
        for text in ["\0", "a\u{1}", "\u{b}", "\u{1f}", "\u{fffe}", "\u{ffff}"] {
            assert_eq!(back(text), Err(Unwritable), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn reads_back_exactly_what_was_written(text in any::<String>()) {
            match back(&text) {
                Ok((attribute, element)) => {
                    prop_assert_eq!(attribute, Legacy::Text(text.clone()));
                    prop_assert_eq!(element, Legacy::Text(text));
                }
                Err(Unwritable) => prop_assert!(!text.chars().all(is_carried)),
            }
        }

        #[test]
        fn reads_or_refuses_anything_without_a_panic(text in "[<>/a-c&;\"'= !\\[\\]#x0-9?-]{0,60}") {
            let _ = read(&text, &Names::default());
        }
    }
}
