//! Files of rows, fed with what no spreadsheet would write.

use meridian_fuzz::{Allowance, fuzz, fuzz_within, reads};
use prost::Message;

use super::desk::{ForwardedRows, ForwardedSummary};
use super::file::read_rows;

const FILE: Allowance = Allowance {
    base: 1 << 20,
    per_byte: 4_096,
};

#[test]
fn csv_rows() {
    let example =
        b"id,name,latitude,longitude,price\n1,Loft,59.9,10.7,$129.00\n\n2,\"A\nB\",1,2,3\n";
    fuzz_within(
        FILE,
        "csv-rows",
        &[example.to_vec()],
        |input| match read_rows(input, "us-east", "USD") {
            Err(cause) => cause.to_string().chars().take(40).collect(),
            Ok(rows) => {
                let lines = input.iter().filter(|byte| **byte == b'\n').count() + 1;
                assert!(
                    rows.good.len() + rows.bad.len() <= lines,
                    "rows out of nothing"
                );
                let last = rows.good.last().map_or(0, |row| row.line);
                assert!(last <= lines as u64, "a line after the last");
                let reasons = rows.bad.iter().map(|bad| bad.reason.as_str());
                reasons
                    .take(1)
                    .collect::<String>()
                    .chars()
                    .take(40)
                    .collect()
            }
        },
    );
}

/// Rows on their way to their owner, and what came of them.
#[test]
fn forwarded_rows() {
    let rows = ForwardedRows {
        rows: b"[]".to_vec(),
    };
    let decode = |input: &[u8]| ForwardedRows::decode(input);
    let target = reads(decode, Message::encode_to_vec);
    fuzz("forwarded-rows", &[rows.encode_to_vec()], target);
    let summary = ForwardedSummary {
        summary: b"{}".to_vec(),
        error: "why not".to_owned(),
    };
    let decode = |input: &[u8]| ForwardedSummary::decode(input);
    let target = reads(decode, Message::encode_to_vec);
    fuzz("forwarded-summary", &[summary.encode_to_vec()], target);
}
