//! A session reads its own writes, never less than it has read, and nobody sees a write
//! without what its writer had seen of the listing. Of a listing that is buried nothing is seen,
//! ever after.

use std::collections::BTreeSet;

use super::super::history::{History, Mark, Read};

pub(super) fn check(history: &History) -> Result<(), String> {
    history.reads.iter().try_for_each(|read| {
        goes_on(history, read)?;
        follows(history, read)
    })
}

fn goes_on(history: &History, read: &Read) -> Result<(), String> {
    let is_lost = history.lost_listings.contains(&read.listing);
    let Some(must) = read.must.as_ref().filter(|_| !is_lost) else {
        return Ok(());
    };
    let Some(shown) = &read.shown else {
        return Err(format!("a false 404: {read:?}"));
    };
    if must.buried && !shown.buried {
        return Err(format!("it was buried before {read:?}"));
    }
    if shown.buried {
        return Ok(());
    }
    if shown.count < must.count && !history.has_lost_of(read.listing) {
        return Err(format!("{} were counted before {read:?}", must.count));
    }
    missing(history, &must.marks, &shown.marks).map_or(Ok(()), |mark| {
        Err(format!("{mark} was seen before {read:?}"))
    })
}

fn follows(history: &History, read: &Read) -> Result<(), String> {
    let Some(shown) = &read.shown else {
        return Ok(());
    };
    for mark in &shown.marks {
        let write = history.writes.get(mark);
        let missing = write.and_then(|write| missing(history, &write.saw, &shown.marks));
        if let Some(missing) = missing {
            return Err(format!("{mark} was written upon {missing}: {read:?}"));
        }
    }
    Ok(())
}

fn missing<'a>(
    history: &History,
    must: &'a BTreeSet<Mark>,
    shown: &'a BTreeSet<Mark>,
) -> Option<&'a Mark> {
    must.difference(shown)
        .find(|mark| !history.lost.contains(*mark))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{good, sight};
    use super::check;

    #[test]
    fn session_that_goes_back_is_condemned() {
        for shown in [Some(sight(["b"], 3)), Some(sight(["a", "b"], 2)), None] {
            let mut history = good();
            assert_eq!(check(&history), Ok(()));
            history.reads[0].shown = shown;
            assert!(check(&history).is_err());
        }
    }

    #[test]
    fn listing_that_comes_back_from_the_dead_is_condemned() {
        let mut history = good();
        let shown = |buried| {
            let mut shown = sight(["a", "b"], 3);
            shown.buried = buried;
            Some(shown)
        };
        (history.reads[0].must, history.reads[0].shown) = (shown(true), shown(true));
        assert_eq!(check(&history), Ok(()));
        history.reads[0].shown = shown(false);
        assert!(check(&history).is_err());
    }

    #[test]
    fn write_without_what_it_was_written_upon_is_condemned() {
        let mut history = good();
        history.reads[0].must = None;
        assert_eq!(check(&history), Ok(()));
        history.reads[0].shown = Some(sight(["b"], 3));
        assert!(check(&history).is_err());
    }
}
