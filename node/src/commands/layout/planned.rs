//! What a plan says beyond its counts: which listings move, how many bytes, and what stops.

use anyhow::ensure;
use meridian_client::AdminClient;
use serde_json::Value;

use super::{list, text};

/// Listings that are named in a terminal: half a screen.
const NAMED_MAX: usize = 12;
/// Pages of a plan that are read for JSON: ten million listings.
const PAGES_MAX: usize = 10_000;

/// A plan with all pages of those that move.
///
/// # Errors
/// What could not be read, and a map that was changed between two pages.
pub(super) async fn whole(admin: &AdminClient, mut plan: Value) -> anyhow::Result<Value> {
    let mut next = plan["plan"]["moves_next"].take();
    for _ in 0..PAGES_MAX {
        let Some(after) = next.as_str() else { break };
        let mut page = admin.plan_layout_after(after).await?;
        ensure!(
            ["changes", "revision"]
                .iter()
                .all(|key| page[*key] == plan[*key])
                && page["plan"]["epoch"] == plan["plan"]["epoch"],
            "somebody has changed the plan meanwhile: ask for it again"
        );
        next = page["plan"]["moves_next"].take();
        let more = page["plan"]["moves"].take();
        if let (Some(moves), Value::Array(more)) = (plan["plan"]["moves"].as_array_mut(), more) {
            moves.extend(more);
        }
    }
    let named = plan["plan"]["moves"].as_array().map_or(0, Vec::len) as u64;
    ensure!(
        next.is_null() && plan["plan"]["moving"].as_u64() == Some(named),
        "listings have moved while the plan was read: ask for it again"
    );
    Ok(plan)
}

/// Lines for a terminal.
pub(super) fn lines(plan: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(sent) = plan["ledgers_sent"].as_u64().filter(|sent| *sent > 0) {
        let measured = &plan["ledgers_measured"];
        let bytes = plan["ledger_bytes_estimated"].as_u64().map_or_else(
            || "bytes unknown, this node has none of them".to_owned(),
            |bytes| format!("about {bytes} bytes, by {measured} that this node has"),
        );
        lines.push(format!("{sent} ledgers are sent to new voters: {bytes}"));
    }
    if let Some(sent) = plan["documents_sent"].as_u64().filter(|sent| *sent > 0) {
        let bytes = plan["document_bytes_estimated"].as_u64().map_or_else(
            || "bytes unknown, this node has none of them".to_owned(),
            |bytes| format!("about {bytes} bytes, if all are like those of this node"),
        );
        lines.push(format!(
            "{sent} documents are sent to nodes that do not hold them yet: {bytes}"
        ));
    }
    for moves in list(&plan["moves"]).take(NAMED_MAX) {
        let (from, to) = (nodes(&moves["from"]), nodes(&moves["to"]));
        let listing = text(&moves["listing_id"]);
        lines.push(format!("{listing} goes from nodes {from} to {to}"));
    }
    let named = list(&plan["moves"]).take(NAMED_MAX).count() as u64;
    let more = plan["moving"]
        .as_u64()
        .unwrap_or_default()
        .saturating_sub(named);
    if more > 0 {
        lines.push(format!("and {more} more: --json has all of them"));
    }
    let regions = plan["if_lost"].as_object();
    for (region, stops) in regions.into_iter().flatten() {
        let [now, then] = ["now", "then"].map(|side| {
            let first = stops[format!("first_{side}")].as_str();
            let first = first.map_or_else(String::new, |first| format!(" ({first} the first)"));
            format!("{}{first}", stops[side])
        });
        lines.push(format!(
            "while {region} is lost, bookings of {now} stop; after this, of {then}"
        ));
    }
    lines
}

fn nodes(voters: &Value) -> String {
    let voters: Vec<String> = list(voters).map(Value::to_string).collect();
    voters.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{NAMED_MAX, lines};

    #[test]
    fn terminal_names_some_and_says_how_many_there_are() {
        let one = json!({"listing_id": "lst_a", "from": [1, 2, 3], "to": [1, 2, 4]});
        let told = lines(&json!({
            "moving": 40, "moves": vec![one; 30], "ledgers_sent": 40,
            "ledger_bytes_estimated": 4_000, "ledgers_measured": 10,
            "documents_sent": 70, "document_bytes_estimated": 9_000,
            "if_lost": {"eu-west": {"now": 2, "first_now": "lst_b", "then": 0}},
        }));
        assert_eq!(told.len(), NAMED_MAX + 4, "{told:?}");
        assert_eq!(
            told[0],
            "40 ledgers are sent to new voters: about 4000 bytes, by 10 that this node has"
        );
        assert_eq!(
            told[1],
            "70 documents are sent to nodes that do not hold them yet: about 9000 bytes, if all are \
             like those of this node"
        );
        assert_eq!(told[2], "lst_a goes from nodes 1, 2, 3 to 1, 2, 4");
        assert_eq!(told[NAMED_MAX + 2], "and 28 more: --json has all of them");
        assert_eq!(
            told[NAMED_MAX + 3],
            "while eu-west is lost, bookings of 2 (lst_b the first) stop; after this, of 0"
        );
    }
}
