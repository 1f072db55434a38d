//! `meridian auth`: keys for whoever calls.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use anyhow::{Context, bail};
use jiff::{SignedDuration, Timestamp};

use crate::auth::{Role, checked, new_key, written};
use crate::cli::{AuthCommand, NewKeyArgs, RoleArg};

/// Who may read the file if it is made: hashes are no keys, but nobody else needs them.
const MODE: u32 = 0o600;

pub(crate) fn run(command: AuthCommand, out: &mut impl Write) -> anyhow::Result<()> {
    match command {
        AuthCommand::NewKey(arguments) => add_key(&arguments, out),
    }
}

fn add_key(arguments: &NewKeyArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let place = || arguments.file.display().to_string();
    let roles: Vec<Role> = arguments.roles.iter().map(role).collect();
    let lasts = |days: u32| Timestamp::now() + SignedDuration::from_hours(i64::from(days) * 24);
    let expires = arguments.expires_days.map(lasts);
    let Some((key, record)) = new_key(&arguments.subject, &roles, expires) else {
        bail!("--subject: 1 to 128 bytes without control characters, and not `anonymous`");
    };
    // A file that a node would refuse is not made longer.
    let before = match std::fs::read_to_string(&arguments.file) {
        Ok(text) => text,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(cause) => return Err(cause).with_context(place),
    };
    let record = format!("\n{}", written(record));
    checked(&format!("{before}{record}")).with_context(place)?;
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(MODE)
        .open(&arguments.file);
    let mut file = file.with_context(place)?;
    // At once, so that a node that reads meanwhile sees all of it or nothing.
    file.write_all(record.as_bytes()).with_context(place)?;
    file.sync_all().with_context(place)?;
    writeln!(out, "{key}")?;
    Ok(())
}

const fn role(argument: &RoleArg) -> Role {
    match argument {
        RoleArg::Guest => Role::Guest,
        RoleArg::Host => Role::Host,
        RoleArg::Operator => Role::Operator,
    }
}

#[cfg(test)]
mod tests {
    use super::{AuthCommand, NewKeyArgs, RoleArg, run};
    use crate::auth::checked;

    #[test]
    fn key_is_printed_once_and_only_its_hash_is_kept() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let file = folder.path().join("keys.toml");
        let mut printed = Vec::new();
        for subject in ["ann", "olga"] {
            let arguments = NewKeyArgs {
                file: file.clone(),
                subject: subject.to_owned(),
                roles: vec![RoleArg::Guest, RoleArg::Operator],
                expires_days: Some(30),
            };
            let mut out = Vec::new();
            run(AuthCommand::NewKey(arguments), &mut out).expect("made");
            printed.push(String::from_utf8(out).expect("text"));
        }
        let text = std::fs::read_to_string(&file).expect("written");
        assert_eq!(checked(&text).expect("a node reads it"), 2);
        for key in printed {
            let secret = key.trim().splitn(3, '_').nth(2).expect("a secret");
            assert!(secret.len() > 40 && !text.contains(secret), "{text}");
        }
        std::fs::write(&file, "[[keys]]\nid = 7\n").expect("written");
        let arguments = NewKeyArgs {
            file,
            subject: "ben".to_owned(),
            roles: vec![RoleArg::Guest],
            expires_days: None,
        };
        let refused = run(AuthCommand::NewKey(arguments), &mut Vec::new());
        assert!(refused.is_err(), "a broken file is not made longer");
    }
}
