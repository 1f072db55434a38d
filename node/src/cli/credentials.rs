//! What the command line proves itself with.

use std::fmt;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use meridian_client::{AdminClient, Credential, Trust};

/// Environment variables with credentials: better than flags, which others on this machine
/// can see.
const API_KEY_VARIABLE: &str = "MERIDIAN_API_KEY";
const TOKEN_VARIABLE: &str = "MERIDIAN_TOKEN";
/// Environment variable with a file of authorities.
const CA_VARIABLE: &str = "MERIDIAN_CA";

/// A text that is not shown, also if it is none of what was wanted.
#[derive(Clone)]
pub(crate) struct Hidden(String);

impl From<String> for Hidden {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Hidden(…)")
    }
}

/// Where nodes ask for credentials.
#[derive(Debug, Args)]
pub(crate) struct CredentialArgs {
    /// API key to prove with who calls. Others on this machine can see flags: set the
    /// variable instead.
    #[arg(long, env = API_KEY_VARIABLE, hide_env_values = true, value_name = "KEY", conflicts_with = "token")]
    api_key: Option<Hidden>,
    /// Signed token (JWT) to prove the same with.
    #[arg(long, env = TOKEN_VARIABLE, hide_env_values = true, value_name = "JWT")]
    token: Option<Hidden>,
    /// Authorities to believe where a URL begins with `https`, PEM, and no others; without it
    /// those that this machine trusts.
    #[arg(long, env = CA_VARIABLE, value_name = "FILE")]
    ca: Option<PathBuf>,
}

impl CredentialArgs {
    /// What was given, if anything.
    pub(crate) fn credential(&self) -> anyhow::Result<Option<Credential>> {
        let (credential, place) = match (&self.api_key, &self.token) {
            (Some(key), _) => (Credential::api_key(&key.0), API_KEY_VARIABLE),
            (None, Some(token)) => (Credential::token(&token.0), TOKEN_VARIABLE),
            (None, None) => return Ok(None),
        };
        let what = || format!("the credential of the command line or of {place}");
        credential.map(Some).with_context(what)
    }

    /// Whose certificates are believed.
    pub(crate) fn trust(&self) -> anyhow::Result<Trust> {
        match &self.ca {
            Some(path) => Ok(Trust::file(path)?),
            None => Ok(Trust::machine()),
        }
    }

    /// A client of the operator API at `url`, with it.
    pub(crate) fn admin(&self, url: impl Into<String>) -> anyhow::Result<AdminClient> {
        let admin = AdminClient::new(url)?.with_trust(&self.trust()?);
        Ok(admin.with_credential(self.credential()?))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::cli::Cli;

    #[test]
    fn credentials_are_shown_neither_when_they_are_read_nor_when_they_are_refused() {
        let read = |flag: &str, text: &str| {
            Cli::try_parse_from(["meridian", "status", flag, text]).map(|cli| format!("{cli:?}"))
        };
        for flag in ["--api-key", "--token"] {
            let shown = read(flag, "se cret").expect("read");
            assert!(!shown.contains("cret"), "{shown}");
        }
        let both = [
            "meridian",
            "status",
            "--token",
            "s1cret",
            "--api-key",
            "s2cret",
        ];
        let refused = Cli::try_parse_from(both)
            .expect_err("one is enough")
            .to_string();
        assert!(!refused.contains("cret"), "{refused}");
    }
}
