//! This program, as a shell finds it from here.

use std::env;
use std::path::Path;

/// Its file's path in a shell's words; relative to the working directory where that is
/// shorter. Its mere name would have to be in `PATH`, where a demo is not.
pub(crate) fn as_typed() -> String {
    let Ok(program) = env::current_exe() else {
        return "meridian".to_owned();
    };
    match env::current_dir() {
        Ok(here) => from(&program, &here),
        Err(_gone) => word(&program.to_string_lossy()),
    }
}

fn from(program: &Path, here: &Path) -> String {
    match program.strip_prefix(here) {
        // Without a slash a shell would look in `PATH`.
        Ok(below) if below.components().count() == 1 => {
            word(&Path::new(".").join(below).to_string_lossy())
        }
        Ok(below) => word(&below.to_string_lossy()),
        Err(_elsewhere) => word(&program.to_string_lossy()),
    }
}

/// A text as one word of a shell.
fn word(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+~".contains(&byte);
    if !text.starts_with('~') && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::from;

    #[test]
    fn program_is_named_so_that_a_shell_finds_it() {
        for (program, here, typed) in [
            (
                "/work/target/debug/meridian",
                "/work",
                "target/debug/meridian",
            ),
            ("/work/meridian", "/work", "./meridian"),
            ("/opt/meridian", "/work", "/opt/meridian"),
            ("/my work/meridian", "/work", "'/my work/meridian'"),
            ("/it's/meridian", "/work", r"'/it'\''s/meridian'"),
        ] {
            assert_eq!(from(Path::new(program), Path::new(here)), typed);
        }
    }
}
