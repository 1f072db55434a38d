//! `meridian booking`: hold, confirm and cancel through the API.

use std::io::{self, Write};

use meridian_client::{Answer, CallError, IdempotencyKey, NewStay};

use crate::cli::{BookingCommand, KeyArgs};

pub(crate) async fn run(command: BookingCommand, out: &mut impl Write) -> anyhow::Result<()> {
    let answer = match command {
        BookingCommand::Hold {
            listing,
            check_in,
            check_out,
            guests,
            key,
            to,
        } => {
            let stay = NewStay {
                check_in,
                check_out,
                guests,
            };
            let key = key_of(key);
            let client = to.client()?;
            told(client.hold(&listing, &stay, &key).await, &key)?
        }
        BookingCommand::Confirm {
            hold,
            payment_method,
            key,
            to,
        } => {
            let key = key_of(key);
            let client = to.client()?;
            told(client.confirm(&hold, &payment_method, &key).await, &key)?
        }
        BookingCommand::Cancel { booking, key, to } => {
            let key = key_of(key);
            let client = to.client()?;
            told(client.cancel(&booking, &key).await, &key)?
        }
    };
    writeln!(out, "{:#}", answer.body)?;
    Ok(())
}

fn key_of(arguments: KeyArgs) -> String {
    arguments
        .key
        .unwrap_or_else(|| IdempotencyKey::fresh().to_string())
}

/// Tells the key of a request whose outcome is not known: with it, the request can
/// be repeated safely.
fn told(answer: Result<Answer, CallError>, key: &str) -> Result<Answer, CallError> {
    if answer.as_ref().is_err_and(CallError::outcome_unknown) {
        // The error itself follows.
        let _ = writeln!(
            io::stderr(),
            "to learn the outcome, repeat with --key {key}"
        );
    }
    answer
}
