//! Which checkpoint a run continues from when a broker's transaction has the last word.
//!
//! With exactly-once delivery one transaction commits the outputs, the input's offsets and, in the offsets' metadata, the run
//! and the checkpoint they belong to. A run begins with a transaction that names its checkpoint 0: nothing taken yet. After
//! that, checkpoint `n` is written, then the transaction that names `n` is committed, then `n + 1` is begun. What a crash
//! leaves, step by step, and why the restart is right:
//!
//! ```text
//! crash                                      broker names   on disk      restart
//! before the run's first transaction         nothing        -            begins: nothing was read or written
//! after it, before checkpoint 1              run, 0         -            begins at the offsets that were committed
//! outputs sent, checkpoint n not written     run, n-1       .., n-1      resumes n-1; the open transaction is aborted
//! checkpoint n half written                  run, n-1       .., n.tmp    the same; the file has no name yet and goes
//! checkpoint n written, not committed        run, n-1       .., n-1, n   the same; n is of a future that did not happen
//! commit asked for, no answer                n-1 or n       .., n-1, n   the broker finished or aborted it before it let us
//!                                                                        in again, so what it names is what readers see
//! committed, n+1 not begun                   run, n         .., n        resumes n
//! ```
//!
//! A checkpoint that the broker names is never replaced by an older one: the rows between the two are visible to readers
//! already and would come twice. This is why at least two checkpoints are kept, and why a damaged one is refused here although
//! [`resolve`](super::resolve) would fall back.

use super::{Digest, Found, Refusal, Verdict};

/// What a consumer group has committed for the partitions of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Committed {
    /// Nothing.
    Nothing,
    /// Offsets that name no checkpoint, or not all the same one: somebody else has set them.
    Foreign,
    /// Offsets of one checkpoint.
    Named {
        /// The run.
        run: String,
        /// Its checkpoint; 0 is its beginning.
        id: u64,
    },
}

/// What a start does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Restart {
    /// A first start: where reading begins is decided now.
    First,
    /// The run has begun and nothing else: start from nothing, at the committed offsets.
    Begin {
        /// The run.
        run: String,
        /// Checkpoints that no transaction was committed with: to be removed.
        abandoned: Vec<u64>,
    },
    /// Continue from a checkpoint.
    Resume {
        /// It.
        id: u64,
        /// Checkpoints that no transaction was committed with: to be removed.
        abandoned: Vec<u64>,
    },
    /// Do not start.
    Refuse {
        /// Why, and what to do.
        reason: Refusal,
    },
}

