//! Numbers as old programs write them: digits with the point left out, packed, zoned, binary.
//!
//! A whole number becomes an integer, one with decimals text in plain notation, so that nothing is lost.

use rabita_sdk::Legacy;

use crate::from::Number;

/// The most digits that are read: those of COBOL's extended arithmetic.
const DIGITS_MAX: usize = 31;

/// A whole number.
pub fn integer(text: &str) -> Option<Legacy> {
    let text = text.trim();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().map_or_else(|_| Legacy::Text(text.to_owned()), Legacy::Int))
}

/// Digits, perhaps with a sign before or after them.
pub fn digits(text: &str, how: Number) -> Result<Legacy, &'static str> {
    let text = text.trim();
    let (sign, digits) = match (text.strip_prefix(['-', '+']), text.strip_suffix(['-', '+'])) {
        (Some(rest), _) => (text.starts_with('-'), rest),
        (None, Some(rest)) => (text.ends_with('-'), rest),
        (None, None) => (false, text),
    };
    if sign && !how.signed {
        return Err("digits without a sign");
    }
    if digits.is_empty() || digits.len() > DIGITS_MAX || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("digits, 31 at most");
    }
    Ok(decimal(sign, digits.bytes().map(|byte| byte - b'0'), how.scale))
}

/// The digits of a value, with the point left out and a sign before them where it is negative.
pub fn to_digits(value: &Legacy, how: Number) -> Result<String, &'static str> {
    let (sign, digits) = taken_apart(value, how)?;
    Ok(format!("{}{digits}", if sign { "-" } else { "" }))
}

/// Packed decimal. Blanks or zero bytes alone are no value, as programs leave them.
pub fn packed(bytes: &[u8], how: Number, blank: u8) -> Result<Legacy, &'static str> {
    if is_empty(bytes, blank) {
        return Ok(Legacy::Null);
    }
    let (last, before) = bytes.split_last().ok_or(PACKED)?;
    let nibbles = before.iter().flat_map(|byte| [byte >> 4, byte & 0xf]).chain([last >> 4]);
    let digits: Vec<u8> = nibbles.collect();
    if digits.iter().any(|digit| *digit > 9) || digits.len() > DIGITS_MAX {
        return Err(PACKED);
    }
    let sign = match last & 0xf {
        0xb | 0xd => true,
        0xa | 0xc | 0xe | 0xf => false,
        _ => return Err(PACKED),
    };
    if sign && !how.signed {
        return Err("a packed decimal without a sign");
    }
    Ok(decimal(sign, digits.into_iter(), how.scale))
}

/// A value as packed decimal of so many bytes.
pub fn to_packed(value: &Legacy, how: Number, width: usize) -> Result<Vec<u8>, &'static str> {
    let (sign, digits) = taken_apart(value, how)?;
    let room = width * 2 - 1;
    let digits = filled(&digits, room)?;
    let mut nibbles: Vec<u8> = digits.bytes().map(|byte| byte - b'0').collect();
    nibbles.push(match (how.signed, sign) {
        (false, _) => 0xf,
        (true, false) => 0xc,
        (true, true) => 0xd,
    });
    Ok(nibbles.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// Zoned decimal in EBCDIC (`C`, `D`, `F` in the upper half of the last byte) or ASCII (`{ABC`, `}JKL` as last
/// character, and the signs of Micro Focus, `p` to `y`).
pub fn zoned(bytes: &[u8], how: Number, is_ebcdic: bool) -> Result<Legacy, &'static str> {
    if is_empty(bytes, if is_ebcdic { 0x40 } else { b' ' }) {
        return Ok(Legacy::Null);
    }
    let (last, before) = bytes.split_last().ok_or(ZONED)?;
    let zone = if is_ebcdic { 0xf0 } else { 0x30 };
    let plain = |byte: &u8| byte.checked_sub(zone).filter(|digit| *digit <= 9);
    let mut digits: Vec<u8> = before.iter().map(plain).collect::<Option<_>>().ok_or(ZONED)?;
    let (digit, sign) = if is_ebcdic { ebcdic_sign(*last) } else { ascii_sign(*last) }.ok_or(ZONED)?;
    digits.push(digit);
    if digits.len() > DIGITS_MAX {
        return Err(ZONED);
    }
    if sign && !how.signed {
        return Err("digits without a sign");
    }
    Ok(decimal(sign, digits.into_iter(), how.scale))
}

