//! What texts of the API look like: ids, dates, codes, each as a type that has a schema and no
//! value. Types of other crates stand in requests by these.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

use super::schemas::closed;
use crate::api::calendar::When;
use crate::events::cloud_event;

/// A ULID in the one spelling that is read, and a region, as [`meridian_regions::ListingId`]
/// writes them.
const TAIL: &str = "[0-7][0-9a-hjkmnp-tv-z]{25}_[a-z][a-z0-9-]{0,31}";
/// A number in a ledger, without a second spelling.
const NUMBER: &str = "(0|[1-9][0-9]{0,18})";
/// A number of degrees.
const DEGREES: &str = r"-?[0-9]{1,3}(\.[0-9]{1,9})?";

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident = $schema:expr;)*) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl $name {
            /// Its schema.
            #[allow(dead_code)]
            pub(crate) fn schema() -> Value {
                $schema
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                Schema::try_from($schema).expect("an object is a schema")
            }
        }
    )*};
}

texts! {
    /// A listing's id.
    Listing = pattern(&format!("^lst_{TAIL}$"));
    /// A hold's id.
    Hold = pattern(&format!("^hld_{TAIL}_{NUMBER}$"));
    /// A booking's id.
    Booking = pattern(&format!("^bkg_{TAIL}_{NUMBER}$"));
    /// A block's id.
    Block = pattern(&format!("^blk_{TAIL}_{NUMBER}$"));
    /// A webhook endpoint's id.
    Endpoint = pattern("^whe_[0-9a-f]{32}$");
    /// A guest's id.
    Guest = pattern("^[A-Za-z0-9._~@|:-]{1,128}$");
    /// A region's name.
    Region = pattern("^[a-z][a-z0-9-]{0,31}$");
    /// A node's number.
    NodeNumber = json!({"type": "integer", "minimum": 1});
    /// A shard's number.
    ShardNumber = json!({"type": "integer", "minimum": 0, "maximum": meridian_regions::SHARD_COUNT - 1});
    /// What bookings survive.
    Survival = json!({"type": "string", "enum": ["region", "zone"]});
    /// Where a node stands in its life.
    NodeState = json!({"type": "string", "enum": ["joining", "active", "draining", "removed"]});
    /// A change of the cluster's map.
    MapChange = map_change();
    /// The hash of a change.
    Change = pattern("^[0-9a-f]{64}$");
    /// A night.
    CivilDate = json!({"type": "string", "format": "date"});
    /// An instant.
    Instant = json!({"type": "string", "format": "date-time"});
    /// A currency's code.
    CurrencyCode = pattern("^[A-Z]{3}$");
    /// Degrees north and east.
    Place = pattern(&format!("^{DEGREES},{DEGREES}$"));
    /// Degrees west, south, east and north.
    Rectangle = pattern(&format!("^{DEGREES}(,{DEGREES}){{3}}$"));
    /// A type of events that can be asked for.
    EventType = json!({"type": "string", "enum": cloud_event::types()});
    /// Several, with commas in between.
    EventTypes = {
        let one = cloud_event::types().join("|").replace('.', r"\.");
        pattern(&format!("^({one})(,({one}))*$"))
    };
    /// Where events go.
    WebhookUrl = json!({"type": "string", "format": "uri", "pattern": "^https?://", "maxLength": 2_048});
    /// What signatures are made with.
    WebhookSecret = pattern("^[!-~]{16,128}$");
}

impl JsonSchema for When {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "When".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        Schema::try_from(when()).expect("an object is a schema")
    }
}

/// A night, or the instant at which an hour begins.
pub(crate) fn when() -> Value {
    json!({"anyOf": [CivilDate::schema(), Instant::schema()]})
}

fn map_change() -> Value {
    let change = |name: &str, more: Value| {
        let mut properties = json!({"change": {"const": name}});
        if let (Value::Object(properties), Value::Object(more)) = (&mut properties, more) {
            properties.extend(more);
        }
        closed("", properties)
    };
    let text = || json!({"type": "string"});
    let degrees = |most: i32| json!({"type": "number", "minimum": -most, "maximum": most});
    let region =
        json!({"id": Region::schema(), "latitude": degrees(90), "longitude": degrees(180)});
    let node = json!({
        "id": NodeNumber::schema(), "region": Region::schema(), "zone": text(),
        "peer": text(), "api": text(), "admin": text(), "state?": NodeState::schema(),
    });
    let removed = json!({"region": Region::schema()});
    let state = json!({"node": NodeNumber::schema(), "state": NodeState::schema()});
    let addresses = json!({
        "node": NodeNumber::schema(), "peer": text(), "api": text(), "admin": text(),
    });
    json!({"anyOf": [
        change("add-region", json!({"region": closed("A region, and where it lies.", region)})),
        change("add-node", json!({"node": closed("A node, and how it is reached.", node)})),
        change("set-state", state),
        change("readdress", addresses),
        change("remove-region", removed),
    ]})
}

fn pattern(pattern: &str) -> Value {
    json!({"type": "string", "pattern": pattern})
}

#[cfg(test)]
mod tests {
    use meridian_regions::{BlockId, BookingId, HoldId, ListingId};
    use schemars::{JsonSchema, SchemaGenerator};
    use serde::Serialize;

    use super::{Block, Booking, Hold, Listing};

    /// The pattern of a text's schema, without its anchors and prefix.
    fn pattern<T: JsonSchema>() -> String {
        let schema = T::json_schema(&mut SchemaGenerator::default());
        schema.as_value()["pattern"]
            .as_str()
            .expect("one")
            .to_owned()
    }

    fn text(id: &impl Serialize) -> String {
        let value = serde_json::to_value(id).expect("an id is a text");
        value.as_str().expect("an id is a text").to_owned()
    }

    #[test]
    fn ids_begin_as_their_patterns_say() {
        let listing = ListingId::derived("eu-west".parse().expect("a region"), "a", "1");
        let ids = [
            (pattern::<Listing>(), text(&listing)),
            (pattern::<Hold>(), text(&HoldId::new(listing.clone(), 7))),
            (
                pattern::<Booking>(),
                text(&BookingId::new(listing.clone(), 7)),
            ),
            (pattern::<Block>(), text(&BlockId::new(listing, 7))),
        ];
        for (pattern, id) in ids {
            assert_eq!(pattern[1..5], id[..4], "{id}");
        }
    }
}
