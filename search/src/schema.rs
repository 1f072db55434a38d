//! The fields of the index.

use tantivy::schema::{
    FAST, Field, INDEXED, IndexRecordOption, STRING, Schema, TextFieldIndexing, TextOptions,
};

use crate::text::ANALYZER;

/// Format of the index: another one is built anew. It rises with every change of what is
/// indexed, and how.
pub(crate) const FORMAT: u32 = 2;

/// Names of the fields that are read by column.
pub(crate) mod column {
    pub(crate) const ULID_HIGH: &str = "ulid_high";
    pub(crate) const ULID_LOW: &str = "ulid_low";
    pub(crate) const HOME: &str = "home";
    pub(crate) const SHARD: &str = "shard";
    pub(crate) const VERSION: &str = "version";
    pub(crate) const LAT: &str = "lat";
    pub(crate) const LON: &str = "lon";
    pub(crate) const PRICE: &str = "price";
    pub(crate) const CAPACITY: &str = "capacity";
    pub(crate) const STAY_MIN: &str = "stay_min";
    pub(crate) const STAY_MAX: &str = "stay_max";
    pub(crate) const SLOT: &str = "slot";
    pub(crate) const AMENITY: &str = "amenity";
    pub(crate) const ROOM_TYPE: &str = "room_type";
    pub(crate) const CURRENCY: &str = "currency";
}

/// The fields.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields {
    /// The listing's id, as a whole: to take it out again.
    pub(crate) id: Field,
    pub(crate) ulid_high: Field,
    pub(crate) ulid_low: Field,
    pub(crate) home: Field,
    /// Of the listing: a node may be asked for some shards alone.
    pub(crate) shard: Field,
    /// The beginning of its document's digest: what was indexed.
    pub(crate) version: Field,
    pub(crate) title: Field,
    pub(crate) places: Field,
    pub(crate) features: Field,
    pub(crate) description: Field,
    pub(crate) cell: Field,
    pub(crate) lat: Field,
    pub(crate) lon: Field,
    pub(crate) price: Field,
    pub(crate) currency: Field,
    pub(crate) capacity: Field,
    pub(crate) stay_min: Field,
    pub(crate) stay_max: Field,
    pub(crate) slot: Field,
    pub(crate) amenity: Field,
    pub(crate) room_type: Field,
}

/// The schema and its fields.
pub(crate) fn schema() -> (Schema, Fields) {
    let mut schema = Schema::builder();
    let words = TextOptions::default().set_indexing_options(
        TextFieldIndexing::default()
            .set_tokenizer(ANALYZER)
            .set_index_option(IndexRecordOption::Basic)
            .set_fieldnorms(false),
    );
    let exact = STRING | FAST;
    let fields = Fields {
        id: schema.add_text_field("id", STRING),
        ulid_high: schema.add_u64_field(column::ULID_HIGH, FAST),
        ulid_low: schema.add_u64_field(column::ULID_LOW, FAST),
        home: schema.add_text_field(column::HOME, exact.clone()),
        shard: schema.add_u64_field(column::SHARD, FAST),
        version: schema.add_u64_field(column::VERSION, FAST),
        title: schema.add_text_field("title", words.clone()),
        places: schema.add_text_field("places", words.clone()),
        features: schema.add_text_field("features", words.clone()),
        description: schema.add_text_field("description", words),
        cell: schema.add_u64_field("cell", INDEXED),
        lat: schema.add_f64_field(column::LAT, FAST),
        lon: schema.add_f64_field(column::LON, FAST),
        price: schema.add_u64_field(column::PRICE, FAST),
        currency: schema.add_text_field(column::CURRENCY, exact.clone()),
        capacity: schema.add_u64_field(column::CAPACITY, FAST),
        stay_min: schema.add_u64_field(column::STAY_MIN, FAST),
        stay_max: schema.add_u64_field(column::STAY_MAX, FAST),
        slot: schema.add_u64_field(column::SLOT, FAST),
        amenity: schema.add_text_field(column::AMENITY, exact.clone()),
        room_type: schema.add_text_field(column::ROOM_TYPE, exact),
    };
    (schema.build(), fields)
}
