//! Files small enough to hold in the head.

use std::path::Path;

use crate::workspace::Workspace;

/// Lines of a file without its tests. Past 300 ask why; past this it fails.
const LINES_MAX: usize = 500;

/// Every file that is too long.
pub(crate) fn check(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let mut findings = Vec::new();
    for package in &workspace.packages {
        for path in package.sources()? {
            if is_test(&path) || is_written_by_a_program(&path) {
                continue;
            }
            let lines = product_lines(&std::fs::read_to_string(&path)?);
            if lines > LINES_MAX {
                findings.push(format!(
                    "{}: {lines} lines without tests, at most {LINES_MAX}: split it",
                    path.display()
                ));
            }
        }
    }
    Ok(findings)
}

fn is_test(path: &Path) -> bool {
    path.components()
        .any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs")
}

fn is_written_by_a_program(path: &Path) -> bool {
    path.components()
        .any(|part| part.as_os_str() == "generated")
}

/// Lines before the tests, which stand last.
fn product_lines(source: &str) -> usize {
    let lines: Vec<&str> = source.lines().collect();
    let tests = lines.windows(2).position(|pair| {
        pair[0].trim() == "#[cfg(test)]" && pair[1].starts_with("mod ") && pair[1].ends_with('{')
    });
    tests.unwrap_or(lines.len())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{is_test, product_lines};

    #[test]
    fn tests_at_the_end_do_not_count() {
        let source = "fn a() {}\nfn b() {}\n\n#[cfg(test)]\nmod tests {\n    fn c() {}\n}\n";
        assert_eq!(product_lines(source), 3);
        assert_eq!(
            product_lines("fn a() {}\n#[cfg(test)]\nmod tests;\nfn b() {}\n"),
            4
        );
    }

    #[test]
    fn test_files_are_known_by_their_place() {
        assert!(is_test(Path::new("src/ledger/tests.rs")));
        assert!(is_test(Path::new("src/tests/floods.rs")));
        assert!(!is_test(Path::new("src/ledger.rs")));
    }
}
