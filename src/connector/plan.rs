//! Who reads which rows when: partitions dealt to workers, epochs cut out of partitions.

use super::{Pace, Share};

/// One worker's reading plan over an input of partitions with known row counts.
///
/// Partition `i` belongs to worker `i mod peers`. Every own partition starts at a place on one axis, and epoch `e` is what
/// lies in `e·rows .. (e+1)·rows`: with [`Pace::Ordered`] the axis counts the rows of all partitions, with [`Pace::Free`]
/// only those of the worker's own.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Partition, its place on the axis, its rows; ascending.
    own: Vec<(usize, u64, u64)>,
    epoch_rows: u64,
    end: u64,
}

/// Rows `from .. to` of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub partition: usize,
    pub from: u64,
    pub to: u64,
}

impl Plan {
    /// Plans for partitions of these row counts. An epoch of 0 rows would never end and counts as 1.
    pub(super) fn new(rows: impl IntoIterator<Item = u64>, share: Share, pace: Pace) -> Self {
        let (epoch_rows, ordered) = match pace {
            Pace::Ordered { rows } => (rows, true),
            Pace::Free { rows } => (rows, false),
        };
        let mut own = Vec::new();
        let mut end = 0;
        for (partition, rows) in rows.into_iter().enumerate() {
            let mine = partition % share.peers.max(1) == share.index;
            if mine {
                own.push((partition, end, rows));
            }
            if mine || ordered {
                end += rows;
            }
        }
        Self { own, epoch_rows: epoch_rows.max(1) as u64, end }
    }

    /// This worker's pieces of an epoch in order, or `None` if the input is over.
    pub(super) fn epoch(&self, epoch: u64) -> Option<Vec<Piece>> {
        let start = epoch.checked_mul(self.epoch_rows).filter(|start| *start < self.end)?;
        let end = start.saturating_add(self.epoch_rows);
        let first = self.own.partition_point(|(_, at, rows)| at + rows <= start);
        let pieces = self.own[first..].iter().take_while(|(_, at, _)| *at < end).map(|&(partition, at, rows)| Piece {
            partition,
            from: start.saturating_sub(at),
            to: (end - at).min(rows),
        });
        Some(pieces.filter(|piece| piece.from < piece.to).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows_of(plan: &Plan, epoch: u64, starts: &[u64]) -> Option<Vec<u64>> {
        let pieces = plan.epoch(epoch)?;
        Some(pieces.iter().flat_map(|p| (p.from..p.to).map(|row| starts[p.partition] + row)).collect())
    }

    proptest! {
        #[test]
        fn the_union_over_workers_is_each_row_of_the_epoch_once(
            partitions in prop::collection::vec(0_u64..9, 0..8), peers in 1_usize..4, rows in 1_usize..7,
        ) {
            let starts: Vec<u64> = partitions.iter().scan(0, |sum, n| { *sum += n; Some(*sum - n) }).collect();
            let total: u64 = partitions.iter().sum();
            let plans: Vec<Plan> = (0..peers)
                .map(|index| Plan::new(partitions.iter().copied(), Share { index, peers }, Pace::Ordered { rows }))
                .collect();
            for epoch in 0..total.div_ceil(rows as u64) {
                let mut seen = Vec::new();
                for plan in &plans {
                    let own = rows_of(plan, epoch, &starts).expect("no worker is exhausted before the input is");
                    prop_assert!(own.is_sorted());
                    seen.extend(own);
                }
                seen.sort_unstable();
                let expected: Vec<u64> = (epoch * rows as u64..total.min((epoch + 1) * rows as u64)).collect();
                prop_assert_eq!(seen, expected);
            }
            for plan in &plans {
                prop_assert_eq!(plan.epoch(total.div_ceil(rows as u64)), None);
                prop_assert_eq!(plan.epoch(u64::MAX), None);
            }
        }

        #[test]
        fn a_free_worker_reads_its_own_partitions_in_full_epochs(
            partitions in prop::collection::vec(0_u64..9, 0..8), peers in 1_usize..4, rows in 1_usize..7,
        ) {
            let starts: Vec<u64> = partitions.iter().scan(0, |sum, n| { *sum += n; Some(*sum - n) }).collect();
            let mut seen = Vec::new();
            for index in 0..peers {
                let plan = Plan::new(partitions.iter().copied(), Share { index, peers }, Pace::Free { rows });
                let epochs: Vec<Vec<u64>> = (0..).map_while(|epoch| rows_of(&plan, epoch, &starts)).collect();
                if let Some((_, full)) = epochs.split_last() {
                    prop_assert!(full.iter().all(|epoch| epoch.len() == rows));
                }
                let own: Vec<u64> = epochs.concat();
                prop_assert!(own.is_sorted());
                seen.extend(own);
            }
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..partitions.iter().sum()).collect::<Vec<u64>>());
        }
    }
}