/// A value as zoned decimal of so many bytes.
pub fn to_zoned(value: &Legacy, how: Number, width: usize, is_ebcdic: bool) -> Result<Vec<u8>, &'static str> {
    let (sign, digits) = taken_apart(value, how)?;
    let digits = filled(&digits, width)?;
    let zone = if is_ebcdic { 0xf0 } else { 0x30 };
    let mut bytes: Vec<u8> = digits.bytes().map(|byte| byte - b'0' + zone).collect();
    if let Some(last) = bytes.last_mut().filter(|_| how.signed) {
        let digit = *last - zone;
        *last = match (is_ebcdic, sign) {
            (true, false) => 0xc0 | digit,
            (true, true) => 0xd0 | digit,
            (false, false) => POSITIVE[usize::from(digit)],
            (false, true) => NEGATIVE[usize::from(digit)],
        };
    }
    Ok(bytes)
}

/// A binary number, the most significant byte first.
pub fn binary(bytes: &[u8], how: Number) -> Result<Legacy, &'static str> {
    let mut wide = [if how.signed && bytes.first().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 }; 16];
    let place = wide.len().checked_sub(bytes.len()).filter(|_| bytes.len() <= 8).ok_or("a binary number of 8 bytes at most")?;
    wide[place..].copy_from_slice(bytes);
    let number = i128::from_be_bytes(wide);
    let digits = number.unsigned_abs().to_string();
    Ok(decimal(number < 0, digits.bytes().map(|byte| byte - b'0'), how.scale))
}

/// A value as binary number of so many bytes.
pub fn to_binary(value: &Legacy, how: Number, width: usize) -> Result<Vec<u8>, &'static str> {
    let (sign, digits) = taken_apart(value, how)?;
    let number: i128 = digits.parse().map_err(|_| TOO_LONG)?;
    let number = if sign { -number } else { number };
    let bits = u32::try_from(width * 8).unwrap_or(u32::MAX);
    let (least, most) =
        if how.signed { (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1) } else { (0, (1_i128 << bits) - 1) };
    if number < least || number > most {
        return Err(TOO_LONG);
    }
    Ok(number.to_be_bytes()[16 - width..].to_vec())
}

const PACKED: &str = "a packed decimal: digits, and in the last half-byte a sign";
const ZONED: &str = "a zoned decimal: digits, the last one perhaps with a sign";
const TOO_LONG: &str = "is a number that is too large for its column";
const POSITIVE: &[u8; 10] = b"{ABCDEFGHI";
const NEGATIVE: &[u8; 10] = b"}JKLMNOPQR";

fn is_empty(bytes: &[u8], blank: u8) -> bool {
    bytes.iter().all(|byte| *byte == blank) || bytes.iter().all(|byte| *byte == 0)
}

const fn ebcdic_sign(byte: u8) -> Option<(u8, bool)> {
    let digit = byte & 0xf;
    match byte >> 4 {
        0xa | 0xc | 0xe | 0xf if digit <= 9 => Some((digit, false)),
        0xb | 0xd if digit <= 9 => Some((digit, true)),
        _ => None,
    }
}

fn ascii_sign(byte: u8) -> Option<(u8, bool)> {
    let place = |signs: &[u8; 10]| signs.iter().position(|sign| *sign == byte).and_then(|place| u8::try_from(place).ok());
    match byte {
        b'0'..=b'9' => Some((byte - b'0', false)),
        b'p'..=b'y' => Some((byte - b'p', true)),
        _ => place(POSITIVE).map(|digit| (digit, false)).or_else(|| place(NEGATIVE).map(|digit| (digit, true))),
    }
}

/// A number of digits, so many of them after the point.
fn decimal(sign: bool, digits: impl Iterator<Item = u8>, scale: u8) -> Legacy {
    let mut text: String = digits.map(|digit| char::from(b'0' + digit)).collect();
    let scale = usize::from(scale);
    while text.len() <= scale {
        text.insert(0, '0');
    }
    let whole = text.len() - scale;
    let spare = text[..whole - 1].bytes().take_while(|byte| *byte == b'0').count();
    text.drain(..spare);
    let is_zero = text.bytes().all(|byte| byte == b'0');
    if sign && !is_zero {
        text.insert(0, '-');
    }
    if scale > 0 {
        text.insert(text.len() - scale, '.');
        return Legacy::Text(text);
    }
    text.parse().map_or_else(|_| Legacy::Text(text.clone()), Legacy::Int)
}

