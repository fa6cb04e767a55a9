//! One series, cut into windows.

use serde::{Deserialize, Serialize};

/// Sizes of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shape {
    /// Readings of a window.
    pub(super) length: usize,
    /// Readings between window starts.
    pub(super) hop: usize,
    /// Values of a reading.
    pub(super) axes: usize,
}

/// The readings of the open series that a later window may need: window `k` holds readings `k·hop .. k·hop + length`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Cut {
    /// Row-major `[readings, axes]`.
    values: Vec<f32>,
    labels: Vec<u32>,
    /// How many of the first readings are in an earlier window already.
    windowed: usize,
    /// How many readings pass before the next window starts.
    skip: usize,
}

/// What became of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    /// It lies between two windows.
    Skipped,
    /// Its window is not full yet.
    Open,
    /// It completed a window: to be read, then [`advance`](Cut::advance)d.
    Full,
}

impl Cut {
    pub(super) fn push(&mut self, shape: Shape, values: &[f32], label: u32) -> Pushed {
        if self.skip > 0 {
            self.skip -= 1;
            return Pushed::Skipped;
        }
        self.values.extend_from_slice(values);
        self.labels.push(label);
        if self.labels.len() == shape.length { Pushed::Full } else { Pushed::Open }
    }

    /// The readings since the start of the window, row-major.
    pub(super) fn values(&self) -> &[f32] {
        &self.values
    }

    /// The label of each of these readings.
    pub(super) fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// Moves from a full window to the next.
    pub(super) fn advance(&mut self, shape: Shape) {
        let gone = shape.hop.min(shape.length);
        self.values.drain(..gone * shape.axes);
        self.labels.drain(..gone);
        self.windowed = self.labels.len();
        self.skip = shape.hop - gone;
    }

    /// Ends the series and says how many readings are left that are in no window.
    pub(super) fn end(&mut self) -> u64 {
        let left = self.labels.len() - self.windowed;
        self.values.clear();
        self.labels.clear();
        self.windowed = 0;
        self.skip = 0;
        left as u64
    }

    /// Whether it can be worked with (a snapshot may be damaged).
    pub(super) fn sound(&self, shape: Shape, known_label: impl Fn(u32) -> bool) -> bool {
        let readings = self.labels.len();
        self.values.len() == readings * shape.axes
            && readings < shape.length
            && self.windowed <= readings
            && self.labels.iter().all(|&label| known_label(label))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Cut, Pushed, Shape};

    proptest! {
        #[test]
        fn windows_are_where_the_definition_puts_them(length in 2_usize..12, hop in 1_usize..20, readings in 0_usize..60) {
            let shape = Shape { length, hop, axes: 1 };
            let mut cut = Cut::default();
            let mut windows = Vec::new();
            let mut unwindowed = 0;
            for reading in 0..readings {
                match cut.push(shape, &[reading as f32], 0) {
                    Pushed::Skipped => unwindowed += 1,
                    Pushed::Open => {}
                    Pushed::Full => {
                        windows.push(cut.values().to_vec());
                        cut.advance(shape);
                    }
                }
            }
            unwindowed += cut.end();
            let expected: Vec<Vec<f32>> = (0..readings)
                .step_by(hop)
                .filter(|start| start + length <= readings)
                .map(|start| (start..start + length).map(|reading| reading as f32).collect())
                .collect();
            let covered = (0..readings).filter(|&r| expected.iter().flatten().any(|&v| v == r as f32)).count();
            prop_assert_eq!(windows, expected);
            prop_assert_eq!(unwindowed, (readings - covered) as u64);
        }
    }
}
