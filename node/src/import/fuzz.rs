//! Files of rows, fed with what no spreadsheet would write.

use meridian_fuzz::{Allowance, fuzz_within};

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
