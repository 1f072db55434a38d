//! Golden files: the bytes of every target's examples as they were first written.
//!
//! A target's examples are known values, encoded. Their bytes stand in `fuzz/golden/<target>`, one
//! line each, with what the target said of them. So the bytes of a format do not change by
//! accident, what earlier releases wrote goes on being read, and no decoder comes without its
//! file. With `MERIDIAN_BLESS=1` a file that is missing is written; one that is there is written
//! over by nobody.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use crate::place::folder;

/// Set to write files that are missing.
const BLESS: &str = "MERIDIAN_BLESS";
/// What names of targets begin with that test this crate.
const OWN_TESTS: &str = "test-";
/// Targets whose examples are credentials, made anew in every run: their bytes are nobody's to
/// keep, and their formats are others' (RFC 7515, RFC 7517) or a file of TOML.
const MADE_ANEW: [&str; 3] = ["api-key-file", "bearer-token", "token-keys"];
/// What is shown of a line that differs, in bytes.
const SHOWN_MAX: usize = 300;

/// Compares a target's examples, and what was said of each, with its golden file.
///
/// # Panics
/// If they differ, or the file is missing.
pub(crate) fn compare(target: &str, examples: &[(Vec<u8>, String)]) {
    let missing = match std::env::var_os(BLESS) {
        Some(_) => Missing::IsWritten,
        None => Missing::Fails,
    };
    compare_where(missing, target, examples);
}

/// What becomes of a file that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    IsWritten,
    Fails,
}

fn compare_where(missing: Missing, target: &str, examples: &[(Vec<u8>, String)]) {
    let is_kept = !target.starts_with(OWN_TESTS) && !MADE_ANEW.contains(&target);
    if !is_kept || examples.is_empty() {
        return;
    }
    let path = file(target);
    let now = written(examples);
    let Ok(golden) = fs::read_to_string(&path) else {
        assert!(
            missing == Missing::IsWritten,
            "{target} has no golden file: run this test with {BLESS}=1, look at {}, name it in \
             docs/reference/formats.md, and commit it",
            path.display()
        );
        fs::write(&path, now).expect("a folder that can be written");
        return;
    };
    let mut lines = golden.lines().zip(now.lines()).enumerate();
    let differs = lines.find(|(_, (golden, now))| golden != now);
    let shown = differs.map(|(line, (golden, now))| {
        let cut = |text: &str| text.chars().take(SHOWN_MAX).collect::<String>();
        format!("line {}:\n  {}\n  {}", line + 1, cut(golden), cut(now))
    });
    assert!(
        golden == now,
        "{target} is not written or read as it was, first at {shown:?}. What earlier releases wrote \
         must be read for ever: give the change a format level (ADR 60), and add an example of it \
         at the end. If no release ever had this format, delete {} and run this with {BLESS}=1",
        path.display()
    );
}

fn file(target: &str) -> PathBuf {
    folder().join("golden").join(target)
}

/// One line for each example: its bytes in hexadecimal, and what was said of it.
fn written(examples: &[(Vec<u8>, String)]) -> String {
    let mut text = String::new();
    for (example, said) in examples {
        for byte in example {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        let _ = writeln!(text, " {said:?}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Missing, compare_where, file, written};

    #[test]
    fn every_byte_and_every_word_is_in_the_file() {
        let examples = [
            (vec![0, 0xff], "++".to_owned()),
            (vec![], "no\n".to_owned()),
        ];
        assert_eq!(written(&examples), "00ff \"++\"\n \"no\\n\"\n");
        assert!(file("entry").ends_with("golden/entry"));
    }

    #[test]
    fn changed_bytes_are_noticed() {
        let golden = std::fs::read_to_string(file("genesis")).expect("it is committed");
        let first = golden.lines().next().expect("an example");
        let (bytes, said) = first.split_once(' ').expect("bytes and a word");
        let mut bytes: Vec<u8> = (0..bytes.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&bytes[at..at + 2], 16).expect("hexadecimal"))
            .collect();
        bytes[0] ^= 1;
        let examples = [(bytes, said.trim_matches('"').to_owned())];
        let compared = std::panic::catch_unwind(|| {
            compare_where(Missing::IsWritten, "genesis", &examples);
        });
        assert!(compared.is_err());
        let missing = std::panic::catch_unwind(|| {
            compare_where(Missing::Fails, "no-such-format", &examples);
        });
        assert!(missing.is_err());
    }
}
