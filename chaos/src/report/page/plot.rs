//! Scales and paths. Pictures are 1,000 units wide and 100 high, and stretched.

use super::super::axis::Axis;

/// Width of every picture, in its own units.
pub(super) const WIDTH: f64 = 1_000.0;
/// Height of every picture, in its own units.
pub(super) const HEIGHT: f64 = 100.0;

/// How values become heights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scale {
    /// From 0.
    Linear {
        /// The value at the top.
        most: f64,
        /// Between two lines of the grid.
        apart: f64,
    },
    /// Whole decades.
    Log {
        /// The power of ten at the bottom.
        low: i32,
        /// The power of ten at the top.
        high: i32,
    },
}

impl Scale {
    /// Linear, up to at least `most`, with a grid at round values.
    pub(super) fn linear(most: f64) -> Self {
        let power = 10_f64.powf((most.max(1.0) / 3.0).log10().floor());
        let apart = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .map(|step| (step * power).max(1.0))
            .find(|step| step * 3.0 >= most)
            .unwrap_or(power * 10.0);
        Self::Linear {
            most: (most / apart).ceil().max(1.0) * apart,
            apart,
        }
    }

    /// Logarithmic, over whole decades that hold all the values: two at least.
    pub(super) fn log(values: impl Iterator<Item = f64>) -> Self {
        let (mut least, mut most) = (f64::MAX, 1.0_f64);
        for value in values.map(|value| value.max(1.0)) {
            least = least.min(value);
            most = most.max(value);
        }
        let low = decade(least.min(most).log10().floor());
        let high = decade(most.log10().ceil()).max(low + 2);
        Self::Log { low, high }
    }

    /// Where a value is: 0 at the top.
    pub(super) fn y(&self, value: f64) -> f64 {
        let share = match *self {
            Self::Linear { most, .. } => value / most,
            Self::Log { low, high } => {
                (value.max(1.0).log10() - f64::from(low)) / f64::from(high - low)
            }
        };
        (1.0 - share.clamp(0.0, 1.0)) * HEIGHT
    }

