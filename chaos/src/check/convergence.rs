//! All replicas of a listing converge.

use std::collections::BTreeMap;

use super::Violation;

/// All nodes hold the same documents. `digests` maps each node to the digest of each
/// of its listings.
#[must_use]
pub fn check_convergence(digests: &BTreeMap<u64, BTreeMap<String, String>>) -> Vec<Violation> {
    diverged(digests)
        .into_iter()
        .map(|listing| Violation {
            invariant: "all replicas of a listing converge",
            detail: format!("{listing} differs between nodes"),
        })
        .collect()
}

/// Listings whose digests are not the same on every node.
#[must_use]
pub(crate) fn diverged(digests: &BTreeMap<u64, BTreeMap<String, String>>) -> Vec<String> {
    let mut seen: BTreeMap<&str, (usize, Option<&str>)> = BTreeMap::new();
    let mut differing = Vec::new();
    for listings in digests.values() {
        for (listing, digest) in listings {
            let (nodes, first) = seen.entry(listing).or_default();
            *nodes += 1;
            if *first.get_or_insert(digest) != digest.as_str() {
                differing.push(listing.clone());
            }
        }
    }
    let missing = seen
        .iter()
        .filter(|(_, (nodes, _))| *nodes < digests.len())
        .map(|(listing, _)| (*listing).to_owned());
    differing.extend(missing);
    differing.sort();
    differing.dedup();
    differing
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::check_convergence;

    #[test]
    fn differing_and_missing_documents_are_condemned() {
        let node = |listings: &[(&str, &str)]| -> BTreeMap<String, String> {
            listings
                .iter()
                .map(|(listing, digest)| ((*listing).to_owned(), (*digest).to_owned()))
                .collect()
        };
        let differing = BTreeMap::from([
            (1, node(&[("a", "1"), ("b", "1"), ("c", "1")])),
            (2, node(&[("a", "1"), ("b", "2")])),
        ]);
        assert_eq!(check_convergence(&differing).len(), 2);
        let same = BTreeMap::from([(1, node(&[("a", "1")])), (2, node(&[("a", "1")]))]);
        assert!(check_convergence(&same).is_empty());
    }
}
