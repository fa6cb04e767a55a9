//! What the user may say about pairs: `[supervision]`.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pairs::Ascent;
use crate::data::Coordinates;
use crate::objective::Link;

/// `[supervision]`: where pairs of rows come from that are known to belong together or apart. Without this table nothing but the
/// output's `label` column ever sees a label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SupervisionParameters {
    /// This share of the rows, chosen at random, shows its label (`features.label`); each of them is paired with earlier ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub label_fraction: Option<f64>,
    /// With how many earlier ones, on average.
    #[schemars(range(min = 0.0, max = 64.0))]
    pub pairs_per_label: f64,
    /// A Parquet file of pairs: `first_offset`, `second_offset`, `link` ("must" or "cannot"), and, where there are several
    /// input files, `first_source` and `second_source`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pairs: Option<PathBuf>,
    /// A topic of pairs, beside [source.kafka]: JSON objects of `first_offset`, `second_offset`, `link` ("must" or "cannot"), and,
    /// where the input is several partitions or topics, `first_partition`, `second_partition`, `first_source`, `second_source`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pairs_topic: Option<String>,
    /// A label that means none, such as "-1".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore_label: Option<String>,
    /// Share of the replayed rows of a batch that constrained pairs may take.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub batch_share: f64,
    /// Step of the dual ascent on the multipliers.
    pub ascent: f64,
    /// Multipliers stay below this; they start at 1.
    pub multiplier_cap: f64,
    /// How many times a fresh fit may seat its clusters again because pairs show that one of them holds two groups; 0 as published.
    #[schemars(range(min = 0, max = 64))]
    pub reseats: usize,
    /// Pairs that are remembered; as many more may wait for a row that is still to come.
    #[schemars(range(min = 1))]
    pub pairs_kept: usize,
}

impl Default for SupervisionParameters {
    /// The authors' program: 51 of 128 pairs per batch, step 1, cap 2.
    fn default() -> Self {
        let ascent = Ascent::default();
        Self {
            label_fraction: None,
            pairs_per_label: 1.0,
            pairs: None,
            pairs_topic: None,
            ignore_label: None,
            batch_share: 0.4,
            ascent: f64::from(ascent.rate),
            multiplier_cap: f64::from(ascent.cap),
            reseats: 4,
            pairs_kept: ascent.capacity,
        }
    }
}

impl SupervisionParameters {
    /// How multipliers move.
    #[must_use]
    pub fn dual(&self) -> Ascent {
        Ascent { rate: self.ascent as f32, cap: self.multiplier_cap as f32, capacity: self.pairs_kept }
    }
}

/// A pair that the user has listed.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedPair {
    /// Its two rows.
    pub ends: [Coordinates; 2],
    /// What is said of them.
    pub link: Link,
}

/// Listed pairs, and which rows they are about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PairList {
    pairs: Vec<ListedPair>,
    places: HashMap<Coordinates, Vec<u32>>,
}

impl PairList {
    /// Looks up nothing yet; knows every end.
    #[must_use]
    pub fn new(pairs: Vec<ListedPair>) -> Self {
        let mut places = HashMap::<Coordinates, Vec<u32>>::new();
        for (pair, number) in pairs.iter().zip(0..) {
            for end in &pair.ends {
                places.entry(end.clone()).or_default().push(number);
            }
        }
        Self { pairs, places }
    }

    /// Numbers of the pairs that a row is an end of.
    #[must_use]
    pub fn of(&self, row: &Coordinates) -> &[u32] {
        self.places.get(row).map_or(&[], Vec::as_slice)
    }

    /// What is said in pair `number`.
    #[must_use]
    pub fn link(&self, number: u32) -> Link {
        self.pairs[number as usize].link
    }
}

/// Where pairs come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Teacher {
    /// The label column, of this share of the rows.
    Labels {
        /// Above 0, at most 1.
        fraction: f64,
        /// Earlier rows that each of them is paired with, on average.
        partners: f64,
        /// A label that means none.
        ignore: Option<String>,
    },
    /// A list.
    Pairs(Arc<PairList>),
    /// Whoever speaks up while the stream goes on.
    Live {
        /// Rows of a partition come by ascending offset: one that was passed over will not come any more.
        ordered: bool,
    },
}

/// Checked `[supervision]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Supervision {
    /// Where pairs come from.
    pub teacher: Teacher,
    /// Share of the replayed rows of a batch that constrained pairs may take.
    pub batch_share: f64,
    /// How multipliers move.
    pub ascent: Ascent,
    /// How many times a fresh fit may seat its clusters again.
    pub reseats: usize,
}
