//! The lines of the table: data, order, settings.

use super::score::Scale;
use evenkeel::benchmark::Order::{self, Interleaved, Natural, Rotated, Shuffled};

/// A data set and how it is read.
#[derive(Clone, Copy, Debug)]
pub struct Set {
    /// File without its ending.
    pub name: &'static str,
    pub clusters: usize,
    pub key: &'static [&'static str],
    /// `[features]` beyond key and label, as TOML.
    pub features: &'static str,
    /// What k-means beside it is given; none for raw readings.
    pub baseline: Option<Scale>,
}

const HAR: Set = Set {
    name: "har_uci_561_full",
    clusters: 6,
    key: &["subject"],
    features: "columns = [\"features\"]\ntime = \"timestamp_ns\"",
    baseline: Some(Scale::Standard),
};
const WATCH: Set = Set {
    name: "watch_statistics_159",
    clusters: 7,
    key: &["device"],
    features: "columns = [\"features\"]\nseries = \"series\"",
    baseline: Some(Scale::Standard),
};
const WATCH_RAW: Set = Set {
    name: "watch_shoulder_raw",
    clusters: 7,
    key: &["subject", "side"],
    features: "series = \"series\"\ntime = \"timestamp_ns\"\nwindow = { sensors = [[\"ax\", \"ay\", \"az\"], \
               [\"wx\", \"wy\", \"wz\"]], rate_hz = 50, length_s = 2.56, hop_s = 1.28 }",
    baseline: None,
};
const HAPT: Set = Set {
    name: "hapt_statistics_159",
    clusters: 6,
    key: &["device"],
    features: "columns = [\"features\"]\nseries = \"series\"",
    baseline: Some(Scale::Standard),
};
const HAPT_RAW: Set = Set {
    name: "hapt_raw_stream",
    clusters: 6,
    key: &["subject"],
    features: "series = \"experiment\"\ntime = \"timestamp_ns\"\nwindow = { sensors = [[\"ax\", \"ay\", \"az\"], \
               [\"gx\", \"gy\", \"gz\"]], rate_hz = 50, length_s = 2.56, hop_s = 1.28 }",
    baseline: None,
};
const USPS: Set = Set {
    name: "usps",
    clusters: 10,
    key: &[],
    features: "columns = [\"features\"]\nscale = { method = \"none\" }",
    baseline: Some(Scale::None),
};
const MNIST: Set = Set { name: "mnist", ..USPS };
const PENDIGITS: Set = Set {
    name: "pendigits",
    features: "columns = [\"features\"]\nscale = { method = \"standard\", per = \"all\" }",
    baseline: Some(Scale::Standard),
    ..USPS
};

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub set: Set,
    pub order: Order,
    /// Settings that differ from the defaults, as they stand on the command line.
    pub settings: &'static [&'static str],
    /// How many labels every device loses.
    pub lost: usize,
}

impl Case {
    const fn new(set: Set, order: Order, settings: &'static [&'static str]) -> Self {
        Self { set, order, settings, lost: 0 }
    }

    const fn losing(set: Set, settings: &'static [&'static str]) -> Self {
        Self { set, order: Natural, settings, lost: 2 }
    }
}

const WIDE: &[&str] = &["learning.reservoir_rows=12000"];
const PLAIN: &[&str] = &[];
const CONSTANT: &[&str] = &["balance.per_key=constant"];
const OFF: &[&str] = &["balance.per_key=off"];
const PAIR: &[&str] = &["balance.per_key=constant", "learning.candidates=2"];

/// All lines.
pub const CASES: &[Case] = &[
    Case::new(HAR, Natural, WIDE),
    Case::new(HAR, Interleaved(5), WIDE),
    Case::new(HAR, Rotated(30), WIDE),
    Case::new(HAR, Shuffled, WIDE),
    Case::new(HAR, Natural, PLAIN),
    Case::new(HAR, Interleaved(5), PLAIN),
    Case::new(HAR, Rotated(30), PLAIN),
    Case::new(HAR, Shuffled, PLAIN),
    Case::new(HAR, Natural, &["learning.reservoir_rows=12000", "learning.passes=3"]),
    Case::new(WATCH, Natural, CONSTANT),
    Case::new(WATCH, Natural, PLAIN),
    Case::new(WATCH, Natural, PAIR),
    Case::new(WATCH, Natural, &["learning.candidates=2"]),
    Case::new(WATCH, Interleaved(5), CONSTANT),
    Case::new(WATCH, Rotated(20), CONSTANT),
    Case::new(WATCH_RAW, Natural, CONSTANT),
    Case::new(WATCH_RAW, Natural, PLAIN),
    Case::new(HAPT, Natural, PLAIN),
    Case::new(HAPT, Rotated(30), PLAIN),
    Case::new(HAPT, Natural, PAIR),
    Case::new(HAPT_RAW, Natural, PLAIN),
    Case::new(USPS, Shuffled, PLAIN),
    Case::new(PENDIGITS, Shuffled, PLAIN),
    Case::new(MNIST, Shuffled, PLAIN),
    Case::losing(HAR, OFF),
    Case::losing(HAR, PLAIN),
    Case::losing(HAR, CONSTANT),
    Case::losing(WATCH, OFF),
    Case::losing(WATCH, PLAIN),
    Case::losing(WATCH, CONSTANT),
];
