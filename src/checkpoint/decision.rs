//! Which checkpoint a run continues from: a pure function of what was found.

use std::path::PathBuf;

use super::{Difference, Digest};

/// A checkpoint file, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The checkpoint, by its file name.
    pub id: u64,
    /// The file.
    pub path: PathBuf,
    /// What the check found.
    pub verdict: Verdict,
}

/// What the check of a checkpoint found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All checksums hold.
    Whole {
        /// The settings it was made with.
        digest: Digest,
        /// The run that made it, where runs are told apart.
        run: Option<String>,
    },
    /// It is not what was written.
    Damaged {
        /// Which file, which section, what is wrong.
        reason: String,
    },
    /// It is of a later program.
    Newer {
        /// Its format.
        found: u32,
        /// The newest format this program knows.
        supported: u32,
    },
}

/// What a start does with the checkpoints there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// There is none: start from nothing.
    Fresh,
    /// Continue from the newest.
    Resume {
        /// It.
        id: u64,
    },
    /// The newest are damaged: say so, [set them aside](super::Store::set_aside), continue from an older one.
    FallBack {
        /// The damaged ones, newest first, each with what is wrong.
        bad: Vec<(u64, String)>,
        /// The newest whole one.
        to: u64,
    },
    /// Do not start.
    Refuse {
        /// Why, and what to do.
        reason: Refusal,
    },
}

/// Why a run cannot continue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The checkpoint is of another pipeline.
    #[error(
        "checkpoint {id} was made with other settings: {}; change them back, choose another run_dir, or start anew with \
         --fresh",
        join(differences)
    )]
    OtherSettings {
        /// The newest whole checkpoint.
        id: u64,
        /// Every setting that differs.
        differences: Vec<Difference>,
    },
    /// The checkpoint is of a later program. An older one is not used instead: it would undo what that program did.
    #[error(
        "checkpoint {id} has format {found} and this program knows formats up to {supported}; use the newer program that \
         wrote it, or start anew with --fresh"
    )]
    Newer {
        /// The checkpoint.
        id: u64,
        /// Its format.
        found: u32,
        /// The newest format this program knows.
        supported: u32,
    },
    /// Checkpoints, and a group that has committed nothing.
    #[error(
        "checkpoint {newest} is here, but the consumer group has committed no offsets: they have expired \
         (offsets.retention.minutes of the broker), or the group or the broker is another one; go back to the old one, or start \
         anew with --fresh"
    )]
    OffsetsGone {
        /// The newest checkpoint.
        newest: u64,
    },
    /// Checkpoints, and offsets that were not committed with any of them.
    #[error(
        "checkpoint {newest} is here, but the offsets of the consumer group were set by something else than this \
         pipeline; rows would be lost or come twice. Start anew with --fresh"
    )]
    OffsetsMoved {
        /// The newest checkpoint.
        newest: u64,
    },
    /// The committed checkpoint is not there.
    #[error(
        "the consumer group has committed checkpoint {id}, which is not in the checkpoint folder: use the run_dir of the run \
         that wrote it, restore it from a backup, or start anew with --fresh"
    )]
    NamedMissing {
        /// The checkpoint.
        id: u64,
    },
    /// The committed checkpoint is damaged.
    #[error(
        "{reason}; the consumer group has committed it, so that an older one would write rows twice: restore it from a \
         backup, or start anew with --fresh"
    )]
    NamedDamaged {
        /// The checkpoint.
        id: u64,
        /// What is wrong.
        reason: String,
    },
    /// No checkpoint can be used.
    #[error("all checkpoints are damaged: {}; restore one from a backup, or start anew with --fresh", join_bad(bad))]
    AllDamaged {
        /// All of them, newest first, each with what is wrong.
        bad: Vec<(u64, String)>,
    },
}

fn join(differences: &[Difference]) -> String {
    differences.iter().map(Difference::to_string).collect::<Vec<_>>().join(", ")
}

fn join_bad(bad: &[(u64, String)]) -> String {
    bad.iter().map(|(_, reason)| reason.as_str()).collect::<Vec<_>>().join("; ")
}

