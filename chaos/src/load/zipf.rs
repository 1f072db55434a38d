//! Which of many is wanted: the first often, the last rarely.

use rand::{Rng, RngExt};

/// A number below `many`, by Zipf's law with exponent 1: the first is wanted twice as often
/// as the second, three times as often as the third.
pub(super) fn zipf(many: usize, random: &mut impl Rng) -> usize {
    let weight = |rank: usize| 1.0 / (rank as f64 + 1.0);
    let whole: f64 = (0..many).map(weight).sum();
    let mut left = random.random::<f64>() * whole;
    for rank in 0..many {
        left -= weight(rank);
        if left <= 0.0 {
            return rank;
        }
    }
    many.saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::zipf;

    #[test]
    fn first_is_wanted_most_and_the_last_all_the_same() {
        let mut random = StdRng::seed_from_u64(1);
        let mut wanted = [0_u32; 5];
        for _ in 0..5_000 {
            wanted[zipf(5, &mut random)] += 1;
        }
        assert!(wanted.is_sorted_by(|one, next| one > next), "{wanted:?}");
        assert!(wanted[4] > 200, "{wanted:?}");
    }
}
