//! A log has no hole: not on a disk, and not in a message.

use super::super::history::History;

pub(super) fn check(history: &History) -> Result<(), String> {
    for piece in &history.pieces {
        let due = piece.after.map_or(0, |after| after + 1)..;
        let mut places = due.zip(&piece.indexes);
        if let Some((due, index)) = places.find(|(due, index)| due != *index) {
            return Err(format!("{}: {index} where {due} is due", piece.place));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tests::sim::history::{History, Piece};

    #[test]
    fn log_with_a_hole_is_condemned() {
        let piece = |after, indexes: &[u64]| Piece {
            place: "a log".to_owned(),
            after,
            indexes: indexes.to_vec(),
        };
        let mut history = History {
            pieces: vec![piece(None, &[0, 1]), piece(Some(6), &[7, 8])],
            ..History::default()
        };
        assert_eq!(check(&history), Ok(()));
        for broken in [piece(None, &[0, 2]), piece(Some(6), &[8])] {
            history.pieces = vec![broken];
            assert!(check(&history).is_err());
        }
    }
}
