//! A body of JSON, read. JSON has one kind of number: `3.0` is the whole number 3, and some clients write it so.

use serde::de::DeserializeOwned;
use serde_json::{Number, Value};

/// Reads a body.
///
/// # Errors
/// It is no JSON, or not what belongs there.
pub(super) fn read<B: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<B> {
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

/// A float as the whole number it is, where it is one and is held exactly.
fn exactly(float: f64) -> Option<Number> {
    let text = format!("{float:.0}");
    let is_exact = float.fract() == 0.0 && text.parse::<f64>() == Ok(float);
    let number = text.parse::<u64>().map(Number::from).or_else(|_| text.parse::<i64>().map(Number::from));
    number.ok().filter(|_| is_exact)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_is_read_however_it_is_written() {
        for text in ["3", "3.0", "3e0", "30E-1"] {
            assert_eq!(read::<Vec<u16>>(format!("[{text}]").as_bytes()).unwrap(), [3], "{text}");
        }
        assert_eq!(read::<i64>(b"-7.0").unwrap(), -7);
        assert_eq!(read::<f64>(b"3.5").unwrap(), 3.5);
        for text in ["3.5", "70000.0", "-1.0", "1e300", "\"3.0\"", "{", "-0.5"] {
            assert!(read::<u16>(text.as_bytes()).is_err(), "{text}");
        }
    }
}
