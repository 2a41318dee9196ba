//! Writing records at fixed places.

use rabita_sdk::{Legacy, Source};

use super::super::{Unwritable, number, typed};
use super::Layout;
use super::shape::{Column, Shape, span};
use crate::from::{Framing, Type};

impl super::super::Writer for Layout {
    fn columns(&self) -> &[Source] {
        &self.names
    }

    fn begin(&self, _front: Option<&Source>, into: &mut Vec<u8>) {
        if self.framing == Framing::Lines {
            into.extend_from_slice(self.shape.charset.mark());
        }
    }

    fn write(&self, front: Option<(&Source, &str)>, values: &[Legacy], into: &mut Vec<u8>) -> Result<(), Unwritable> {
        let shape = &self.shape;
        if let Some((column, _)) = front {
            return Err(Unwritable { column: column.clone(), why: "is no column of this layout" });
        }
        let mut frame: Vec<Vec<u8>> = vec![if shape.by_characters { b" ".to_vec() } else { vec![shape.blank()] }; shape.width];
        let mut put = |column: &Column, bytes: Vec<u8>| {
            let pieces: Vec<Vec<u8>> = if shape.by_characters {
                String::from_utf8_lossy(&bytes).chars().map(|one| one.to_string().into_bytes()).collect()
            } else {
                bytes.into_iter().map(|byte| vec![byte]).collect()
            };
            for (place, piece) in frame.iter_mut().skip(column.start).zip(pieces) {
                *place = piece;
            }
        };
        for (column, value) in shape.columns.iter().zip(values) {
            let unfit = |why| Unwritable { column: column.name.clone(), why };
            put(column, shape.filled(column, value).map_err(unfit)?);
        }
        if let Some(kind) = &shape.kind {
            let column = span(kind.at);
            let is = shape.filled(&column, &Legacy::Text(kind.record.clone()));
            put(&column, is.map_err(|why| Unwritable { column: Source::new("kind"), why })?);
        }
        let frame = frame.concat();
        match self.framing {
            Framing::Bytes(_) => into.extend(frame),
            Framing::Rdw => {
                let length = u16::try_from(frame.len() + 4).unwrap_or(u16::MAX);
                into.extend(length.to_be_bytes());
                into.extend([0, 0]);
                into.extend(frame);
            }
            Framing::Lines => {
                let end = if shape.charset.is_ebcdic() { "\u{85}" } else { self.line_end.text() };
                let line = if shape.by_characters {
                    let text = String::from_utf8(frame).map(|text| text + end).unwrap_or_default();
                    shape.charset.encode(&text)
                } else {
                    shape.charset.encode(end).map(|end| [frame, end].concat())
                };
                let why = "has a character that the encoding lacks";
                into.extend(line.ok_or_else(|| Unwritable { column: Source::new("kind"), why })?);
            }
        }
        Ok(())
    }
}

impl Shape {
    /// Whether two columns share a place, so that it is open which of them would be written.
    pub fn overlaps(&self) -> bool {
        let mut places: Vec<(usize, usize)> = self.columns.iter().map(|column| (column.start, column.width)).collect();
        places.sort_unstable();
        places.windows(2).any(|pair| pair[0].0 + pair[0].1 > pair[1].0)
    }

    /// The bytes of a value, filled up to the width of its column.
    fn filled(&self, column: &Column, value: &Legacy) -> Result<Vec<u8>, &'static str> {
        let width = column.width;
        match (column.kind, value) {
            (Type::Packed(_) | Type::Zoned(_), Legacy::Null) => Ok(vec![self.blank(); width]),
            (Type::Binary(_), Legacy::Null) => Err("is no value, which a binary number can't be"),
            (Type::Packed(how), value) => number::to_packed(value, how, width),
            (Type::Zoned(how), value) => number::to_zoned(value, how, width, self.charset.is_ebcdic()),
            (Type::Binary(how), value) => number::to_binary(value, how, width),
            (kind, value) => {
                let text = if value.is_null() { String::new() } else { typed::text(value, kind)? };
                if text.contains(['\n', '\r', '\0', '\u{1a}']) {
                    return Err("holds a character that ends lines or files");
                }
                if text.ends_with(' ') || text.is_empty() && !value.is_null() {
                    return Err("is empty or ends with a blank, which stands for nothing here");
                }
                let length = if self.by_characters { text.chars().count() } else { self.encoded(&text)?.len() };
                let spare = width.checked_sub(length).ok_or("is longer than its column")?;
                let numeric = matches!(kind, Type::Digits(_) | Type::Integer) && !value.is_null();
                let has_sign = matches!(kind, Type::Digits(how) if how.signed);
                let text = match text.strip_prefix('-') {
                    Some(digits) if numeric => format!("-{}{digits}", "0".repeat(spare)),
                    // A sign has a character of its own, and says so.
                    None if numeric && has_sign => {
                        format!("+{}{text}", "0".repeat(spare.checked_sub(1).ok_or("leaves no room for its sign")?))
                    }
                    None if numeric => format!("{}{text}", "0".repeat(spare)),
                    _ => format!("{text}{}", " ".repeat(spare)),
                };
                if self.by_characters { Ok(text.into_bytes()) } else { self.encoded(&text) }
            }
        }
    }

    fn encoded(&self, text: &str) -> Result<Vec<u8>, &'static str> {
        self.charset.encode(text).ok_or("has a character that the encoding lacks")
    }
}
