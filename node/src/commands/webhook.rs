//! `meridian webhook`: endpoints, and what is delivered to them.

use std::io::Write;

use anyhow::bail;
use meridian_client::ReplayFrom;
use serde_json::{Value, json};

use crate::cli::{EndpointArgs, WebhookCommand};

pub(crate) async fn run(command: WebhookCommand, out: &mut impl Write) -> anyhow::Result<()> {
    let answer = match command {
        WebhookCommand::List { json, to } => {
            let answer = to.client()?.webhooks().await?.body;
            if json {
                writeln!(out, "{answer:#}")?;
                return Ok(());
            }
            return table(&answer, out);
        }
        WebhookCommand::Add { url, types, to } => to.client()?.add_webhook(&url, &types).await?,
        WebhookCommand::Enable(EndpointArgs { id, to }) => {
            let patch = json!({"enabled": true});
            to.client()?.change_webhook(&id, patch).await?
        }
        WebhookCommand::Disable(EndpointArgs { id, to }) => {
            let patch = json!({"enabled": false});
            to.client()?.change_webhook(&id, patch).await?
        }
        WebhookCommand::Remove(EndpointArgs { id, to }) => {
            to.client()?.remove_webhook(&id).await?;
            writeln!(out, "{id} is removed")?;
            return Ok(());
        }
        WebhookCommand::Test(EndpointArgs { id, to }) => {
            let answer = to.client()?.test_webhook(&id).await?;
            if answer.body["delivered"] != json!(true) {
                bail!("not delivered: {}", text(&answer.body["error"]));
            }
            answer
        }
        WebhookCommand::Deliveries(EndpointArgs { id, to }) => {
            to.client()?.webhook_deliveries(&id).await?
        }
        WebhookCommand::Replay(arguments) => {
            let from = match (arguments.cursor, arguments.oldest) {
                (Some(cursor), _) => ReplayFrom::Cursor(cursor),
                (None, true) => ReplayFrom::Oldest,
                (None, false) => ReplayFrom::Parked,
            };
            let client = arguments.to.client()?;
            client.replay_webhook(&arguments.id, from).await?
        }
    };
    writeln!(out, "{:#}", answer.body)?;
    Ok(())
}

fn table(answer: &Value, out: &mut impl Write) -> anyhow::Result<()> {
    for endpoint in answer["data"].as_array().into_iter().flatten() {
        let types = endpoint["types"].as_array().into_iter().flatten();
        let types: Vec<&str> = types.filter_map(Value::as_str).collect();
        let types = if types.is_empty() {
            "all".to_owned()
        } else {
            types.join(",")
        };
        let state = match endpoint["enabled"].as_bool() {
            Some(true) => "enabled",
            _ => "disabled",
        };
        let (id, url) = (text(&endpoint["id"]), text(&endpoint["url"]));
        writeln!(out, "{id}  {state:<8}  {types}  {url}")?;
    }
    Ok(())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
