//! What becomes of a listing that was deleted, and which node that waits for: by the word of the
//! node that has it buried.

use std::collections::BTreeMap;

use meridian_regions::NodeId;
use serde_json::{Value, json};

use crate::relay::BurialStanding;

/// What is told of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) shown: Value,
    /// In one sentence.
    pub(super) said: String,
}

/// Finds whose word counts among those of all nodes that were reached. `None` of a listing that
/// was not deleted, as far as node `this` knows.
pub(super) fn told(this: NodeId, burials: &BTreeMap<NodeId, BurialStanding>) -> Option<Told> {
    let here = burials.get(&this)?;
    let by = here.kept_by.unwrap_or(this);
    let word = burials.get(&by);
    let said = match word {
        Some(word) => said(by, word),
        None => format!("it waits for node {by}, which has it buried and was not reached"),
    };
    let word = word.unwrap_or(here);
    Some(Told {
        shown: json!({
            "state": word.state,
            "told_by": by,
            "behind": word.behind,
            "unheard": word.unheard,
        }),
        said,
    })
}

fn said(by: NodeId, word: &BurialStanding) -> String {
    match word.state.as_str() {
        "buried" => "it is buried: who created and who deleted it, and when, is left".to_owned(),
        "disputed" => "it keeps everything: somebody has edited what another has deleted, and its \
                       host decides"
            .to_owned(),
        "off" => format!(
            "it keeps everything: `listings.changes_before_renewal` is 0 on node {by}, which \
             would have it buried"
        ),
        "level" => {
            "it waits for level 2 of formats: `meridian upgrade check` says why that is not \
                    on"
            .to_owned()
        }
        "spread" => "it keeps everything: nothing is buried where a node does not hold every \
                     listing"
            .to_owned(),
        "not-back" => format!("it waits for node {by}, which takes no writes yet"),
        "lacking" => lacking(by, word),
        "fetching" => format!(
            "every node has had the deletion, and node {by} fetches what they had written before"
        ),
        _ => "every node has had the deletion: it is buried in some seconds".to_owned(),
    }
}

fn lacking(by: NodeId, word: &BurialStanding) -> String {
    let named = |nodes: &[NodeId]| {
        let nodes: Vec<String> = nodes.iter().map(ToString::to_string).collect();
        nodes.join(", ")
    };
    let mut why = Vec::new();
    if !word.behind.is_empty() {
        let nodes = named(&word.behind);
        why.push(format!(
            "nodes {nodes} have not said that they have had the deletion"
        ));
    }
    if !word.unheard.is_empty() {
        let nodes = named(&word.unheard);
        why.push(format!(
            "nodes {nodes} have said nothing since node {by} started: start them, or remove them \
             from the map"
        ));
    }
    format!("it waits: {}", why.join("; "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use meridian_regions::NodeId;
    use meridian_replication::Burial;

    use super::told;

    fn node(id: u64) -> NodeId {
        NodeId::new(id).expect("not zero")
    }

    fn said(this: u64, words: [(u64, Burial); 2]) -> String {
        let words = words.map(|(id, burial)| (node(id), burial.into()));
        told(node(this), &BTreeMap::from(words))
            .expect("it was deleted")
            .said
    }

    #[test]
    fn node_that_lacks_the_deletion_is_named_whoever_is_asked() {
        let lacking = Burial::Lacking {
            behind: vec![node(3)],
            unheard: vec![node(4)],
        };
        for asked in [1, 2] {
            let words = [(1, lacking.clone()), (2, Burial::KeptBy(node(1)))];
            let said = said(asked, words);
            assert!(said.contains("nodes 3 have not said"), "{said}");
            assert!(
                said.contains("nodes 4 have said nothing since node 1"),
                "{said}"
            );
        }
    }

    #[test]
    fn who_has_it_buried_is_named_if_it_was_not_reached() {
        let words = [(2, Burial::KeptBy(node(9))), (3, Burial::KeptBy(node(9)))];
        assert!(said(2, words).contains("node 9, which has it buried and was not reached"));
        assert_eq!(told(node(1), &BTreeMap::new()), None);
    }
}
