//! Contract values and JSON.

use serde_json::{Number, Value};

use super::CodecFault;
use crate::{Legacy, Row};

/// The JSON of a contract value.
///
/// # Errors
/// For bytes, which JSON has not, and for numbers that are not finite.
pub fn to_json(value: Legacy) -> Result<Value, CodecFault> {
    Ok(match value {
        Legacy::Null => Value::Null,
        Legacy::Bool(truth) => Value::Bool(truth),
        Legacy::Int(number) => Value::Number(number.into()),
        Legacy::Float(number) => Number::from_f64(number)
            .map(Value::Number)
            .ok_or_else(|| CodecFault::new("not_a_number", "a number is infinite, or none"))?,
        Legacy::Text(text) => Value::String(text),
        Legacy::Bytes(_) => {
            return Err(CodecFault::new(
                "wrong_kind",
                "bytes have no place in a record: they need a codec as `base64`, `hex` or `charset`",
            ));
        }
        Legacy::List(items) => Value::Array(items.into_iter().map(to_json).collect::<Result<_, _>>()?),
        Legacy::Group(row) => {
            let mut object = serde_json::Map::with_capacity(row.len());
            for (name, value) in row.iter() {
                object.insert(name.to_owned(), to_json(value.clone())?);
            }
            Value::Object(object)
        }
    })
}

/// The contract value of JSON.
#[must_use]
pub fn from_json(value: &Value) -> Legacy {
    match value {
        Value::Null => Legacy::Null,
        Value::Bool(truth) => Legacy::Bool(*truth),
        // A number that no i64 holds is text where it is whole, as it is everywhere in `Legacy`.
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(int), _, _) => Legacy::Int(int),
            (None, Some(big), _) => Legacy::Text(big.to_string()),
            (None, None, Some(float)) => Legacy::Float(float),
            (None, None, None) => Legacy::Text(number.to_string()),
        },
        Value::String(text) => Legacy::Text(text.clone()),
        Value::Array(items) => Legacy::List(items.iter().map(from_json).collect()),
        Value::Object(members) => {
            Legacy::Group(members.iter().map(|(name, value)| (name.as_str(), from_json(value))).collect::<Row>())
        }
    }
}
