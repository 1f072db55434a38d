//! Cursors, and why a group stands where it does.

use meridian_regions::{Genesis, ListingId, NodeId, Survival, Topology, UnixNanos, place_voters};

use super::{Cursor, Part, leader_why, misplaced, nodes, voters_why};

fn node(id: u64) -> NodeId {
    NodeId::new(id).expect("not zero")
}

/// Nodes 1 and 2 in one, 3 in two, 4 in three; node 2 stands as said.
fn topology(second: &str) -> Topology {
    let mut text = "cluster = \"test\"\nepoch = 1\n".to_owned();
    for region in ["one", "two", "three"] {
        text += &format!("[[regions]]\nid = \"{region}\"\nlatitude = 0\nlongitude = 0\n");
    }
    for (id, region, state) in [
        (1, "one", "active"),
        (2, "one", second),
        (3, "two", "active"),
        (4, "three", "active"),
    ] {
        text += &format!(
            "[[nodes]]\nid = {id}\nregion = \"{region}\"\nzone = \"z{id}\"\npeer = \"h:1\"\napi = \
             \"\"\nadmin = \"\"\nstate = \"{state}\"\n"
        );
    }
    Topology::from_toml(&text).expect("a good topology")
}

fn genesis(voters: &[u64]) -> Genesis {
    let home = "one".parse().expect("a region");
    Genesis {
        listing: ListingId::generate(UnixNanos::from_millis(1), 7, home),
        survival: Survival::Region,
        voters: voters.iter().copied().map(node).collect(),
        map_epoch: 1,
        created_by: node(1),
    }
}

#[test]
fn group_is_misplaced_by_who_votes_and_by_who_leads() {
    let draining = topology("draining");
    let record = genesis(&[1, 3, 4]);
    let why = |voters: &[u64], leader: Option<u64>| {
        let voters: Vec<NodeId> = voters.iter().copied().map(node).collect();
        misplaced(&draining, &record, &voters, leader.map(node))
    };
    assert_eq!(why(&[1, 3, 4], Some(1)), None);
    assert_eq!(why(&[1, 3, 4], None), None, "asleep, nobody has led it");
    let away = why(&[1, 3, 4], Some(3)).expect("away");
    assert_eq!(away, "node 3 leads it, away from its home one");
    assert_eq!(
        why(&[2, 3, 4], Some(2)).expect("to go"),
        "node 2 votes on it and is to go"
    );
    assert!(
        why(&[9, 3, 4], None)
            .expect("unknown")
            .contains("not in the topology")
    );
    let active = topology("active");
    let target = place_voters(&active, &record.listing, Survival::Region).expect("placed");
    let other = if target.contains(&node(1)) { 2 } else { 1 };
    let voters = [other, 3, 4].map(node);
    let said = misplaced(&active, &record, &voters, None).expect("a rebalance would move it");
    assert!(said.starts_with("placement would have "), "{said}");
}

#[test]
fn sentences_say_why() {
    let topology = topology("active");
    let record = genesis(&[1, 3, 4]);
    let voters = [1, 3, 4].map(node);
    assert_eq!(
        voters_why(&topology, &record, &voters),
        "1, 3 and 4 vote, as when it was created: its bookings are to survive a region: 1 at \
         home in one, the others in three and two"
    );
    let why = |leader: Option<u64>, state, home_lives| {
        let leader = leader.map(node);
        leader_why(
            &topology,
            &record,
            (&voters, leader),
            (state, |_| home_lives),
        )
    };
    assert!(why(Some(1), "awake", true).contains("stands in the home region one"));
    assert!(why(Some(3), "asleep", false).contains("1 of its home one is not heard"));
    assert!(why(Some(3), "awake", true).contains("goes back to one"));
    assert!(why(None, "asleep", true).contains("nobody is known to lead it"));
    assert_eq!(nodes(&[]), "nobody");
}

#[test]
fn cursor_reads_back_as_itself_and_ends() {
    let listing = genesis(&[1]).listing;
    let mut cursor = Some(Cursor {
        after: Some(listing),
        ..Cursor::first()
    });
    let mut pages = 0;
    while let Some(at) = cursor {
        assert_eq!(Cursor::parse(&at.to_string()), Some(at.clone()));
        pages += 1;
        cursor = at.next();
        if pages == 65 {
            assert_eq!(at.part, Part::Placed);
        }
    }
    assert_eq!(pages, 128, "every shard twice");
    for wrong in ["", "m", "m.1", "m.64.", "x.1.", "p.1.lst_nonsense"] {
        assert_eq!(Cursor::parse(wrong), None, "{wrong}");
    }
}
