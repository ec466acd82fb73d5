//! A body of JSON, read. JSON has one kind of number: `3.0` is the whole number 3, and some clients write it so.

use serde::de::{DeserializeOwned, Error};
use serde_json::{Number, Value};

/// Up to here every whole number has a float of its own.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Reads a body.
///
/// # Errors
/// It is no JSON, or not what belongs there.
pub(super) fn read<B: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<B> {
    // Else the members of an object could be given without their names.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(serde_json::Error::custom("it is an array, and an object belongs there"));
    }
    match serde_json::from_slice(bytes) {
        Ok(body) => Ok(body),
        // Only then, so that the place of a mistake is told as it was written.
        Err(why) => {
            let mut value: Value = serde_json::from_slice(bytes)?;
            whole(&mut value);
            serde_json::from_value(value).map_err(|_| why)
        }
    }
}

/// Writes numbers without a fraction as whole numbers.
fn whole(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let exact = number.as_f64().filter(|_| number.is_f64()).and_then(exactly);
            *number = exact.unwrap_or_else(|| number.clone());
        }
        Value::Array(all) => all.iter_mut().for_each(whole),
        Value::Object(members) => members.values_mut().for_each(whole),
        _ => {}
    }
}

/// A float as the whole number it is. Where floats lie further apart than whole numbers, nobody knows which was meant.
fn exactly(float: f64) -> Option<Number> {
    let is_whole = float.fract() == 0.0 && float.abs() <= EXACT;
    let text = format!("{float:.0}");
    let number = text.parse::<u64>().map(Number::from).or_else(|_| text.parse::<i64>().map(Number::from));
    number.ok().filter(|_| is_whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_without_names_are_no_object() {
        #[derive(serde::Deserialize)]
        struct Body {
            numbers: Vec<u16>,
        }
        assert_eq!(read::<Body>(br#" {"numbers":[3.0]}"#).unwrap().numbers, [3]);
        assert!(read::<Body>(b" [[3]]").is_err());
    }

    #[test]
    fn a_whole_number_is_read_however_it_is_written() {
        for text in ["3", "3.0", "3e0", "30E-1"] {
            assert_eq!(read::<u16>(text.as_bytes()).unwrap(), 3, "{text}");
        }
        assert_eq!(read::<i64>(b"-7.0").unwrap(), -7);
        assert_eq!(read::<f64>(b"3.5").unwrap(), 3.5);
        assert!(read::<i64>(b"-9223372036854775809").is_err(), "less than there is");
        for text in ["3.5", "70000.0", "-1.0", "1e300", "\"3.0\"", "{", "-0.5"] {
            assert!(read::<u16>(text.as_bytes()).is_err(), "{text}");
        }
    }
}
