//! Laying file, environment and flags over one another.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::{AuthSection, Config};

/// Variables of the environment that are ours: `MERIDIAN_SECTION__KEY`.
const ENVIRONMENT_PREFIX: &str = "MERIDIAN_";
/// Between section and key in a variable's name.
const ENVIRONMENT_SEPARATOR: &str = "__";

/// Why there is no configuration. Every message names the place and the way out.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}: {cause}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        cause: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{path} is not valid TOML: {cause}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Position and reason.
        cause: toml::de::Error,
    },
    /// A key that does not exist.
    #[error("{origin}: unknown key `{key}` (did you mean `{nearest}`?)")]
    UnknownKey {
        /// File, variable or flag.
        origin: String,
        /// The key as `section.key`.
        key: String,
        /// The most alike key that exists, however little that is.
        nearest: String,
    },
    /// A flag that is not `section.key=value`.
    #[error("`--set {0}`: write it as section.key=value, as in --set log.filter=debug")]
    Flag(String),
    /// A key is missing or has a value of the wrong kind.
    #[error("{path}: {cause}")]
    Invalid {
        /// The file that the layers start from.
        path: PathBuf,
        /// Which key, and what was expected.
        cause: String,
    },
}

/// The layers over the file, in rising order of precedence.
#[derive(Debug, Default)]
pub struct Layers {
    /// Variables of the environment; those without our prefix are passed over.
    pub environment: Vec<(String, String)>,
    /// `section.key=value` from the command line.
    pub flags: Vec<String>,
}

impl Layers {
    /// The process' own environment and the given flags.
    #[must_use]
    pub fn from_process(flags: Vec<String>) -> Self {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self { environment, flags }
    }
}

impl Config {
    /// Reads `file` and lays `layers` over it.
    ///
    /// # Errors
    /// [`ConfigError`]: unreadable, not TOML, an unknown key (with the nearest
    /// known one), a missing key or a wrong value.
    pub fn load(file: &Path, layers: &Layers) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file).map_err(|cause| ConfigError::Unreadable {
            path: file.to_path_buf(),
            cause,
        })?;
        let mut config = Self::from_layers(file, &text, layers)?;
        let base = file.parent().unwrap_or_else(|| Path::new(""));
        config.resolve_paths(base);
        Ok(config)
    }

    pub(super) fn from_layers(
        file: &Path,
        text: &str,
        layers: &Layers,
    ) -> Result<Self, ConfigError> {
        let known = known_keys();
        let mut table: Table = text.parse().map_err(|cause| ConfigError::Syntax {
            path: file.to_path_buf(),
            cause,
        })?;
        refuse_unknown(&table, &known, &file.display().to_string())?;
        for (name, value) in &layers.environment {
            let Some(path) = name.strip_prefix(ENVIRONMENT_PREFIX) else {
                continue;
            };
            let Some((section, key)) = path.split_once(ENVIRONMENT_SEPARATOR) else {
                continue;
            };
            let key = format!("{}.{}", section.to_lowercase(), key.to_lowercase());
            overlay(&mut table, &known, &format!("${name}"), &key, value)?;
        }
        for flag in &layers.flags {
            let (key, value) = flag
                .split_once('=')
                .filter(|(key, _)| key.contains('.'))
                .ok_or_else(|| ConfigError::Flag(flag.clone()))?;
            overlay(&mut table, &known, "--set", key.trim(), value.trim())?;
        }
        Value::Table(table)
            .try_into()
            .map_err(|cause: toml::de::Error| ConfigError::Invalid {
                path: file.to_path_buf(),
                cause: cause.to_string().trim().to_owned(),
            })
    }
}

/// Every `section.key` of the reference configuration, and of sections that it leaves out.
fn known_keys() -> Vec<(String, Value)> {
    let complete = Config {
        auth: Some(AuthSection::default()),
        ..Config::reference()
    };
    let reference = Table::try_from(complete).expect("the reference serializes");
    let mut keys = Vec::new();
    for (section, content) in reference {
        if let Value::Table(content) = content {
            for (key, value) in content {
                keys.push((format!("{section}.{key}"), value));
            }
        }
    }
    keys
}

fn refuse_unknown(
    table: &Table,
    known: &[(String, Value)],
    origin: &str,
) -> Result<(), ConfigError> {
    for (section, content) in table {
        let Value::Table(content) = content else {
            return Err(unknown(section, known, origin));
        };
        let section_exists = known
            .iter()
            .any(|(key, _)| key.split('.').next() == Some(section));
        if content.is_empty() && !section_exists {
            return Err(unknown(section, known, origin));
        }
        for key in content.keys() {
            let key = format!("{section}.{key}");
            if !known.iter().any(|(candidate, _)| *candidate == key) {
                return Err(unknown(&key, known, origin));
            }
        }
    }
    Ok(())
}

