//! A great history is judged in seconds. The figures are printed, and nothing is asserted of
//! time: `cargo test -p meridian-chaos judge_of_many_calls -- --nocapture`, with
//! `JUDGED_CALLS` for how many.

use std::time::Instant;

use super::super::seen::Seen;
use super::super::{CHECKERS, Verdict};
use super::world::{Plan, run_of, tally};

const CALLS: usize = 20_000;

#[test]
fn judge_of_many_calls_passes_what_is_good() {
    let asked = std::env::var("JUDGED_CALLS").ok();
    let calls = asked.and_then(|calls| calls.parse().ok()).unwrap_or(CALLS);
    let run = run_of(Plan {
        calls,
        clients: 32,
        listings: 16,
        nights: 40,
        ..Plan::default()
    });
    println!("{calls} calls: {:?}", tally(&run));
    let begun = Instant::now();
    let seen = Seen::of(&run);
    println!("{:>8.3} s to sort them", begun.elapsed().as_secs_f64());
    for check in CHECKERS {
        let begun = Instant::now();
        let finding = check(&seen).expect("there is something of each kind");
        let took = begun.elapsed().as_secs_f64();
        println!("{took:>8.3} s {}: {}", finding.promise, finding.looked_at);
        assert_eq!(finding.verdict, Verdict::Pass, "{finding:#?}");
    }
}
