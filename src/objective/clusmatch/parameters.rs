//! `[refine]`: what the user may say about refinement.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::objective::{Check, Disturbance, Second, Views};

/// `[refine]` of `refine = "clusmatch"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClusMatchParameters {
    /// Share of a fresh fit, at its end, that refines.
    pub share: f64,
    /// Share of an even cluster whose rows are taken as labelled: of each cluster the same number, nearest to the centroid.
    pub selection: f64,
    /// Steps that the average network and the thresholds look back on.
    pub horizon: f64,
    /// Steps between two k-means of the pool during a fresh fit.
    pub review_steps: usize,
    /// Weight of the labelled rows.
    pub supervised: f64,
    /// Weight of the network's own confident answers.
    pub positive: f64,
    /// Weight of the k-means labels of confident rows.
    pub kmeans: f64,
    /// Weight of the clusters that a row is not in.
    pub negative: f64,
    /// Weight of the fairness term.
    pub fairness: f64,
    /// Noise of the weak view.
    pub weak_jitter: f64,
    /// Noise of the strong view.
    pub jitter: f64,
    /// The strong view drops features with a probability drawn from `0..mask` per row.
    pub mask: f64,
    /// The strong view takes features of another row with a probability drawn from `0..swap` per row.
    pub swap: f64,
    /// Standard deviation of the factor around 1 that the strong view multiplies a row by.
    pub scale: f64,
    /// Views are weakened when fewer rows than this share have a strong view that nearest rows label as they label the row.
    pub agreement: f64,
}

impl Default for ClusMatchParameters {
    fn default() -> Self {
        Self {
            share: 0.3,
            selection: 0.1,
            horizon: 100.0,
            review_steps: 100,
            supervised: 1.0,
            positive: 0.5,
            kmeans: 0.5,
            negative: 0.5,
            fairness: 0.001,
            weak_jitter: 0.05,
            jitter: 0.1,
            mask: 0.5,
            swap: 0.2,
            scale: 0.1,
            agreement: 0.8,
        }
    }
}

impl ClusMatchParameters {
    /// Collects what is wrong with the values.
    pub fn check(&self, check: &mut Check) {
        check.within("share", self.share, "above 0 and below 1", |v| 0.0 < v && v < 1.0);
        check.within("selection", self.selection, "above 0 and at most 1", |v| 0.0 < v && v <= 1.0);
        check.within("horizon", self.horizon, "at least 1", |v| v >= 1.0);
        check.within("review_steps", self.review_steps as f64, "at least 1", |v| v >= 1.0);
        check.not_negative("supervised", self.supervised);
        check.not_negative("positive", self.positive);
        check.not_negative("kmeans", self.kmeans);
        check.not_negative("negative", self.negative);
        check.not_negative("fairness", self.fairness);
        check.not_negative("weak_jitter", self.weak_jitter);
        check.not_negative("jitter", self.jitter);
        check.share("mask", self.mask);
        check.share("swap", self.swap);
        check.not_negative("scale", self.scale);
        check.share("agreement", self.agreement);
    }

    /// What an average keeps of itself at every step.
    pub(super) fn momentum(&self) -> f32 {
        1.0 - self.horizon.recip() as f32
    }

    /// A weak and a strong view of the same row.
    pub(super) fn views(&self) -> Views {
        let weak = Disturbance { jitter: self.weak_jitter as f32, ..Disturbance::default() };
        let strong = Disturbance {
            jitter: self.jitter as f32,
            mask: self.mask as f32,
            swap: self.swap as f32,
            scale: self.scale as f32,
        };
        Views { second: Second::Same, disturbances: [weak, strong] }
    }
}
