//! From values to places on the page, and where the ticks go.

use super::{Position, svg, time};

/// A linear map from values to pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    from: f64,
    to: f64,
    start: f64,
    end: f64,
}

impl Scale {
    /// Maps `from` to `start` and `to` to `end`; a span of nothing is widened.
    pub(super) fn new((from, to): (f64, f64), (start, end): (f64, f64)) -> Self {
        let to = if to > from { to } else { from + 1.0 };
        Self { from, to, start, end }
    }

    pub(super) fn at(&self, value: f64) -> f64 {
        self.start + (value - self.from) / (self.to - self.from) * (self.end - self.start)
    }

    /// About `wanted` round values within the span, with their labels.
    pub(super) fn ticks(&self, wanted: usize) -> Vec<(f64, String)> {
        let step = round_step((self.to - self.from) / wanted.max(1) as f64);
        let decimals = (-step.log10().floor()).max(0.0) as usize;
        let first = (self.from / step - 1e-9).ceil() as i64;
        let last = (self.to / step + 1e-9).floor() as i64;
        (first..=last)
            .map(|i| {
                let value = i as f64 * step;
                (value, if step >= 1e6 { svg::value(value) } else { format!("{value:.decimals$}") })
            })
            .collect()
    }
}

/// The smallest of 1, 2, 5 times a power of ten that is not below `least`.
pub(super) fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= least * (1.0 - 1e-9))
        .unwrap_or(10.0 * power)
}

/// The horizontal axis of everything that happens along the stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Along {
    first: Position,
    last: Position,
    scale: Scale,
}

impl Along {
    /// The axis that shows all `positions` between the pixels `start` and `end`; `None` without positions.
    pub(super) fn of(positions: impl Iterator<Item = Position> + Clone, start: f64, end: f64) -> Option<Self> {
        let (first, last) = (positions.clone().min()?, positions.max()?);
        Some(Self { first, last, scale: Scale::new((0.0, distance(first, last)), (start, end)) })
    }

    pub(super) fn at(&self, position: Position) -> f64 {
        self.scale.at(distance(self.first, position))
    }

    /// Pixels and labels of the ticks.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        match (self.first, self.last) {
            (Position::Time(first), Position::Time(last)) => {
                let step = time::step(last.saturating_sub(first), 9);
                let start = first.div_euclid(step) + i64::from(first.rem_euclid(step) > 0);
                (start..=last.div_euclid(step))
                    .map(|i| (self.at(Position::Time(i * step)), time::tick(i * step, step)))
                    .collect()
            }
            (Position::Row(first), Position::Row(last)) => {
                let step = row_step(last - first, 9);
                (first.div_ceil(step)..=last / step)
                    .map(|i| (self.at(Position::Row(i * step)), svg::count(i * step)))
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    /// What the axis shows.
    pub(super) fn caption(&self) -> String {
        match (self.first, self.last) {
            (Position::Time(first), Position::Time(last)) => {
                let (first, last) = (time::date(first), time::date(last));
                if first == last {
                    format!("event time, {first} UTC")
                } else {
                    format!("event time, {first} to {last} UTC")
                }
            }
            _ => "rows of the input".to_owned(),
        }
    }
}

/// A round number of rows that cuts `span` into at most `most` pieces.
pub(super) fn row_step(span: u64, most: u64) -> u64 {
    (round_step((span as f64 / most.max(1) as f64).max(1.0)).ceil() as u64).max(1)
}

/// A position as a reader writes it down.
pub(super) fn label(position: Position) -> String {
    match position {
        Position::Time(time) => time::instant(time),
        Position::Row(row) => svg::count(row),
    }
}

fn distance(from: Position, to: Position) -> f64 {
    match (from, to) {
        (Position::Time(from), Position::Time(to)) => (i128::from(to) - i128::from(from)) as f64,
        (Position::Row(from), Position::Row(to)) => to as f64 - from as f64,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ticks_are_round_and_within_the_span() {
        let labels = |from, to| -> Vec<String> {
            Scale::new((from, to), (0.0, 100.0)).ticks(5).into_iter().map(|(_, label)| label).collect()
        };
        assert_eq!(labels(0.0, 1.0), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(-3.0, 7.5), ["0", "5"]);
        assert_eq!(labels(0.0, 0.0), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(0.0, 0.05), ["0.00", "0.01", "0.02", "0.03", "0.04", "0.05"]);
        assert_eq!(labels(0.0, 5e9)[1], "1.00e9");
    }

    #[test]
    fn time_ticks_stand_on_the_clock() {
        let minute = 60_000_000_000;
        let noon = 1_514_808_000_000_000_000;
        let axis =
            Along::of([noon + minute / 3, noon + 47 * minute].into_iter().map(Position::Time), 0.0, 470.0).unwrap();
        let labels: Vec<String> = axis.ticks().into_iter().map(|(_, label)| label).collect();
        assert_eq!(labels, ["12:10", "12:20", "12:30", "12:40"]);
        assert_eq!(axis.caption(), "event time, 2018-01-01 UTC");
        assert!(Along::of(std::iter::empty(), 0.0, 1.0).is_none());
    }

    proptest! {
        #[test]
        fn there_are_neither_many_ticks_nor_any_outside(from in -1e6f64..1e6, span in 1e-3f64..1e7, wanted in 2usize..12) {
            let scale = Scale::new((from, from + span), (10.0, 500.0));
            let ticks = scale.ticks(wanted);
            prop_assert!(ticks.len() <= wanted + 1, "{ticks:?}");
            for (value, _) in ticks {
                prop_assert!((9.9..500.1).contains(&scale.at(value)));
            }
        }

        #[test]
        fn ticks_along_the_stream_are_few_and_inside(first in 0i64..2_000_000_000_000_000_000, span in 1i64..10_000_000_000_000_000) {
            for ends in [[Position::Time(first), Position::Time(first + span)], [Position::Row(first as u64), Position::Row((first + span) as u64)]] {
                let axis = Along::of(ends.into_iter(), 0.0, 1000.0).unwrap();
                let ticks = axis.ticks();
                prop_assert!(ticks.len() <= 10, "{ticks:?}");
                prop_assert!(ticks.iter().all(|(x, _)| (-0.1..=1000.1).contains(x)), "{ticks:?}");
            }
        }
    }
}
