//! From a CSV file's text to its rows, good and bad, each with its line; touches
//! neither disk nor network.
//!
//! A row that has not as many fields as the header is bad: a file that was cut off, or
//! a quote that is missing, must not become listings with what is left.

use anyhow::Context;
use csv::StringRecord;

use super::rows::{BadRow, Columns, Row, RowReader};

/// What a file has.
#[derive(Debug, Default)]
pub(crate) struct FileRows {
    pub(crate) good: Vec<Row>,
    pub(crate) bad: Vec<BadRow>,
}

/// Reads a file's text; prices are in `currency`.
pub(crate) fn read_rows(text: &[u8], region: &str, currency: &str) -> anyhow::Result<FileRows> {
    // The reader itself would name the line before blank ones for a row of another
    // width, and no columns.
    let mut file = csv::ReaderBuilder::new().flexible(true).from_reader(text);
    let header = file.headers().context("no header line")?.clone();
    let mut reader = RowReader::new(Columns::find(&header)?, region, currency);
    let mut lines = Lines::of(text);
    let mut rows = FileRows::default();
    let mut record = StringRecord::new();
    loop {
        let from = file.position().byte();
        let more = file.read_record(&mut record);
        if matches!(more, Ok(false)) {
            return Ok(rows);
        }
        let line = lines.of_record(from);
        let read = match more {
            Err(cause) => Err(reason(&cause)),
            Ok(_) if record.len() != header.len() => Err(format!(
                "has {} fields, the header has {}",
                record.len(),
                header.len()
            )),
            Ok(_) => reader.read(line, &record),
        };
        match read {
            Ok(row) => rows.good.push(row),
            Err(reason) => rows.bad.push(BadRow { line, reason }),
        }
    }
}

/// What is wrong with a record, without the reader's own idea of its line.
fn reason(cause: &csv::Error) -> String {
    match cause.kind() {
        csv::ErrorKind::Utf8 { err, .. } => format!("is not UTF-8: {err}"),
        _ => cause.to_string(),
    }
}

/// Lines of a text, counted up to offsets that grow.
struct Lines<'a> {
    text: &'a [u8],
    offset: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    const fn of(text: &'a [u8]) -> Self {
        Self {
            text,
            offset: 0,
            line: 1,
        }
    }

    /// The line, from 1, on which the record begins that is read from an offset on:
    /// blank lines before it are not its own.
    fn of_record(&mut self, from: u64) -> u64 {
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        while let Some(byte) = self.text.get(self.offset) {
            if self.offset >= from && !matches!(byte, b'\r' | b'\n') {
                break;
            }
            self.line += u64::from(*byte == b'\n');
            self.offset += 1;
        }
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::{FileRows, read_rows};

    fn read(text: &[u8]) -> FileRows {
        read_rows(text, "us-east", "USD").expect("a header")
    }

    #[test]
    fn lines_are_right_after_blank_lines_and_names_of_several_lines() {
        for ending in ["\n", "\r\n"] {
            let text = [
                "id,name,latitude,longitude",
                "1,Loft,1,1",
                "",
                "",
                "2,\"Loft",
                "",
                "by the sea\",1,1",
                "3,Attic,91,1",
                "",
                "4,Barn,1,1",
                "",
            ];
            let rows = read(text.join(ending).as_bytes());
            let good: Vec<u64> = rows.good.iter().map(|row| row.line).collect();
            let bad: Vec<u64> = rows.bad.iter().map(|row| row.line).collect();
            assert_eq!((good, bad), (vec![2, 5, 10], vec![8]), "{ending:?}");
        }
    }

    #[test]
    fn rows_wider_or_narrower_than_the_header_and_no_text_are_bad() {
        let text =
            b"id,name,latitude,longitude\n1,Loft,1,1,1\n\n2,Loft,1\n3,\xff,1,1\n4,Loft,1,1\n";
        let rows = read(text);
        assert_eq!(rows.good.len(), 1);
        let bad: Vec<String> = rows
            .bad
            .iter()
            .map(|bad| format!("{}: {}", bad.line, bad.reason))
            .collect();
        assert_eq!(bad[0], "2: has 5 fields, the header has 4");
        assert_eq!(bad[1], "4: has 3 fields, the header has 4");
        assert!(bad[2].starts_with("5: is not UTF-8"), "{bad:?}");
    }

    #[test]
    fn file_that_was_cut_off_ends_in_a_bad_row() {
        for rest in ["2,Lo", "2,\"Loft\n3,Barn,1,1\n"] {
            let rows = read(format!("id,name,latitude,longitude\n1,Loft,1,1\n{rest}").as_bytes());
            assert_eq!((rows.good.len(), rows.bad.len()), (1, 1), "{rest}");
            assert_eq!(rows.bad[0].line, 3);
        }
    }
}