/// Decides what to continue from, for a run with the settings `plan`.
///
/// The newest whole checkpoint is used, or none: one of another pipeline or of a later program ends the search.
pub fn resolve(found: &[Found], plan: &Digest) -> Decision {
    let mut newest_first: Vec<&Found> = found.iter().collect();
    newest_first.sort_by_key(|found| std::cmp::Reverse(found.id));
    let mut bad = Vec::new();
    for Found { id, verdict, .. } in newest_first {
        let id = *id;
        match verdict {
            Verdict::Damaged { reason } => bad.push((id, reason.clone())),
            Verdict::Newer { found, supported } => {
                return Decision::Refuse { reason: Refusal::Newer { id, found: *found, supported: *supported } };
            }
            Verdict::Whole { digest, .. } => {
                let differences = digest.differences(plan);
                return if !differences.is_empty() {
                    Decision::Refuse { reason: Refusal::OtherSettings { id, differences } }
                } else if bad.is_empty() {
                    Decision::Resume { id }
                } else {
                    Decision::FallBack { bad, to: id }
                };
            }
        }
    }
    if bad.is_empty() { Decision::Fresh } else { Decision::Refuse { reason: Refusal::AllDamaged { bad } } }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(clusters: &str) -> Digest {
        [("model.clusters", clusters), ("pipeline.seed", "7")].into_iter().collect()
    }

    fn found(id: u64, verdict: Verdict) -> Found {
        Found { id, path: PathBuf::from(format!("checkpoint-{id:08}.ek")), verdict }
    }

    fn whole(id: u64, clusters: &str) -> Found {
        found(id, Verdict::Whole { digest: plan(clusters), run: None })
    }

    fn damaged(id: u64) -> Found {
        found(id, Verdict::Damaged { reason: format!("{id} is torn") })
    }

    fn newer(id: u64) -> Found {
        found(id, Verdict::Newer { found: 9, supported: 1 })
    }

    fn bad(ids: &[u64]) -> Vec<(u64, String)> {
        ids.iter().map(|id| (*id, format!("{id} is torn"))).collect()
    }

    fn other(id: u64) -> Decision {
        let differences = plan("6").differences(&plan("8"));
        Decision::Refuse { reason: Refusal::OtherSettings { id, differences } }
    }

    #[test]
    fn every_decision_follows_its_table() {
        let refuse = |reason| Decision::Refuse { reason };
        let table: Vec<(&str, Vec<Found>, &str, Decision)> = vec![
            ("nothing there", vec![], "6", Decision::Fresh),
            ("one", vec![whole(1, "6")], "6", Decision::Resume { id: 1 }),
            (
                "the newest of several",
                vec![whole(1, "6"), whole(3, "6"), whole(2, "6")],
                "6",
                Decision::Resume { id: 3 },
            ),
            ("an old one is damaged", vec![damaged(1), whole(2, "6")], "6", Decision::Resume { id: 2 }),
            ("an old one is of another run", vec![whole(1, "8"), whole(2, "6")], "6", Decision::Resume { id: 2 }),
            (
                "the newest is damaged",
                vec![whole(1, "6"), damaged(2)],
                "6",
                Decision::FallBack { bad: bad(&[2]), to: 1 },
            ),
            (
                "two are damaged",
                vec![damaged(3), whole(1, "6"), damaged(2)],
                "6",
                Decision::FallBack { bad: bad(&[3, 2]), to: 1 },
            ),
            ("all are damaged", vec![damaged(1), damaged(2)], "6", refuse(Refusal::AllDamaged { bad: bad(&[2, 1]) })),
            ("other settings", vec![whole(1, "8"), whole(2, "6")], "8", other(2)),
            ("other settings below a damaged one", vec![whole(1, "6"), damaged(2)], "8", other(1)),
            (
                "a later program",
                vec![whole(1, "6"), newer(2)],
                "6",
                refuse(Refusal::Newer { id: 2, found: 9, supported: 1 }),
            ),
            (
                "a later program below a damaged one",
                vec![whole(1, "6"), newer(2), damaged(3)],
                "6",
                refuse(Refusal::Newer { id: 2, found: 9, supported: 1 }),
            ),
            ("a later program long ago", vec![newer(1), whole(2, "6")], "6", Decision::Resume { id: 2 }),
        ];
        for (case, found, clusters, expected) in table {
            assert_eq!(resolve(&found, &plan(clusters)), expected, "{case}");
        }
    }

    #[test]
    fn a_refusal_says_every_setting_and_what_to_do() {
        let mut changed = plan("8");
        changed.insert("model.encoder", "[64]");
        let Decision::Refuse { reason } = resolve(&[whole(4, "6")], &changed) else { panic!("resumed") };
        let text = reason.to_string();
        for part in
            ["checkpoint 4", "`model.clusters` was 6 and is 8", "`model.encoder` was unset and is [64]", "--fresh"]
        {
            assert!(text.contains(part), "{part} is not in: {text}");
        }
        assert!(!text.contains("seed"), "{text}");
        let Decision::Refuse { reason } = resolve(&[damaged(1), damaged(2)], &plan("6")) else { panic!("resumed") };
        assert!(reason.to_string().contains("2 is torn; 1 is torn"), "{reason}");
    }
}
