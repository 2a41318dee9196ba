//! Values of columns that are text in the file.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rabita_sdk::Legacy;

use crate::from::Type;
use crate::layout::number;

/// The value of a text, or what should have stood there.
pub fn value(text: &str, kind: Type) -> Result<Legacy, &'static str> {
    match kind {
        Type::Text => Ok(Legacy::Text(text.to_owned())),
        Type::Integer => number::integer(text).ok_or("a whole number in decimal digits"),
        Type::Digits(how) => number::digits(text, how),
        Type::Base64 => STANDARD.decode(text).map(Legacy::Bytes).map_err(|_| "bytes in Base64"),
        Type::Hex => unhex(text).map(Legacy::Bytes).ok_or("bytes in hexadecimal digits, two each"),
        Type::Packed(_) | Type::Zoned(_) | Type::Binary(_) => Err("text, which numbers of this type are not"),
    }
}

/// The text of a value, or why there is none.
pub fn text(value: &Legacy, kind: Type) -> Result<String, &'static str> {
    match (kind, value) {
        (Type::Base64, Legacy::Bytes(bytes)) => Ok(STANDARD.encode(bytes)),
        (Type::Hex, Legacy::Bytes(bytes)) => Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        (Type::Base64 | Type::Hex, _) => Err("is no bytes"),
        (Type::Digits(how), value) => number::to_digits(value, how),
        (_, value) => value.to_text().map(std::borrow::Cow::into_owned).ok_or("is neither text nor number"),
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}
