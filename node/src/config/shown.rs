//! The configuration for others' eyes: what may be secret is left out.
//!
//! By the names of keys, not by a list of those that are secret today: a key that is added
//! later is hidden by its name, and one that is hidden needlessly costs a question.

use serde_json::Value;

use super::Config;

/// Parts of names of keys whose values are hidden.
const HIDDEN: [&str; 7] = [
    "secret",
    "password",
    "token",
    "key",
    "credential",
    "passphrase",
    "private",
];
/// What stands in place of a value.
const SET: &str = "(set, and left out)";

impl Config {
    /// Every key, with what may be secret left out.
    #[must_use]
    pub(crate) fn shown(&self) -> Value {
        let mut shown = serde_json::to_value(self).unwrap_or_default();
        hide(&mut shown, false);
        shown
    }
}

fn hide(value: &mut Value, is_hidden: bool) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let name = name.to_lowercase();
                let is_named = HIDDEN.iter().any(|part| name.contains(part));
                hide(field, is_hidden || is_named);
            }
        }
        Value::Array(items) => {
            for item in items {
                hide(item, is_hidden);
            }
        }
        Value::String(text) if !text.is_empty() => {
            if is_hidden {
                SET.clone_into(text);
            } else if let Some(plain) = without_credentials(text) {
                *text = plain;
            }
        }
        Value::Number(_) | Value::Bool(_) if is_hidden => *value = SET.into(),
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => {}
    }
}

/// A URL without who is named in it and what is asked of it; `None` if there is neither.
fn without_credentials(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let (rest, query) = match rest.split_once(['?', '#']) {
        Some((rest, _)) => (rest, true),
        None => (rest, false),
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let at = authority.rfind('@');
    if at.is_none() && !query {
        return None;
    }
    let from = at.map_or(0, |at| at + 1);
    Some(format!("{scheme}://{}", &rest[from..]))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Config, hide};

    const MARK: &str = "hunter2";

    #[test]
    fn nothing_secret_of_the_configuration_is_shown() {
        let mut config = Config::reference();
        config.payments.url = format!("https://user:{MARK}@pay.example/v1?token={MARK}");
        config.payments.secret_file = format!("/run/{MARK}").into();
        config.payments.secret_env = MARK.to_owned();
        config.tls.key = format!("/etc/{MARK}.key").into();
        let shown = config.shown();
        assert!(!shown.to_string().contains(MARK), "{shown:#}");
        assert_eq!(shown["payments"]["url"], "https://pay.example/v1");
        assert_eq!(shown["node"]["id"], 1);
        assert_eq!(shown["log"]["filter"], config.log.filter);
    }

    #[test]
    fn keys_that_are_not_there_yet_are_hidden_by_their_names() {
        for name in [
            "api_keys",
            "jwt_secret",
            "Password",
            "session_token",
            "private_pem",
        ] {
            for value in [
                json!(MARK),
                json!([MARK]),
                json!({"a": {"b": MARK}}),
                json!(1234),
            ] {
                let mut shown = json!({"section": {name: value}});
                hide(&mut shown, false);
                let shown = shown.to_string();
                assert!(!shown.contains(MARK) && !shown.contains("1234"), "{shown}");
            }
        }
        let mut plain = json!({"url": "https://host:1/a@b", "empty_key": "", "none": Value::Null});
        let before = plain.clone();
        hide(&mut plain, false);
        assert_eq!(plain, before);
    }
}
