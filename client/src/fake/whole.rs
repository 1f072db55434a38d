//! Numbers in bodies, however they are written: JSON knows numbers and no integers, and nodes take
//! 460.0 for 460 where an integer is meant, and 60 for 60.0 where it is none. What has a fraction
//! is refused where an integer is meant.

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

/// Fields of holds and bookings that are integers.
const OF_STAYS: [&str; 2] = ["/ttl_seconds", "/guests"];
/// Fields that are floating point numbers.
const FLOATS: [&str; 2] = ["/location/lat", "/location/lon"];

/// Makes of the numbers in a body what its fields are, as far as they can be.
pub(super) fn as_meant(body: &mut Value) {
    for pointer in OF_LISTINGS.into_iter().chain(OF_STAYS) {
        if let Some(Value::Number(number)) = body.pointer_mut(pointer)
            && let Some(whole) = whole(number)
        {
            *number = whole;
        }
    }
    for pointer in FLOATS {
        if let Some(Value::Number(number)) = body.pointer_mut(pointer)
            && let Some(float) = number.as_f64().and_then(Number::from_f64)
        {
            *number = float;
        }
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

    use super::as_meant;

    #[test]
    fn numbers_are_what_their_fields_are_and_all_others_stay() {
        for (sent, read) in [
            (json!({"capacity": 4.0}), json!({"capacity": 4})),
            (
                json!({"nightly_price": {"amount": 4.6e2}, "guests": -0.0}),
                json!({"nightly_price": {"amount": 460}, "guests": 0}),
            ),
            (json!({"capacity": 4.5}), json!({"capacity": 4.5})),
            (json!({"units": 1e17}), json!({"units": 1e17})),
            (json!({"units": u64::MAX}), json!({"units": u64::MAX})),
            (json!({"units": "4.0"}), json!({"units": "4.0"})),
            (
                json!({"location": {"lat": 60.0, "lon": 10}}),
                json!({"location": {"lat": 60.0, "lon": 10.0}}),
            ),
            (json!({"rating": 4.0}), json!({"rating": 4.0})),
            (json!([4.0]), json!([4.0])),
            (Value::Null, Value::Null),
        ] {
            let mut value = sent.clone();
            as_meant(&mut value);
            assert_eq!(value, read, "{sent}");
        }
    }
}
