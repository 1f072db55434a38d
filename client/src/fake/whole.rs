//! Whole numbers in bodies, however they are written: JSON knows numbers and no integers, and
//! nodes take 460.0 for 460. What has a fraction is refused where an integer is meant.

use serde_json::{Number, Value};

use super::refusal::Refusal;

/// Up to here every whole number has a floating point number of its own. What is larger stays as
/// it is: a node reads its digits, which are gone here.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// Fields of a listing that are integers.
const OF_LISTINGS: [&str; 6] = [
    "/capacity",
    "/units",
    "/min_stay",
    "/max_stay",
    "/turnover",
    "/nightly_price/amount",
];

/// Makes integers of all whole numbers in a value.
pub(super) fn as_integers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(whole) = whole(number) {
                *number = whole;
            }
        }
        Value::Array(all) => all.iter_mut().for_each(as_integers),
        Value::Object(fields) => fields.values_mut().for_each(as_integers),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

fn whole(number: &Number) -> Option<Number> {
    let float = number.as_f64().filter(|_| number.is_f64())?;
    let is_whole = float.fract() == 0.0 && float.abs() <= EXACT_MAX;
    let text = is_whole.then(|| format!("{float:.0}"))?;
    text.parse::<i64>().ok().map(Number::from)
}

/// Refuses fields of a listing that are set and are no integers.
pub(super) fn of_listing(body: &Value) -> Result<(), Refusal> {
    OF_LISTINGS
        .into_iter()
        .try_for_each(|pointer| field(body, pointer))
}

/// Refuses a field that is set and is no integer.
pub(super) fn field(body: &Value, pointer: &'static str) -> Result<(), Refusal> {
    match body.pointer(pointer) {
        None | Some(Value::Null) => Ok(()),
        Some(value) if value.is_u64() => Ok(()),
        Some(_) => Err(Refusal::field(pointer, "a whole number, 0 or more")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::as_integers;

    #[test]
    fn whole_numbers_are_integers_and_all_others_stay() {
        for (sent, read) in [
            (json!(460.0), json!(460)),
            (
                json!({"a": [4.6e2, -3.0, -0.0]}),
                json!({"a": [460, -3, 0]}),
            ),
            (json!(460.5), json!(460.5)),
            (json!(1e17), json!(1e17)),
            (json!(u64::MAX), json!(u64::MAX)),
            (json!(["460.0", true, null]), json!(["460.0", true, null])),
        ] {
            let mut value: Value = sent.clone();
            as_integers(&mut value);
            assert_eq!(value, read, "{sent}");
        }
    }
}
