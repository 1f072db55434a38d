//! Rows as files have them, good and bad.

use super::{Columns, HeaderError, Mended, Row, RowReader, StringRecord, minor_units, title};

const HEADER: [&str; 8] = [
    "id",
    "rating",
    "name",
    "latitude",
    "longitude",
    "price",
    "minimum_nights",
    "host_id",
];

fn reader() -> RowReader {
    let columns = Columns::find(&StringRecord::from(HEADER.to_vec())).expect("complete");
    RowReader::new(columns, "us-east", "USD")
}

fn read(reader: &mut RowReader, fields: [&str; 8]) -> Result<Row, String> {
    reader.read(7, &StringRecord::from(fields.to_vec()))
}

#[test]
fn row_becomes_a_draft_and_unknown_columns_are_passed_over() {
    let row = read(
        &mut reader(),
        ["42", "4.9", "Loft", "35.6", "-82.5", "$1,250.00", "3", "9"],
    )
    .expect("a good row");
    assert_eq!((row.line, row.external_id.as_str()), (7, "42"));
    assert_eq!(row.draft["title"], "Loft");
    assert_eq!(row.draft["nightly_price"]["amount"], 125_000);
    assert_eq!(row.draft["min_stay"], 3);
    assert_eq!(row.draft["home_region"], "us-east");
    assert!(row.draft.get("rating").is_none());
    assert_eq!(row.mended, None);
}

#[test]
fn prices_are_read_exactly_or_refused() {
    assert_eq!(minor_units("120"), Ok(12_000));
    assert_eq!(minor_units("$1,250.00"), Ok(125_000));
    assert_eq!(minor_units("99.5"), Ok(9_950));
    for refused in ["", "$", "abc", "1.234", "-5", "1.", "99999999999999999999"] {
        assert!(minor_units(refused).is_err(), "{refused}");
    }
}

#[test]
fn bad_rows_name_the_column() {
    for (fields, word) in [
        (["1", "", "", "1", "1", "1", "1", "1"], "name"),
        (["1", "", "n", "91", "1", "1", "1", "1"], "latitude"),
        (["1", "", "n", "1", "NaN", "1", "1", "1"], "longitude"),
        (["1", "", "n", "1", "1", "x", "1", "1"], "price"),
        (["1", "", "n", "1", "1", "1", "x", "1"], "minimum_nights"),
        (["", "", "n", "1", "1", "1", "1", "1"], "id"),
    ] {
        let error = read(&mut reader(), fields).expect_err("bad");
        assert!(error.contains(&format!("`{word}`")), "{error}");
    }
}

#[test]
fn repeated_id_is_a_bad_row_but_rounded_ids_are_told_apart() {
    let mut reader = reader();
    let plain = ["1", "", "n", "1", "1", "", "", ""];
    assert!(read(&mut reader, plain).is_ok());
    assert!(read(&mut reader, plain).is_err());
    let one = read(&mut reader, ["5.54E+17", "", "n", "1", "1", "", "", ""]).expect("good");
    let other = read(&mut reader, ["5.54E+17", "", "m", "1", "1", "", "", ""]).expect("good");
    assert_ne!(one.external_id, other.external_id);
    assert_eq!(one.mended, Some(Mended::RoundedId));
}

#[test]
fn missing_column_is_named_with_those_that_are_there() {
    let error = Columns::find(&StringRecord::from(vec!["id", "name"])).expect_err("missing");
    assert_eq!(
        error,
        HeaderError::Missing {
            missing: "latitude",
            found: "id, name".to_owned()
        }
    );
}

#[test]
fn name_is_put_on_one_line_and_cut_at_a_word() {
    assert_eq!(title("Loft\n by  the sea"), "Loft by the sea");
    let cut = title(&"word ".repeat(60));
    assert!(
        cut.chars().count() <= 200 && cut.ends_with("word…"),
        "{cut}"
    );
}

#[test]
fn what_the_file_does_not_say_is_not_stated() {
    let unsaid = ["42", "", "Loft", "35.6", "-82.5", "", "", ""];
    let row = read(&mut reader(), unsaid).expect("a good row");
    for field in ["nightly_price", "min_stay", "room_type", "host_id"] {
        assert!(row.draft.get(field).is_none(), "{field} is invented");
    }
}
