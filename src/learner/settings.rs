//! Everything a replica is told before it sees a row.

use std::sync::Arc;

use super::parameters::{BalanceParameters, LearningParameters, ModelParameters, PerKey, Target};
use super::reservoir::Nearness;
use super::supervision::Supervision;
use crate::data::ScaleParameters;
use crate::network::Backend;
use crate::objective::{ClusMatch, ClusMatchParameters, Method, Objective};
use crate::stats::drift::DriftParameters;

/// Checked parameters of a replica.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `[model]`
    pub model: ModelParameters,
    /// The method that `model.objective` names.
    pub method: Method,
    /// `[refine]`, where `model.refine` asks for it.
    pub refine: Option<ClusMatchParameters>,
    /// What computes.
    pub backend: Backend,
    /// `[balance]`
    pub balance: BalanceParameters,
    /// `[learning]`
    pub learning: LearningParameters,
    /// `[supervision]`; without it no label is looked at.
    pub supervision: Option<Supervision>,
    /// `[features.scale]`
    pub scale: ScaleParameters,
    /// Seconds of event time in which the reservoir's memory halves; none keeps all rows alike.
    pub half_life: Option<f64>,
    /// How rows find their neighbours.
    pub nearness: Nearness,
    /// `[drift]`
    pub drift: DriftParameters,
    /// The run's seed.
    pub seed: u64,
}

impl Settings {
    /// The method for rows of `features` features.
    #[must_use]
    pub fn objective(&self, features: usize) -> Arc<dyn Objective> {
        let method = self.method.build(&self.model.shape(features));
        match &self.refine {
            Some(parameters) => Arc::new(ClusMatch::new(method, self.model.embedding, parameters.clone())),
            None => method,
        }
    }

    /// The shares that training balances towards, `observed` being those of recent rows, counted only if they are asked for.
    #[must_use]
    pub fn target(&self, observed: impl FnOnce() -> Vec<f64>) -> Vec<f32> {
        let clusters = self.model.clusters;
        match &self.balance.target {
            Target::Uniform => vec![1.0 / clusters as f32; clusters],
            Target::Shares(shares) => shares.iter().map(|s| *s as f32).collect(),
            // Half uniform, so that a cluster that has lost its rows can win some back.
            Target::Observed => observed().iter().map(|s| (0.5 * s + 0.5 / clusters as f64) as f32).collect(),
        }
    }

    /// Share of the replayed rows of a batch that constrained pairs may take.
    #[must_use]
    pub fn batch_share(&self) -> f64 {
        self.supervision.as_ref().map_or(0.0, |supervision| supervision.batch_share)
    }

    /// How many times a fresh fit may seat its clusters again.
    #[must_use]
    pub fn reseats(&self) -> usize {
        self.supervision.as_ref().map_or(0, |supervision| supervision.reseats)
    }

    /// Strength of device balance at `step` of `steps` of a fresh fit.
    #[must_use]
    pub fn device_balance(&self, kind: PerKey, step: usize, steps: usize) -> f32 {
        match kind {
            PerKey::Off => 0.0,
            PerKey::Constant => 0.5,
            PerKey::Fading => 0.5 * (1.0 - 2.0 * step as f32 / steps as f32).max(0.0),
        }
    }

    /// Strength of device balance between fresh fits.
    #[must_use]
    pub fn online_device_balance(&self) -> f32 {
        if self.balance.per_key == PerKey::Off { 0.0 } else { 0.1 }
    }
}