/// Sign and digits of a value, with exactly so many digits after where the point is.
fn taken_apart(value: &Legacy, how: Number) -> Result<(bool, String), &'static str> {
    let text = match value {
        Legacy::Int(number) => number.to_string(),
        Legacy::Text(text) => text.clone(),
        _ => return Err("is no number"),
    };
    let (sign, rest) = text.strip_prefix('-').map_or((false, text.as_str()), |rest| (true, rest));
    let (whole, part) = rest.split_once('.').unwrap_or((rest, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(part) || rest.ends_with('.') {
        return Err("is no number in plain decimal notation");
    }
    let scale = usize::from(how.scale);
    if part.len() > scale {
        return Err("has more decimals than its column");
    }
    if sign && !how.signed {
        return Err("is negative, and its column has no sign");
    }
    Ok((sign, format!("{whole}{part:0<scale$}")))
}

/// Digits filled up with zeros to a width.
fn filled(digits: &str, width: usize) -> Result<String, &'static str> {
    let digits = digits.trim_start_matches('0');
    if digits.len() > width {
        return Err(TOO_LONG);
    }
    Ok(format!("{digits:0>width$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONEY: Number = Number { scale: 2, signed: true };
    const COUNT: Number = Number { scale: 0, signed: false };

    #[test]
    fn reads_packed_decimals_as_their_references_show_them() {
        assert_eq!(packed(&[0x12, 0x34, 0x5c], MONEY, 0x40), Ok(Legacy::from("123.45")));
        assert_eq!(packed(&[0x12, 0x34, 0x5d], MONEY, 0x40), Ok(Legacy::from("-123.45")));
        assert_eq!(packed(&[0x00, 0x00, 0x7f], COUNT, 0x40), Ok(Legacy::Int(7)));
        assert_eq!(packed(&[0x00, 0x00, 0x0d], MONEY, 0x40), Ok(Legacy::from("0.00")));
        assert_eq!(packed(&[0x40, 0x40, 0x40], MONEY, 0x40), Ok(Legacy::Null));
        assert!(packed(&[0x12, 0xa4, 0x5c], MONEY, 0x40).is_err());
        assert!(packed(&[0x12, 0x34, 0x50], MONEY, 0x40).is_err());
        assert!(packed(&[0x12, 0x34, 0x5d], COUNT, 0x40).is_err());
    }

    #[test]
    fn reads_zoned_decimals_in_ebcdic_and_in_ascii() {
        assert_eq!(zoned(&[0xf1, 0xf2, 0xd3], MONEY, true), Ok(Legacy::from("-1.23")));
        assert_eq!(zoned(&[0xf1, 0xf2, 0xc3], MONEY, true), Ok(Legacy::from("1.23")));
        assert_eq!(zoned(b"12L", MONEY, false), Ok(Legacy::from("-1.23")));
        assert_eq!(zoned(b"12s", MONEY, false), Ok(Legacy::from("-1.23")));
        assert_eq!(zoned(b"12C", MONEY, false), Ok(Legacy::from("1.23")));
        assert_eq!(zoned(b"123", COUNT, false), Ok(Legacy::Int(123)));
        assert_eq!(zoned(b"   ", COUNT, false), Ok(Legacy::Null));
        assert!(zoned(b"1 3", COUNT, false).is_err());
    }

    #[test]
    fn reads_binary_numbers_with_and_without_a_sign() {
        assert_eq!(binary(&[0xff, 0xfe], Number { scale: 0, signed: true }), Ok(Legacy::Int(-2)));
        assert_eq!(binary(&[0xff, 0xfe], COUNT), Ok(Legacy::Int(65534)));
        assert_eq!(binary(&[0, 0, 0x30, 0x39], MONEY), Ok(Legacy::from("123.45")));
    }

    #[test]
    fn writes_what_it_reads_and_refuses_what_does_not_fit() {
        for text in ["0.00", "-0.01", "123.45", "-999.99"] {
            let value = Legacy::from(text);
            let bytes = to_packed(&value, MONEY, 3).expect("it fits");
            assert_eq!(packed(&bytes, MONEY, 0x40), Ok(value.clone()), "{text}");
            for is_ebcdic in [true, false] {
                let bytes = to_zoned(&value, MONEY, 5, is_ebcdic).expect("it fits");
                assert_eq!(zoned(&bytes, MONEY, is_ebcdic), Ok(value.clone()), "{text}");
            }
            let bytes = to_binary(&value, MONEY, 4).expect("it fits");
            assert_eq!(binary(&bytes, MONEY), Ok(value), "{text}");
        }
        assert!(to_packed(&Legacy::from("1000.00"), MONEY, 2).is_err());
        assert!(to_packed(&Legacy::from("1.001"), MONEY, 5).is_err());
        assert!(to_zoned(&Legacy::Int(-1), COUNT, 3, true).is_err());
        assert!(to_binary(&Legacy::Int(32768), Number { scale: 0, signed: true }, 2).is_err());
        assert!(to_binary(&Legacy::from("no"), COUNT, 2).is_err());
    }
}