    /// Values at which there is a line.
    pub(super) fn grid(&self) -> Vec<f64> {
        match *self {
            Self::Linear { most, apart } => {
                let lines = decade((most / apart).round());
                (0..=lines).map(|line| f64::from(line) * apart).collect()
            }
            Self::Log { low, high } => (low..=high).map(|power| 10_f64.powi(power)).collect(),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a u64 has twenty decades")]
fn decade(power: f64) -> i32 {
    power as i32
}

/// Where a moment is, in units of the picture.
pub(super) fn x(axis: &Axis, at_us: u64) -> f64 {
    axis.share(at_us) * WIDTH
}

fn middle(axis: &Axis, step: usize) -> f64 {
    x(axis, axis.begin_us(step).saturating_add(axis.step_us / 2))
}

/// A line through the middles of steps, broken where nothing is known.
pub(super) fn line(axis: &Axis, scale: &Scale, values: &[Option<f64>]) -> String {
    let mut path = String::new();
    let mut is_drawing = false;
    for (step, value) in values.iter().enumerate() {
        let Some(value) = value else {
            is_drawing = false;
            continue;
        };
        let (x, y) = (middle(axis, step), scale.y(*value));
        let is_alone = !is_drawing && !matches!(values.get(step + 1), Some(Some(_)));
        path.push_str(&match (is_drawing, is_alone) {
            (true, _) => format!("L{x:.1} {y:.1}"),
            (false, false) => format!("M{x:.1} {y:.1}"),
            // A point, by its round caps.
            (false, true) => format!("M{x:.1} {y:.1}h.01"),
        });
        is_drawing = true;
    }
    path
}

/// Areas one upon the other, flat within a step: the first layer lies lowest.
pub(super) fn stack(axis: &Axis, scale: &Scale, layers: &[Vec<f64>]) -> Vec<String> {
    let mut below = vec![0.0; axis.steps];
    let mut areas = Vec::new();
    for layer in layers {
        let above: Vec<f64> = below
            .iter()
            .zip(layer)
            .map(|(low, value)| low + value)
            .collect();
        areas.push(area(axis, scale, &below, &above));
        below = above;
    }
    areas
}

fn area(axis: &Axis, scale: &Scale, low: &[f64], high: &[f64]) -> String {
    if low == high {
        return String::new();
    }
    let steps = 0..axis.steps;
    let mut path = String::new();
    path.push_str(&edge(axis, scale, high, 'M', steps.clone(), Side::Forth));
    path.push_str(&edge(axis, scale, low, 'L', steps.rev(), Side::Back));
    path.push('Z');
    path
}

#[derive(Clone, Copy)]
enum Side {
    Forth,
    Back,
}

/// One edge of an area: a horizontal piece for as long as the value stays the same.
fn edge(
    axis: &Axis,
    scale: &Scale,
    values: &[f64],
    first: char,
    steps: impl Iterator<Item = usize>,
    side: Side,
) -> String {
    let mut path = String::new();
    let mut height: Option<String> = None;
    let mut reached = 0.0;
    for step in steps {
        let begin = x(axis, axis.begin_us(step));
        let end = x(axis, axis.begin_us(step + 1));
        let (from, to) = match side {
            Side::Forth => (begin, end),
            Side::Back => (end, begin),
        };
        let y = format!("{:.1}", scale.y(values.get(step).copied().unwrap_or(0.0)));
        match &height {
            None => path.push_str(&format!("{first}{from:.1} {y}")),
            Some(before) if *before != y => path.push_str(&format!("H{from:.1}V{y}")),
            Some(_) => {}
        }
        height = Some(y);
        reached = to;
    }
    path.push_str(&format!("H{reached:.1}"));
    path
}

#[cfg(test)]
mod tests {
    use super::{Scale, line, stack};
    use crate::report::axis::{Axis, SECOND_US};

    #[test]
    fn grids_are_round_and_hold_the_greatest_value() {
        for most in [0.0, 0.4, 1.0, 7.0, 83.0, 100.0, 1_234.0, 1e19] {
            let scale = Scale::linear(most);
            let grid = scale.grid();
            assert!((2..=5).contains(&grid.len()), "{most}: {grid:?}");
            assert!(
                grid.last().is_some_and(|top| *top >= most),
                "{most}: {grid:?}"
            );
        }
    }

    #[test]
    fn decades_hold_all_values() {
        let scale = Scale::log([2_500.0, 310_000.0].into_iter());
        assert_eq!(scale, Scale::Log { low: 3, high: 6 });
        assert_eq!(
            Scale::log(std::iter::empty()),
            Scale::Log { low: 0, high: 2 }
        );
        assert!((scale.y(1_000_000.0)).abs() < 1e-9);
    }

    #[test]
    fn line_is_broken_where_nothing_is_known() {
        let axis = Axis::over(4 * SECOND_US);
        let scale = Scale::Linear {
            most: 10.0,
            apart: 5.0,
        };
        let values = [Some(0.0), Some(10.0), None, Some(5.0)];
        assert_eq!(
            line(&axis, &scale, &values),
            "M125.0 100.0L375.0 0.0M875.0 50.0h.01"
        );
    }

    #[test]
    fn layers_lie_upon_each_other() {
        let axis = Axis::over(2 * SECOND_US);
        let scale = Scale::Linear {
            most: 10.0,
            apart: 5.0,
        };
        let areas = stack(
            &axis,
            &scale,
            &[vec![5.0, 5.0], vec![0.0, 5.0], vec![0.0, 0.0]],
        );
        assert_eq!(areas[0], "M0.0 50.0H1000.0L1000.0 100.0H0.0Z");
        assert_eq!(areas[1], "M0.0 50.0H500.0V0.0H1000.0L1000.0 50.0H0.0Z");
        assert_eq!(areas[2], "");
    }
}
