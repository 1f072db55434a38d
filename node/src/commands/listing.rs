//! `meridian listing`: read, edit and watch through the API, and end conflicts.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use futures::TryStreamExt;
use meridian_client::{Answer, Client};
use serde_json::{Map, Value};

use super::Done;
use crate::cli::{FindArgs, ListingCommand};

/// A cluster that is stopped as a whole ends a watch node by node, and is then not reached any
/// more, which takes a client ten seconds to say: so soon after such an end that is no failure.
const STOPPED_WITHIN: Duration = Duration::from_secs(30);

pub(crate) async fn run(command: ListingCommand, out: &mut impl Write) -> anyhow::Result<Done> {
    match command {
        ListingCommand::Get { id, to } => {
            let answer = to.client()?.listing(&id).await?;
            writeln!(out, "{:#}", answer.body)?;
        }
        ListingCommand::Find(args) => find(&args, out).await?,
        ListingCommand::Edit { id, fields, to } => {
            let patch = patch(&fields)?;
            let client = to.client()?;
            let answer = client.patch_listing(&id, patch, None).await?;
            writeln!(out, "{:#}", answer.body)?;
        }
        ListingCommand::Conflicts { id, to } => {
            let client = to.client()?;
            print_conflicts(&client.conflicts(&id).await?, out)?;
        }
        ListingCommand::Resolve {
            id,
            field,
            choose,
            seen,
            to,
        } => {
            let client = to.client()?;
            let seen = match seen.as_str() {
                "*" => seen,
                tag => format!("\"{tag}\""),
            };
            let left = client.resolve_conflict(&id, &field, &choose, &seen).await?;
            print_conflicts(&left, out)?;
        }
        ListingCommand::Explain(arguments) => super::operate::explain(arguments, out).await?,
        ListingCommand::SetHome(arguments) => return super::goals::set_home(arguments, out).await,
        ListingCommand::SetSurvival(arguments) => {
            return super::goals::set_survival(arguments, out).await;
        }
        ListingCommand::Watch { id, to } => watch(&to.client()?, &id, out).await?,
    }
    Ok(Done::Well)
}

/// Events as they come, from whichever node tells them; as they were sent.
async fn watch(client: &Client, id: &str, out: &mut impl Write) -> anyhow::Result<()> {
    let mut events = client.watch(id).await?;
    let mut ended: Option<Instant> = None;
    loop {
        let event = match events.try_next().await {
            Ok(Some(event)) => event,
            Ok(None) => return Ok(()),
            Err(error) => {
                let is_stopped = ended.is_some_and(|ended| ended.elapsed() < STOPPED_WITHIN);
                if is_stopped && error.is_retryable() {
                    return Ok(());
                }
                return Err(error).context("the stream broke");
            }
        };
        if event.event == "watch.ended" {
            ended = Some(Instant::now());
        }
        writeln!(out, "event: {}\ndata: {}", event.event, event.data)?;
        if let Some(id) = event.id {
            writeln!(out, "id: {id}")?;
        }
        writeln!(out)?;
        out.flush()?;
    }
}

/// One listing a line, in order; how many there are goes first.
async fn find(args: &FindArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let client = args.to.client()?;
    let answer = client.find(&args.find(), args.cursor.as_deref()).await?;
    if args.json {
        writeln!(out, "{:#}", answer.body)?;
        return Ok(());
    }
    let listings = answer.body["data"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    writeln!(
        out,
        "{} of {} listings, as of {}",
        listings.len(),
        answer.body["total"],
        answer.body["as_of"].as_str().unwrap_or("no known time"),
    )?;
    for listing in listings {
        let text = |name: &str| listing[name].as_str().unwrap_or_default();
        let price = &listing["nightly_price"];
        let amount = price["amount"].as_u64().unwrap_or_default();
        let currency = price["currency"].as_str().unwrap_or_default();
        let distance = listing["distance_km"].as_f64();
        let distance = distance.map_or_else(String::new, |km| format!("  {km:.1} km"));
        let (id, title) = (text("id"), text("title"));
        writeln!(out, "{id}  {amount} {currency}{distance}  {title}")?;
    }
    if let Some(cursor) = answer.body["next_cursor"].as_str() {
        writeln!(out, "more with --cursor {cursor}")?;
    }
    Ok(())
}

/// Conflicts, and their entity tag without its quotes, which a shell would eat.
fn print_conflicts(answer: &Answer, out: &mut impl Write) -> anyhow::Result<()> {
    let mut shown = answer.body.clone();
    let tag = answer.etag.as_deref().unwrap_or_default();
    shown["seen"] = Value::from(tag.trim_matches('"'));
    writeln!(out, "{shown:#}")?;
    Ok(())
}

/// `field=value` pairs as a merge patch. A value that is JSON is taken as such, any
/// other as text; `null` clears a field.
fn patch(fields: &[String]) -> anyhow::Result<Value> {
    let mut patch = Map::new();
    for field in fields {
        let Some((name, value)) = field.split_once('=') else {
            bail!("`{field}`: write it as FIELD=VALUE, as in title=\"Sea view\"");
        };
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        patch.insert(name.to_owned(), value);
    }
    Ok(Value::Object(patch))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::patch;

    #[test]
    fn values_are_json_where_they_can_be() {
        let fields = ["title=Sea view", "capacity=4", "house_rules=null"];
        let fields: Vec<String> = fields.into_iter().map(str::to_owned).collect();
        let expected = json!({"title": "Sea view", "capacity": 4, "house_rules": null});
        assert_eq!(patch(&fields).expect("pairs"), expected);
        assert!(patch(&["title".to_owned()]).is_err());
    }
}
