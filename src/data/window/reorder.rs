//! Readings of one key that may still be overtaken.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A reading on its way, values aside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Stamp {
    pub(super) source: Arc<str>,
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) sequence: u64,
    pub(super) time: Option<i64>,
    pub(super) label: u32,
    /// Where the kept columns of the reading are held.
    pub(super) kept: Kept,
}

/// Batch and row in [`Held`](super::held::Held).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) batch: u32,
    pub(super) row: u32,
}

/// A small buffer in the order of event time; equal times keep the order of arrival.
#[derive(Clone, Debug, Default)]
pub(super) struct Reorder {
    waiting: VecDeque<(Stamp, u32)>,
    /// Values of waiting readings, one slot each.
    slots: Vec<f32>,
    free: Vec<u32>,
}

impl Reorder {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Adds a reading.
    pub(super) fn insert(&mut self, stamp: Stamp, values: &[f32]) {
        let axes = values.len();
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.resize(self.slots.len() + axes, 0.0);
            (self.slots.len() / axes - 1) as u32
        });
        self.slots[slot as usize * axes..][..axes].copy_from_slice(values);
        // Readings come almost in order: the place is near the end.
        let mut place = self.waiting.len();
        while place > 0 && self.waiting[place - 1].0.time > stamp.time {
            place -= 1;
        }
        self.waiting.insert(place, (stamp, slot));
    }

    /// Takes the earliest reading if its time is at most `until`, and copies its values into `values`.
    pub(super) fn release(&mut self, until: Option<i64>, values: &mut [f32]) -> Option<Stamp> {
        if self.waiting.front()?.0.time > until {
            return None;
        }
        let (stamp, slot) = self.waiting.pop_front()?;
        values.copy_from_slice(&self.slots[slot as usize * values.len()..][..values.len()]);
        self.free.push(slot);
        Some(stamp)
    }

    /// The waiting readings in order, with their values.
    pub(super) fn iter(&self, axes: usize) -> impl Iterator<Item = (&Stamp, &[f32])> {
        self.waiting.iter().map(move |(stamp, slot)| (stamp, &self.slots[*slot as usize * axes..][..axes]))
    }

    /// The places of the kept columns, in order.
    pub(super) fn kept_mut(&mut self) -> impl Iterator<Item = &mut Kept> {
        self.waiting.iter_mut().map(|(stamp, _)| &mut stamp.kept)
    }
}
