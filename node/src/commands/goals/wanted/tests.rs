//! Which listings are meant, and who of several nodes is believed.

use serde_json::{Value, json};

use super::{Census, Found, HalfWay, Wanted};

const AWAY: Option<&str> = Some("placement would have others");

fn wanted(home: Option<&str>, survival: Option<&str>) -> Wanted {
    Wanted {
        of: "eu-west".to_owned(),
        home: home.map(str::to_owned),
        survival: survival.map(str::to_owned),
        half_way: HalfWay::Unsaid,
    }
}

/// An id of a listing that was created in a region.
fn id(created: &str) -> String {
    format!("lst_01jd0000000000000000000000_{created}")
}

fn group(id: &str, home: &str, (survival, revision): (&str, u64), away: Option<&str>) -> Value {
    json!({
        "listing_id": id,
        "home_region": home,
        "survival": survival,
        "goal_revision": revision,
        "misplaced": away,
    })
}

/// What one listing comes to by the lines of one node each: `yet` with the node, or else.
fn stands(wanted: &Wanted, lines: &[Value]) -> String {
    let mut census = Census::default();
    for (view, line) in lines.iter().enumerate() {
        census.note(wanted, view, line);
    }
    let Found {
        yet,
        already,
        apart,
    } = census.found(wanted);
    match (yet.as_slice(), already, apart.len()) {
        ([target], 0, 0) => format!("yet, by {}", target.view),
        ([], 1, 0) => "already".to_owned(),
        ([], 0, 1) => "apart".to_owned(),
        ([], 0, 0) => "elsewhere".to_owned(),
        _ => panic!("one listing: {yet:?}, {already}, {apart:?}"),
    }
}

#[test]
fn id_says_where_a_listing_was_created() {
    let parsed: meridian_regions::ListingId = id("eu-west").parse().expect("an id");
    assert_eq!(parsed.home().as_str(), "eu-west");
}

#[test]
fn those_of_the_region_go_and_only_those_that_surely_were_of_it_go_on() {
    let home = wanted(Some("us-east"), None);
    let (eu, us, ap) = (id("eu-west"), id("us-east"), id("ap-southeast"));
    for (line, expected) in [
        (group(&eu, "eu-west", ("region", 0), None), "yet, by 0"),
        (group(&us, "eu-west", ("region", 3), None), "yet, by 0"),
        (group(&eu, "us-east", ("region", 1), AWAY), "yet, by 0"),
        (group(&eu, "us-east", ("region", 1), None), "elsewhere"),
        // Nobody has named these: they came from elsewhere, or nobody knows from where.
        (group(&ap, "us-east", ("region", 1), AWAY), "apart"),
        (group(&us, "us-east", ("zone", 1), AWAY), "apart"),
        (group(&eu, "us-east", ("region", 3), AWAY), "apart"),
        (group(&us, "us-east", ("region", 0), AWAY), "elsewhere"),
        (group(&eu, "ap-southeast", ("region", 1), AWAY), "elsewhere"),
    ] {
        assert_eq!(
            stands(&home, std::slice::from_ref(&line)),
            expected,
            "{line}"
        );
    }
    let survival = wanted(None, Some("zone"));
    for (line, expected) in [
        (group(&eu, "eu-west", ("region", 0), None), "yet, by 0"),
        (group(&eu, "eu-west", ("zone", 0), AWAY), "already"),
        (group(&eu, "eu-west", ("zone", 1), AWAY), "yet, by 0"),
        (group(&eu, "eu-west", ("zone", 1), None), "already"),
        (group(&eu, "us-east", ("zone", 1), AWAY), "elsewhere"),
        (group(&us, "us-east", ("region", 0), None), "elsewhere"),
    ] {
        assert_eq!(
            stands(&survival, std::slice::from_ref(&line)),
            expected,
            "{line}"
        );
    }
}

#[test]
fn node_that_knows_the_latest_goal_is_believed_and_asked() {
    let home = wanted(Some("us-east"), None);
    let eu = id("eu-west");
    let here = |revision| group(&eu, "eu-west", ("region", revision), None);
    let there = |revision| group(&eu, "us-east", ("region", revision), AWAY);
    let gone = |revision| group(&eu, "ap-southeast", ("region", revision), None);
    for (lines, expected) in [
        (vec![here(0), here(0)], "yet, by 0"),
        // One has not been told that it has gone elsewhere, or come back.
        (vec![here(0), gone(1)], "elsewhere"),
        (vec![gone(1), here(0)], "elsewhere"),
        (vec![gone(1), here(2), here(2)], "yet, by 1"),
        // It was there, as one of them still knows it, and was begun.
        (vec![here(2), there(3)], "yet, by 1"),
        (vec![gone(2), there(3)], "apart"),
    ] {
        assert_eq!(stands(&home, &lines), expected, "{lines:?}");
    }
    // Who votes is known to some, and not to others.
    let [well, away] = [None, AWAY].map(|away| group(&eu, "us-east", ("region", 1), away));
    assert_eq!(stands(&home, &[well, away]), "yet, by 0");
}

#[test]
fn revision_that_was_seen_is_the_latest() {
    let home = wanted(Some("us-east"), None);
    let eu = id("eu-west");
    let mut census = Census::default();
    for (view, revision) in [(0, 2), (1, 4), (2, 3)] {
        let line = group(&eu, "eu-west", ("region", revision), None);
        census.note(&home, view, &line);
    }
    let yet = census.found(&home).yet;
    assert_eq!((yet[0].view, yet[0].revision), (1, 4));
}

#[test]
fn what_nobody_knows_to_be_meant_is_gone_on_with_if_the_operator_says_so() {
    let ap = id("ap-southeast");
    let line = group(&ap, "us-east", ("region", 1), AWAY);
    for (half_way, expected) in [
        (HalfWay::Unsaid, "apart"),
        (HalfWay::Leave, "apart"),
        (HalfWay::Finish, "yet, by 0"),
    ] {
        let home = Wanted {
            half_way,
            ..wanted(Some("us-east"), None)
        };
        let line = std::slice::from_ref(&line);
        assert_eq!(stands(&home, line), expected, "{half_way:?}");
    }
}

#[test]
fn command_that_goes_on_names_what_was_named() {
    let finish = Wanted {
        half_way: HalfWay::Finish,
        ..wanted(Some("us-east"), None)
    };
    assert_eq!(
        finish.command(),
        "listing set-home us-east --all-of eu-west --half-way finish"
    );
    let home = wanted(Some("us-east"), None).command();
    assert_eq!(home, "listing set-home us-east --all-of eu-west");
    let survival = wanted(None, Some("zone")).command();
    assert_eq!(survival, "listing set-survival zone --all-of eu-west");
}

#[test]
fn of_nodes_that_know_as_much_the_first_is_asked_whichever_tells_sooner() {
    let wanted = wanted(Some("us-east"), None);
    let line = group(&id("eu-west"), "eu-west", ("region", 2), None);
    let late = group(&id("eu-west"), "eu-west", ("region", 1), None);
    let mut census = Census::default();
    for (view, line) in [(2, &line), (0, &late), (1, &line)] {
        census.note(&wanted, view, line);
    }
    assert_eq!(census.found(&wanted).yet[0].view, 1);
}
