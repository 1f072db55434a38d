//! The same work on many things, on all processors.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread::{available_parallelism, scope};

/// Threads at once: what is gained by more is less than what they cost in memory.
const THREADS_MAX: usize = 16;

/// What comes of each of them, in their order.
pub(super) fn of_each<T: Sync, R: Send>(things: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = available_parallelism().map_or(1, NonZero::get);
    let threads = threads.min(THREADS_MAX).min(things.len().max(1));
    let share = |first: usize| -> Vec<(usize, R)> {
        let own = things.iter().enumerate().skip(first).step_by(threads);
        own.map(|(place, thing)| (place, work(thing))).collect()
    };
    let share = &share;
    let mut done: Vec<(usize, R)> = scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|first| scope.spawn(move || share(first)))
            .collect();
        let ended = running.into_iter().map(|thread| thread.join());
        ended
            .flat_map(|done| done.unwrap_or_else(|panicked| resume_unwind(panicked)))
            .collect()
    });
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::of_each;

    #[test]
    fn results_stand_in_the_order_of_what_they_are_of() {
        let things: Vec<usize> = (0..1_000).collect();
        let squares = of_each(&things, |thing| thing * thing);
        assert!(
            squares
                .iter()
                .enumerate()
                .all(|(place, square)| *square == place * place)
        );
        assert!(of_each(&[], |thing: &usize| *thing).is_empty());
    }
}
