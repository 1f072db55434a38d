//! A watermark never goes back in one life of its node, and everything that it speaks for
//! is there.

use std::collections::BTreeMap;

use super::super::history::History;

pub(super) fn check(history: &History) -> Result<(), String> {
    let mut last = BTreeMap::new();
    for claim in &history.claims {
        let before = last.insert((claim.node, claim.life, claim.origin), claim.through);
        if before > Some(claim.through) {
            return Err(format!("back from {before:?}: {claim:?}"));
        }
        if claim.lacks.is_some() {
            return Err(format!("not everything is there: {claim:?}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::good;
    use super::check;

    #[test]
    fn watermark_that_goes_back_is_condemned() {
        let mut history = good();
        assert_eq!(check(&history), Ok(()));
        history.claims[1].through = 4;
        assert!(check(&history).is_err());
        history.claims[1].life = 1;
        assert_eq!(check(&history), Ok(()));
    }

    #[test]
    fn watermark_of_what_is_not_there_is_condemned() {
        let mut history = good();
        history.claims[1].lacks = Some((2, 0, 1));
        assert!(check(&history).is_err());
    }
}
