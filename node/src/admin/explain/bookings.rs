//! What stands in a listing's ledger, without whose it is.

use std::cmp::Reverse;

use meridian_consensus_core::{Ledger, PaymentState, Reservation, ReservationState};
use meridian_regions::{ListingId, NodeId};
use serde_json::{Value, json};

use crate::admin::groups::nodes;
use crate::api::problem::{Problem, Slug};
use crate::clock::rfc3339;
use crate::node::Node;

/// Reservations that are told; `standing` counts all of them.
const TOLD_MAX: usize = 50;
/// Steps of reservations that are told, the latest.
const STEPS_MAX: usize = 10;

/// As this node has applied it, which may be behind; only a voter has.
pub(super) async fn shown(
    node: &Node,
    id: &ListingId,
    voters: &[NodeId],
) -> Result<Value, Problem> {
    if !voters.contains(&node.identity.node) {
        let voters = nodes(voters);
        let said = format!("this node has no ledger of it: ask one of {voters}");
        return Ok(json!({"said": said}));
    }
    let (groups, listing) = (node.groups.clone(), id.clone());
    let view = tokio::task::spawn_blocking(move || groups.local(&listing)).await;
    let failed = |cause: String| Problem::new(Slug::Internal, cause);
    let view = view.map_err(|cause| failed(cause.to_string()))?;
    let view = view.map_err(|cause| failed(cause.to_string()))?;
    Ok(of_ledger(&view.ledger, node.clock.now().as_millis()))
}

fn of_ledger(ledger: &Ledger, now_ms: u64) -> Value {
    let stands = |one: &&Reservation| one.state_at(now_ms).takes_nights();
    let standing: Vec<&Reservation> = ledger.reservations().filter(stands).collect();
    let count = |name: &str| {
        let of_name = standing.iter().filter(|one| name_of(one, now_ms) == name);
        of_name.count()
    };
    let (held, pending) = (count("held"), count("pending_payment"));
    let (sold, blocked) = (count("confirmed"), count("blocked"));
    let payments: Vec<Value> = ledger
        .open_payments()
        .take(TOLD_MAX)
        .map(|open| {
            json!({
                "number": open.number,
                "wants": open.step.name(),
                "since": rfc3339(open.since_ms),
            })
        })
        .collect();
    let wants = ledger.open_payments().count();
    let mut steps: Vec<(u64, u64, &str)> = ledger
        .reservations()
        .flat_map(|one| {
            one.steps
                .iter()
                .map(move |step| (step.at_ms, one.number, step.kind().name()))
        })
        .collect();
    steps.sort_unstable_by_key(|(at_ms, number, _)| Reverse((*at_ms, *number)));
    let steps = steps.iter().take(STEPS_MAX);
    let steps = steps.map(
        |(at_ms, number, step)| json!({"at": rfc3339(*at_ms), "number": number, "step": step}),
    );
    let closed = match ledger.closed_ms() {
        Some(_) => "; it is closed, and takes no more",
        None => "",
    };
    let shown = standing.iter().take(TOLD_MAX);
    json!({
        "said": format!(
            "{held} held, {pending} waiting for a payment, {sold} sold, {blocked} blocked by the \
             host; {wants} payments want a step{closed}"
        ),
        "revision": ledger.revision(),
        "as_of": (ledger.revision() > 0).then(|| rfc3339(ledger.time_ms())),
        "closed_at": ledger.closed_ms().map(rfc3339),
        "standing": standing.len(),
        "reservations": shown.map(|one| reservation(one, now_ms)).collect::<Vec<Value>>(),
        "payments": payments,
        "latest_steps": steps.collect::<Vec<Value>>(),
    })
}

fn reservation(one: &Reservation, now_ms: u64) -> Value {
    json!({
        "number": one.number,
        "state": name_of(one, now_ms),
        "from": one.stay.check_in().to_string(),
        "to": one.stay.check_out().to_string(),
        "fencing_token": one.fencing_token,
        "expires_at": matches!(name_of(one, now_ms), "held" | "pending_payment")
            .then(|| rfc3339(one.expires_at_ms)),
        "payment": one.payment_state().map(PaymentState::name),
    })
}

/// Of what stands.
fn name_of(one: &Reservation, now_ms: u64) -> &'static str {
    match one.state_at(now_ms) {
        ReservationState::Held => "held",
        ReservationState::PendingPayment => "pending_payment",
        ReservationState::Confirmed => "confirmed",
        ReservationState::Blocked => "blocked",
        _ => "ended",
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use meridian_consensus_core::{Block, Command, Ledger, Op, Stay};

    use super::of_ledger;

    /// 2026-11-26, in milliseconds since 1970: blocks reach no further than bookings.
    const NOW_MS: u64 = 1_795_651_200_000;

    #[test]
    fn what_stands_is_counted_and_whose_it_is_is_left_out() {
        let mut ledger = Ledger::default();
        let stay = Stay::new(date(2026, 12, 1), date(2026, 12, 3), 0);
        let block = Op::Block(Block {
            nights: stay,
            units: 1,
        });
        let mut command = Command::new(block, None);
        command.at_ms = NOW_MS;
        ledger.apply(&command);
        let told = of_ledger(&ledger, NOW_MS + 1_000);
        assert_eq!(told["standing"], 1);
        assert_eq!(told["reservations"][0]["state"], "blocked");
        assert_eq!(told["reservations"][0]["from"], "2026-12-01");
        assert_eq!(told["latest_steps"][0]["step"], "block");
        let said = told["said"].as_str().expect("a sentence");
        assert!(
            said.starts_with("0 held, 0 waiting for a payment, 0 sold, 1 blocked"),
            "{said}"
        );
        assert!(!told.to_string().contains("caller"), "{told}");
    }
}
