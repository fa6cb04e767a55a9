//! Makes pairs of the rows that something is known about, as they arrive.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::pack::RowTable;
use super::pairs::{PairStore, item};
use super::supervision::{PairList, Supervision, Teacher};
use super::trainer::Item;
use crate::data::{Coordinates, Row, label_text};
use crate::objective::Link;
use crate::replica::Arrival;
use crate::stats::random::{mix, stream};

/// Labelled rows that new ones are paired with.
const LABELLED_ROWS: usize = 4_096;

/// Labelled rows that were met and listed pairs of which one row was met.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matchmaker {
    /// A uniform sample of the labelled rows so far (Vitter 1985, algorithm R).
    labelled: Vec<(Item, Arc<str>)>,
    seen: u64,
    /// Listed pairs by number: the row that waits for the other, or none once both were met.
    met: BTreeMap<u32, Option<Item>>,
}

impl Matchmaker {
    /// A row has arrived that may be learned from. Its label is looked at only if the row is among those that show theirs.
    pub fn meet(
        &mut self,
        supervision: &Supervision,
        seed: u64,
        arrival: &Arrival,
        item: &Item,
        store: &mut PairStore,
    ) {
        match &supervision.teacher {
            Teacher::Pairs(list) => self.meet_listed(list, item, store),
            // `LivePairs` meets them.
            Teacher::Live { .. } => {}
            Teacher::Labels { fraction, partners, ignore } => {
                let mut rng = row_stream(seed, &item.0.coordinates);
                if rng.random::<f64>() >= *fraction {
                    return;
                }
                let Some((batch, place)) = &arrival.extras else { return };
                let Some(column) = batch.column_by_name("label") else { return };
                let Some(label) = label_text(column, *place).filter(|label| Some(label) != ignore.as_ref()) else {
                    return;
                };
                // No draw where there is nothing to draw.
                let more = partners.fract() > 0.0 && rng.random::<f64>() < partners.fract();
                for _ in 0..*partners as usize + usize::from(more) {
                    self.pair(item, &label, store, &mut rng);
                }
                self.remember(item, &label, &mut rng);
            }
        }
    }

    /// Pairs the row with a random labelled one, as often of its own label as of another.
    fn pair(&self, item: &Item, label: &str, store: &mut PairStore, rng: &mut ChaCha8Rng) {
        let same = rng.random::<bool>();
        let place = |same: bool, rng: &mut ChaCha8Rng| {
            let fits =
                |(other, of): &(Item, Arc<str>)| (**of == *label) == same && other.0.coordinates != item.0.coordinates;
            let count = self.labelled.iter().filter(|other| fits(other)).count();
            let pick = if count == 0 { 0 } else { rng.random_range(0..count) };
            self.labelled.iter().filter(|other| fits(other)).nth(pick)
        };
        let partner = place(same, rng).map(|partner| (partner, same));
        let partner = partner.or_else(|| place(!same, rng).map(|partner| (partner, !same)));
        if let Some(((other, _), same)) = partner {
            let link = if same { Link::Must } else { Link::Cannot };
            store.insert(item.clone(), other.clone(), link);
        }
    }

    /// Lets the row take part in the draw of those that later ones are paired with.
    fn remember(&mut self, item: &Item, label: &str, rng: &mut ChaCha8Rng) {
        self.seen += 1;
        let text = self.labelled.iter().find(|(_, of)| **of == *label).map(|(_, of)| Arc::clone(of));
        let entry = (item.clone(), text.unwrap_or_else(|| label.into()));
        if self.labelled.len() < LABELLED_ROWS {
            self.labelled.push(entry);
        } else {
            let slot = rng.random_range(0..self.seen) as usize;
            if slot < LABELLED_ROWS {
                self.labelled[slot] = entry;
            }
        }
    }

    fn meet_listed(&mut self, list: &PairList, item: &Item, store: &mut PairStore) {
        for number in list.of(&item.0.coordinates) {
            match self.met.get_mut(number) {
                None => {
                    self.met.insert(*number, Some(item.clone()));
                }
                // A later pass over the input shows the same row again.
                Some(Some(other)) if other.0.coordinates == item.0.coordinates => {}
                Some(waiting) => {
                    if let Some(other) = waiting.take() {
                        store.insert(other, item.clone(), list.link(*number));
                    }
                }
            }
        }
    }

    pub(super) fn pack(&self, table: &mut RowTable) -> PackedMatchmaker {
        let mut numbered = |(row, key): &Item| (table.put(row), *key);
        PackedMatchmaker {
            labelled: self.labelled.iter().map(|(item, label)| (numbered(item), Arc::clone(label))).collect(),
            seen: self.seen,
            met: self.met.iter().map(|(number, item)| (*number, item.as_ref().map(&mut numbered))).collect(),
        }
    }

    pub(super) fn unpack(packed: PackedMatchmaker, rows: &[Arc<Row>]) -> Result<Self, String> {
        let labelled = packed.labelled.into_iter().map(|(end, label)| Ok((item(end, rows)?, label)));
        let met = packed.met.into_iter().map(|(number, end)| Ok((number, end.map(|end| item(end, rows)).transpose()?)));
        Ok(Self {
            labelled: labelled.collect::<Result<_, String>>()?,
            seen: packed.seen,
            met: met.collect::<Result<_, String>>()?,
        })
    }
}

/// Randomness of one row, the same in every pass over the input: reading it again shows no further label.
fn row_stream(seed: u64, coordinates: &Coordinates) -> ChaCha8Rng {
    let source = coordinates.source.bytes().fold(0, |hash, byte| mix(hash ^ u64::from(byte)));
    let place = mix(source ^ coordinates.partition as u64) ^ coordinates.offset as u64;
    stream(seed, "supervision", mix(place))
}

/// A [`Matchmaker`] as it stands in a checkpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PackedMatchmaker {
    labelled: Vec<((u32, u32), Arc<str>)>,
    seen: u64,
    met: BTreeMap<u32, Option<(u32, u32)>>,
}

#[cfg(test)]
mod tests;
