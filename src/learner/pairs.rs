//! Pairs of rows that are said to belong together or apart, and what breaking each of them costs.

use std::collections::HashMap;
use std::sync::Arc;

use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::pack::RowTable;
use super::trainer::Item;
use crate::data::Row;
use crate::objective::Link;

/// A constrained pair of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// One end.
    pub first: Item,
    /// The other end.
    pub second: Item,
    /// What is said of them.
    pub link: Link,
    /// Lagrangian multiplier: how much breaking it costs at present.
    pub multiplier: f32,
    /// How far it was from being kept when it was last looked at; 1 before that.
    pub violation: f32,
}

/// How multipliers move and how many pairs are kept.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ascent {
    /// Step of the dual ascent.
    pub rate: f32,
    /// Multipliers stay below this.
    pub cap: f32,
    /// Pairs kept.
    pub capacity: usize,
}

impl Default for Ascent {
    /// The authors' program: step 1, cap 2.
    fn default() -> Self {
        Self { rate: 1.0, cap: 2.0, capacity: 20_000 }
    }
}

/// Multipliers of new pairs.
const START: f32 = 1.0;
/// A pair nearer to being kept than this is dispensable.
const KEPT: f32 = 0.1;
/// Pairs looked at to find a dispensable one before the oldest goes all the same.
const LOOKS: usize = 64;

/// The pairs that are known, each with its multiplier (Duan et al. 2024, equation 17, additive):
///
/// ```text
/// λ ← min(λ + γ·violation, cap)        violation = 1 - agreement (must-link) or agreement (cannot-link)
/// ```
///
/// Multipliers belong to pairs, not to places in fixed batches as in the paper, so that batches can be drawn anew. When the
/// store is full a new pair takes the place of the oldest one that is kept already, or else of the oldest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PairStore {
    ascent: Ascent,
    pairs: Vec<Pair>,
    /// Where the search for a dispensable pair goes on.
    hand: usize,
    /// Places by the sequence numbers of the two rows, the smaller one first.
    places: HashMap<(u64, u64), usize>,
}

/// What two rows are looked up by.
fn both(first: &Item, second: &Item) -> (u64, u64) {
    let (first, second) = (first.0.sequence, second.0.sequence);
    (first.min(second), first.max(second))
}

impl PairStore {
    /// A store without pairs.
    #[must_use]
    pub fn new(ascent: Ascent) -> Self {
        Self { ascent, ..Self::default() }
    }

    /// Adds a pair.
    pub fn insert(&mut self, first: Item, second: Item, link: Link) {
        let rows = both(&first, &second);
        let pair = Pair { first, second, link, multiplier: START.min(self.ascent.cap), violation: 1.0 };
        if self.pairs.len() < self.ascent.capacity {
            self.places.insert(rows, self.pairs.len());
            self.pairs.push(pair);
            return;
        }
        if self.pairs.is_empty() {
            return;
        }
        let len = self.pairs.len();
        let looks = (0..LOOKS.min(len)).map(|step| (self.hand + step) % len);
        let place = looks.clone().find(|place| self.pairs[*place].violation < KEPT).unwrap_or(self.hand);
        let old = std::mem::replace(&mut self.pairs[place], pair);
        let old = both(&old.first, &old.second);
        if self.places.get(&old) == Some(&place) {
            self.places.remove(&old);
        }
        self.places.insert(rows, place);
        self.hand = (place + 1) % len;
    }

    /// Adds a pair, or takes back what was said of it before: the last word counts.
    pub fn say(&mut self, first: Item, second: Item, link: Link) {
        match self.places.get(&both(&first, &second)) {
            None => self.insert(first, second, link),
            Some(place) => {
                let pair = &mut self.pairs[*place];
                if pair.link != link {
                    (pair.link, pair.multiplier, pair.violation) = (link, START.min(self.ascent.cap), 1.0);
                }
            }
        }
    }

    /// Number of pairs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there is no pair.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The pairs.
    #[must_use]
    pub fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// Places of up to `count` different pairs.
    pub fn draw(&self, count: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
        let count = count.min(self.pairs.len());
        // Without pairs nothing is drawn: runs without supervision take the same random numbers as ever.
        if count == 0 { Vec::new() } else { sample(rng, self.pairs.len(), count).into_vec() }
    }

    /// Dual ascent on the pairs at `places`, which agreed this much.
    pub fn ascend(&mut self, places: &[usize], agreements: &[f32]) {
        for (place, agreement) in places.iter().zip(agreements) {
            let pair = &mut self.pairs[*place];
            let violation = pair.link.violation(*agreement);
            if violation.is_finite() {
                pair.violation = violation.clamp(0.0, 1.0);
                pair.multiplier = (pair.multiplier + self.ascent.rate * pair.violation).min(self.ascent.cap);
            }
        }
    }

    /// The same pairs, their multipliers as at first: for another network.
    #[must_use]
    pub fn renewed(&self) -> Self {
        let mut store = self.clone();
        for pair in &mut store.pairs {
            (pair.multiplier, pair.violation) = (START.min(self.ascent.cap), 1.0);
        }
        store
    }

    /// The store with rows replaced by numbers.
    pub(super) fn pack(&self, table: &mut RowTable) -> PackedPairs {
        let pairs = self.pairs.iter();
        let pairs = pairs.map(|pair| PackedPair {
            ends: [(table.put(&pair.first.0), pair.first.1), (table.put(&pair.second.0), pair.second.1)],
            link: pair.link,
            multiplier: pair.multiplier,
            violation: pair.violation,
        });
        PackedPairs { ascent: self.ascent, pairs: pairs.collect(), hand: self.hand as u64 }
    }

    /// The store that was packed.
    ///
    /// # Errors
    /// If a row number is not in `rows`.
    pub(super) fn unpack(packed: PackedPairs, rows: &[Arc<Row>]) -> Result<Self, String> {
        let pairs = packed.pairs.into_iter().map(|pair| {
            let [first, second] = pair.ends.map(|end| item(end, rows));
            let (first, second) = (first?, second?);
            Ok(Pair { first, second, link: pair.link, multiplier: pair.multiplier, violation: pair.violation })
        });
        let pairs: Vec<Pair> = pairs.collect::<Result<_, String>>()?;
        let places = pairs.iter().enumerate().map(|(place, pair)| (both(&pair.first, &pair.second), place)).collect();
        Ok(Self { ascent: packed.ascent, pairs, hand: packed.hand as usize, places })
    }
}

/// A row and its key by their numbers.
pub(super) fn item((number, key): (u32, u32), rows: &[Arc<Row>]) -> Result<Item, String> {
    let row = rows.get(number as usize).ok_or_else(|| format!("row {number} of a pair is missing"))?;
    Ok((Arc::clone(row), key))
}

/// A [`PairStore`] as it stands in a checkpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PackedPairs {
    ascent: Ascent,
    pairs: Vec<PackedPair>,
    hand: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct PackedPair {
    ends: [(u32, u32); 2],
    link: Link,
    multiplier: f32,
    violation: f32,
}

#[cfg(test)]
mod tests;
