//! No number of a log is given to two entries that anybody has.

use super::super::history::History;

pub(super) fn check(history: &History) -> Result<(), String> {
    match history.reused.first() {
        Some(what) => Err(what.clone()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::good;
    use super::check;

    #[test]
    fn number_that_was_given_twice_is_condemned() {
        let mut history = good();
        assert_eq!(check(&history), Ok(()));
        history.reused.push("entry 1 of node 1".to_owned());
        assert!(check(&history).is_err());
    }
}