fn overlay(
    table: &mut Table,
    known: &[(String, Value)],
    origin: &str,
    key: &str,
    text: &str,
) -> Result<(), ConfigError> {
    let Some((_, example)) = known.iter().find(|(candidate, _)| candidate == key) else {
        return Err(unknown(key, known, origin));
    };
    // The kind of the reference value decides: `debug` for a filter is a string
    // without quotes, `5000` for a deadline is a number.
    let value = match example {
        Value::String(_) => Value::String(text.to_owned()),
        _ => text
            .parse::<Value>()
            .unwrap_or_else(|_| Value::String(text.to_owned())),
    };
    let (section, name) = key.split_once('.').expect("known keys have a section");
    let section = table
        .entry(section)
        .or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(section) = section {
        section.insert(name.to_owned(), value);
    }
    Ok(())
}

fn unknown(key: &str, known: &[(String, Value)], origin: &str) -> ConfigError {
    let nearest = known
        .iter()
        .map(|(candidate, _)| (likeness(candidate, key), candidate))
        .max_by(|((one, whole), _), ((other, other_whole), _)| {
            one.total_cmp(other).then(whole.total_cmp(other_whole))
        })
        .map(|(_, candidate)| candidate.clone())
        .expect("the reference configuration has keys");
    ConfigError::UnknownKey {
        origin: origin.to_owned(),
        key: key.to_owned(),
        nearest,
    }
}

/// How alike two keys are, by Jaro-Winkler (0 to 1): their last parts or the whole,
/// whichever is more, because a key is as often put into a wrong section as it is
/// misspelt. The whole, second, decides between equals.
fn likeness(known: &str, key: &str) -> (f64, f64) {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let whole = strsim::jaro_winkler(known, key);
    (
        whole.max(strsim::jaro_winkler(&last(known), &last(key))),
        whole,
    )
}

#[cfg(test)]
mod tests {
    use super::{Config, Layers, Path};

    fn load(text: &str, layers: &Layers) -> Result<Config, String> {
        Config::from_layers(Path::new("meridian.toml"), text, layers)
            .map_err(|error| error.to_string())
    }

    fn reference_text() -> String {
        toml::to_string(&Config::reference()).expect("serializes")
    }

    #[test]
    fn reference_reads_back_as_itself() {
        assert_eq!(
            load(&reference_text(), &Layers::default()),
            Ok(Config::reference())
        );
    }

    #[test]
    fn unknown_key_is_refused_with_the_nearest_one() {
        let text = reference_text().replace("data_dir", "datadir");
        let error = load(&text, &Layers::default()).expect_err("unknown");
        assert!(error.contains("`node.datadir`"), "{error}");
        assert!(error.contains("did you mean `node.data_dir`?"), "{error}");
    }

    #[test]
    fn unknown_section_and_variable_are_refused() {
        let text = format!("{}\n[lisen]\napi = \"127.0.0.1:1\"\n", reference_text());
        let error = load(&text, &Layers::default()).expect_err("unknown");
        assert!(error.contains("did you mean `listen.api`?"), "{error}");
        let layers = Layers {
            environment: vec![("MERIDIAN_LOG__FILTR".to_owned(), "debug".to_owned())],
            flags: Vec::new(),
        };
        let error = load(&reference_text(), &layers).expect_err("unknown");
        assert!(error.contains("$MERIDIAN_LOG__FILTR"), "{error}");
        assert!(error.contains("`log.filter`"), "{error}");
    }

    #[test]
    fn key_in_a_wrong_section_or_like_no_other_is_answered_with_the_nearest() {
        for (lines, nearest) in [
            ("[node]\napi = \"127.0.0.1:7400\"", "listen.api"),
            ("[node]\ntopology = \"t.toml\"", "cluster.topology"),
            ("[bookings]\ndrain_ms = 1", "limits.drain_ms"),
            ("region = \"us-east\"", "node.region"),
            ("[q]\nx = 1", ""),
        ] {
            let error = load(lines, &Layers::default()).expect_err("unknown");
            let expected = format!("did you mean `{nearest}");
            assert!(error.contains(&expected), "{lines}: {error}");
        }
    }

    #[test]
    fn flags_win_over_environment_and_environment_over_the_file() {
        let layers = Layers {
            environment: vec![
                ("MERIDIAN_LOG__FILTER".to_owned(), "debug".to_owned()),
                (
                    "MERIDIAN_BOOKINGS__DEADLINE_MS".to_owned(),
                    "900".to_owned(),
                ),
                ("PATH".to_owned(), "/bin".to_owned()),
            ],
            flags: vec!["log.filter=trace".to_owned()],
        };
        let config = load(&reference_text(), &layers).expect("valid");
        assert_eq!(config.log.filter, "trace");
        assert_eq!(config.bookings.deadline_ms.get(), 900);
    }

    #[test]
    fn wrong_value_names_its_key() {
        let text = reference_text().replace("deadline_ms = 5000", "deadline_ms = 0");
        let error = load(&text, &Layers::default()).expect_err("zero");
        assert!(error.contains("deadline_ms"), "{error}");
    }

    #[test]
    fn flag_without_a_value_is_refused() {
        let layers = Layers {
            environment: Vec::new(),
            flags: vec!["log.filter".to_owned()],
        };
        let error = load(&reference_text(), &layers).expect_err("no value");
        assert!(error.contains("section.key=value"), "{error}");
    }
}