/// Decides what to continue from, for a run with the settings `plan`.
pub fn restart(found: &[Found], plan: &Digest, committed: &Committed) -> Restart {
    let newest = found.iter().map(|found| found.id).max();
    let refuse = |reason| Restart::Refuse { reason };
    let (run, id) = match (committed, newest) {
        (Committed::Nothing | Committed::Foreign, None) => return Restart::First,
        (Committed::Nothing, Some(newest)) => return refuse(Refusal::OffsetsGone { newest }),
        (Committed::Foreign, Some(newest)) => return refuse(Refusal::OffsetsMoved { newest }),
        (Committed::Named { run, id }, _) => (run, *id),
    };
    if id == 0 {
        // Those of another run are what a crash during --fresh has left.
        return Restart::Begin { run: run.clone(), abandoned: found.iter().map(|found| found.id).collect() };
    }
    let Some(named) = found.iter().find(|found| found.id == id) else {
        return refuse(Refusal::NamedMissing { id });
    };
    match &named.verdict {
        Verdict::Damaged { reason } => refuse(Refusal::NamedDamaged { id, reason: reason.clone() }),
        Verdict::Newer { found, supported } => refuse(Refusal::Newer { id, found: *found, supported: *supported }),
        Verdict::Whole { run: other, .. } if other.as_ref() != Some(run) => refuse(Refusal::NamedMissing { id }),
        Verdict::Whole { digest, .. } => {
            let differences = digest.differences(plan);
            if !differences.is_empty() {
                return refuse(Refusal::OtherSettings { id, differences });
            }
            let abandoned: Vec<u64> = found.iter().map(|found| found.id).filter(|other| *other > id).collect();
            match newest {
                // One more is a crash before its commit. Two more would mean that the one between was committed.
                Some(newest) if newest > id + 1 => refuse(Refusal::OffsetsMoved { newest }),
                _ => Restart::Resume { id, abandoned },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn plan(clusters: &str) -> Digest {
        [("model.clusters", clusters)].into_iter().collect()
    }

    fn file(id: u64, verdict: Verdict) -> Found {
        Found { id, path: PathBuf::from(format!("checkpoint-{id:08}.ek")), verdict }
    }

    fn whole(id: u64, run: &str) -> Found {
        file(id, Verdict::Whole { digest: plan("6"), run: Some(run.to_owned()) })
    }

    fn damaged(id: u64) -> Found {
        file(id, Verdict::Damaged { reason: format!("{id} is torn") })
    }

    fn named(run: &str, id: u64) -> Committed {
        Committed::Named { run: run.to_owned(), id }
    }

    #[test]
    fn every_gap_restarts_as_its_table_says() {
        let resume = |id, abandoned: &[u64]| Restart::Resume { id, abandoned: abandoned.to_vec() };
        let begin = |abandoned: &[u64]| Restart::Begin { run: "a".to_owned(), abandoned: abandoned.to_vec() };
        let refuse = |reason| Restart::Refuse { reason };
        let table = [
            ("a first start", vec![], Committed::Nothing, Restart::First),
            ("a group that another program used before", vec![], Committed::Foreign, Restart::First),
            ("before checkpoint 1", vec![], named("a", 0), begin(&[])),
            ("checkpoint 1 not committed", vec![whole(1, "a")], named("a", 0), begin(&[1])),
            ("a fresh start was cut off", vec![whole(7, "old"), whole(8, "old")], named("a", 0), begin(&[7, 8])),
            ("outputs sent, checkpoint not written", vec![whole(1, "a")], named("a", 1), resume(1, &[])),
            ("checkpoint not committed", vec![whole(1, "a"), whole(2, "a")], named("a", 1), resume(1, &[2])),
            ("it is torn as well", vec![whole(1, "a"), damaged(2)], named("a", 1), resume(1, &[2])),
            ("committed", vec![whole(1, "a"), whole(2, "a")], named("a", 2), resume(2, &[])),
            ("an older one is torn", vec![damaged(1), whole(2, "a")], named("a", 2), resume(2, &[])),
            (
                "the committed one is torn",
                vec![whole(1, "a"), damaged(2)],
                named("a", 2),
                refuse(Refusal::NamedDamaged { id: 2, reason: "2 is torn".to_owned() }),
            ),
            ("the committed one is gone", vec![whole(1, "a")], named("a", 2), refuse(Refusal::NamedMissing { id: 2 })),
            ("another folder", vec![], named("a", 2), refuse(Refusal::NamedMissing { id: 2 })),
            ("of another run", vec![whole(2, "b")], named("a", 2), refuse(Refusal::NamedMissing { id: 2 })),
            ("offsets expired", vec![whole(2, "a")], Committed::Nothing, refuse(Refusal::OffsetsGone { newest: 2 })),
            ("offsets reset", vec![whole(2, "a")], Committed::Foreign, refuse(Refusal::OffsetsMoved { newest: 2 })),
            (
                "offsets set back with their metadata",
                vec![whole(1, "a"), whole(2, "a"), whole(3, "a")],
                named("a", 1),
                refuse(Refusal::OffsetsMoved { newest: 3 }),
            ),
            (
                "of a later program",
                vec![file(2, Verdict::Newer { found: 9, supported: 1 })],
                named("a", 2),
                refuse(Refusal::Newer { id: 2, found: 9, supported: 1 }),
            ),
        ];
        for (case, found, committed, expected) in table {
            assert_eq!(restart(&found, &plan("6"), &committed), expected, "{case}");
        }
    }

    #[test]
    fn other_settings_are_refused_by_name() {
        let decision = restart(&[whole(1, "a")], &plan("8"), &named("a", 1));
        let Restart::Refuse { reason } = decision else { panic!("resumed") };
        assert!(reason.to_string().contains("`model.clusters` was 6 and is 8"), "{reason}");
    }
}
