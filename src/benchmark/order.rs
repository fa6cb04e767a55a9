//! In which order rows are streamed.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::str::FromStr;

use rand::Rng;
use rand::seq::SliceRandom;

use crate::stats::random::stream;

/// In which order rows reach the learner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// One device after the other, devices shuffled, each in time order.
    Natural,
    /// This many devices at once, taking turns; the next one starts when one has ended.
    Interleaved(usize),
    /// The same, each device starting at a random row of its own and going round.
    Rotated(usize),
    /// All rows shuffled.
    Shuffled,
}

impl fmt::Display for Order {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Natural => write!(formatter, "natural"),
            Self::Interleaved(devices) => write!(formatter, "interleaved {devices}"),
            Self::Rotated(devices) => write!(formatter, "rotated {devices}"),
            Self::Shuffled => write!(formatter, "shuffled"),
        }
    }
}

impl FromStr for Order {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fault = || {
            format!(
                "`{text}` is no order; there are natural, shuffled, interleaved N and rotated N with N devices at once"
            )
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        let devices = |count: &str| count.parse().ok().filter(|count| *count > 0).ok_or_else(fault);
        match words.as_slice() {
            ["natural"] => Ok(Self::Natural),
            ["shuffled"] => Ok(Self::Shuffled),
            ["interleaved", count] => Ok(Self::Interleaved(devices(count)?)),
            ["rotated", count] => Ok(Self::Rotated(devices(count)?)),
            _ => Err(fault()),
        }
    }
}

impl Order {
    /// The order as row numbers; `keys` says whose each row is.
    #[must_use]
    pub fn of<K: Ord>(self, keys: &[K], seed: u64) -> Vec<usize> {
        let mut rng = stream(seed, "order", 0);
        // Devices by first appearance, so that no result depends on how they are called.
        let mut places = BTreeMap::new();
        let mut groups: Vec<VecDeque<usize>> = Vec::new();
        for (row, key) in keys.iter().enumerate() {
            let place = *places.entry(key).or_insert_with(|| {
                groups.push(VecDeque::new());
                groups.len() - 1
            });
            groups[place].push_back(row);
        }
        groups.shuffle(&mut rng);
        let at_once = match self {
            Self::Natural => 1,
            Self::Interleaved(devices) | Self::Rotated(devices) => devices,
            Self::Shuffled => {
                let mut order: Vec<usize> = (0..keys.len()).collect();
                order.shuffle(&mut rng);
                return order;
            }
        };
        if matches!(self, Self::Rotated(_)) {
            groups.iter_mut().for_each(|group| group.rotate_left(rng.random_range(0..group.len())));
        }
        let mut waiting: VecDeque<VecDeque<usize>> = groups.into();
        let mut active: Vec<VecDeque<usize>> = waiting.drain(..at_once.min(waiting.len())).collect();
        let mut order = Vec::with_capacity(keys.len());
        while !active.is_empty() {
            for group in &mut active {
                order.extend(group.pop_front());
                if group.is_empty() {
                    *group = waiting.pop_front().unwrap_or_default();
                }
            }
            active.retain(|group| !group.is_empty());
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 9] = ["a", "a", "a", "a", "b", "b", "b", "c", "c"];

    #[test]
    fn every_order_has_every_row_once_and_is_read_as_it_is_written() {
        for order in [Order::Natural, Order::Shuffled, Order::Interleaved(2), Order::Rotated(3)] {
            let mut rows = order.of(&KEYS, 3);
            rows.sort_unstable();
            assert_eq!(rows, (0..9).collect::<Vec<_>>(), "{order}");
            assert_eq!(order.to_string().parse(), Ok(order));
        }
        for fault in ["", "sideways", "rotated", "rotated 0", "natural 3"] {
            assert!(fault.parse::<Order>().is_err(), "{fault}");
        }
    }

    #[test]
    fn devices_follow_one_another_or_take_turns() {
        let natural = Order::Natural.of(&KEYS, 1);
        assert_eq!(natural.windows(2).filter(|pair| KEYS[pair[0]] != KEYS[pair[1]]).count(), 2);
        let turns: Vec<&str> = Order::Interleaved(3).of(&KEYS, 1)[..3].iter().map(|row| KEYS[*row]).collect();
        assert!(["a", "b", "c"].iter().all(|key| turns.contains(key)), "{turns:?}");
        for device in ["a", "b", "c"] {
            let rows: Vec<usize> =
                Order::Interleaved(2).of(&KEYS, 1).into_iter().filter(|row| KEYS[*row] == device).collect();
            assert!(rows.is_sorted(), "a device stays in the order of time: {rows:?}");
        }
    }
}
