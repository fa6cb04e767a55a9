//! What is learned: published losses and our own behind one trait.
//!
//! An objective owns the shape of its network and its loss. It does not own optimisers, schedules, batches, scaling, replay
//! or workers: those are the learner's and are the same for all. Terms that couple the rows of a batch read the *evidence*:
//! a small matrix with one line per row of the whole batch, gathered from all workers before any of them differentiates.

mod aecm;
mod autoencoder;
mod autoencoder_kmeans;
mod autoencoder_mixture;
mod balanced;
mod clusmatch;
mod cm;
mod constraint;
mod contractive;
mod draws;
mod dvae;
mod even;
mod idec;
mod kdae;
mod method;
mod module;
mod schedule;
mod similarity;
mod student;
mod vade;
mod variational;

use std::ops::Range;

pub use aecm::{AeCm, AeCmParameters};
pub use autoencoder::Autoencoder;
pub use autoencoder_kmeans::{AutoencoderKMeans, AutoencoderKMeansParameters};
pub use autoencoder_mixture::{AutoencoderMixture, AutoencoderMixtureParameters};
pub use balanced::{Balanced, BalancedParameters};
pub use clusmatch::{ClusMatch, ClusMatchParameters};
pub use cm::{Cm, CmParameters, Start};
pub use constraint::{Constraint, Link};
pub use contractive::{ContractiveFocal, ContractiveFocalParameters, Jacobian, PseudoTargets};
pub use dvae::{Dvae, DvaeParameters};
pub use even::{Even, EvenParameters};
pub use idec::{Idec, IdecParameters};
pub use kdae::{KDae, KDaeParameters};
pub use method::{Check, Method, Parameters, Shape, Visitor};
pub use module::ClusteringModule;
use rand_chacha::ChaCha8Rng;
pub use schedule::{Decay, Schedule, Stage};
pub use similarity::SimilarityNorm;
pub use student::{Student, squared_distances};
pub use vade::{Vade, VadeParameters};
pub use variational::Likelihood;

use crate::network::{AdamSettings, Device, Layout, Tensor};

/// What inference gives.
#[derive(Clone, Debug)]
pub struct Inference {
    /// `[rows, embedding]`
    pub embedding: Tensor<2>,
    /// Logarithms of the responsibilities up to a constant per row: `[rows, clusters]`; the largest is the natural cluster.
    pub scores: Tensor<2>,
    /// Distance of each embedding to each centroid: `[rows, clusters]`
    pub distances: Tensor<2>,
}

/// A forward pass whose graph is still alive.
#[derive(Clone, Debug)]
pub struct Pass {
    /// Scaled rows: `[rows, features]`; whole ones, for decoders to give back, where pretraining drops features of what is
    /// encoded.
    pub input: Tensor<2>,
    /// `[rows, embedding]`
    pub embedding: Tensor<2>,
    /// What the clustering head gives; its meaning is the objective's.
    pub head: Tensor<2>,
    /// Whatever else the loss needs, in the objective's own order.
    pub extra: Vec<Tensor<2>>,
}

/// What a loss may know beside its own pass.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    /// Pairs in the whole batch. Rows `i` and `pairs + i` of the batch are the two views of pair `i`.
    pub pairs: usize,
    /// The pairs of this pass; its rows are the first views of these pairs, then the second ones.
    pub slice: Range<usize>,
    /// How many pairs at the start of the batch are fresh from the stream, not replayed.
    pub fresh: usize,
    /// Evidence of all rows of the batch: `[2·pairs, evidence_width]`.
    pub evidence: &'a [f32],
    /// What device balance subtracts from the scaled logits: `[2·pairs, clusters]`.
    pub device_prices: &'a [f32],
    /// Shares that training balances towards: `[clusters]`.
    pub target: &'a [f32],
    /// Strength of the balance.
    pub strength: f32,
    /// Which pairs of the batch are constrained, ascending; none without supervision.
    pub constraints: &'a [Constraint],
    /// What is learned at present.
    pub stage: Stage,
    /// How much of the stage is over, from 0 to 1; 1 between fresh fits.
    pub progress: f64,
    /// All parameters, state included, as the step found them.
    pub parameters: &'a [f32],
}

impl Context<'_> {
    /// The lines of evidence of this pass's own rows: `[2·slice, width]`, constants of the step.
    #[must_use]
    pub fn own_evidence(&self, width: usize) -> Vec<f32> {
        let (slice, pairs) = (self.slice.clone(), self.pairs);
        let halves = [slice.start..slice.end, pairs + slice.start..pairs + slice.end];
        halves.into_iter().flat_map(|half| &self.evidence[half.start * width..half.end * width]).copied().collect()
    }
}

/// What the second half of a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Second {
    /// A neighbour of the first row, in time if rows have a time.
    Neighbour,
    /// Another random row.
    Other,
    /// The first row once more.
    Same,
}

/// How a view differs from its row.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Disturbance {
    /// Standard deviation of the noise added to scaled features.
    pub jitter: f32,
    /// Each row drops its features with a probability drawn from `0..mask`.
    pub mask: f32,
    /// Each row takes features of another row of the batch with a probability drawn from `0..swap`.
    pub swap: f32,
    /// Standard deviation of the factor around 1 that a row is multiplied by.
    pub scale: f32,
}

impl Disturbance {
    /// `strength` times as strong.
    #[must_use]
    pub fn times(self, strength: f32) -> Self {
        let Self { jitter, mask, swap, scale } = self;
        Self { jitter: jitter * strength, mask: mask * strength, swap: swap * strength, scale: scale * strength }
    }
}

/// How views of a row are made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Views {
    /// What the second view shows.
    pub second: Second,
    /// What is done to first and second views.
    pub disturbances: [Disturbance; 2],
}

impl Views {
    /// Rows as they are, each on its own.
    pub const PLAIN: Self = Self {
        second: Second::Other,
        disturbances: [Disturbance { jitter: 0.0, scale: 0.0, mask: 0.0, swap: 0.0 }; 2],
    };
}

/// Rows that clusters are seated on, reviewed, or looked at.
#[derive(Clone, Debug)]
pub struct Seating<'a> {
    /// Scaled rows: `[rows, features]`.
    pub rows: &'a [f32],
    /// Their embeddings: `[rows, embedding]`.
    pub embeddings: &'a [f32],
    /// What computes.
    pub device: &'a Device,
}

/// A clustering method.
///
/// A new one costs one file and one line in the list of [`Method`].
pub trait Objective: Send + Sync {
    /// The matrices of the network.
    fn layout(&self) -> &Layout;
    /// Number of clusters.
    fn clusters(&self) -> usize;
    /// How views are made.
    fn views(&self) -> Views;
    /// The method that learns in `stage`, where that is not this one: a refinement lets the refined method go first. Its
    /// matrices are the first ones of this method's layout.
    fn in_stage(&self, _stage: Stage) -> Option<&dyn Objective> {
        None
    }
    /// What the state multiplies the disturbance of second views by.
    fn view_strength(&self, _parameters: &[f32]) -> f32 {
        1.0
    }
    /// Constants of the optimiser.
    fn adam(&self) -> AdamSettings {
        AdamSettings::default()
    }
    /// When and how fast it learns.
    fn schedule(&self) -> Schedule {
        Schedule::default()
    }
    /// Embeds and scores rows.
    fn infer(&self, matrices: &[Tensor<2>], rows: Tensor<2>) -> Inference;
    /// Runs a batch slice forward. `seeds`: one per row, the same on any worker; whatever is drawn for a row derives from it.
    fn forward(&self, leaves: &[Tensor<2>], rows: Tensor<2>, seeds: &[u64]) -> Pass;
    /// Width of a line of evidence.
    fn evidence_width(&self) -> usize {
        self.clusters()
    }
    /// What other rows of the batch must know about these: `[rows, evidence_width]`, row-major, detached.
    fn evidence(&self, pass: &Pass) -> Vec<f32>;
    /// The slice's part of the loss: the parts of all slices add up to the loss of the batch.
    fn loss(&self, leaves: &[Tensor<2>], pass: &Pass, context: &Context<'_>) -> Tensor<1>;
    /// The temperature that scaled logits are divided by when device prices are solved; `None` if the method has none.
    fn code_temperature(&self) -> Option<f32> {
        None
    }
    /// For each constraint of the batch how much the assignments of its two rows agree, from 0 to 1, by the gathered evidence;
    /// empty for methods that take no constraints.
    fn agreements(&self, _context: &Context<'_>) -> Vec<f32> {
        Vec::new()
    }
    /// Puts clusters where the embeddings are, after pretraining.
    fn seat(&self, _parameters: &mut [f32], _seating: &Seating<'_>, _rng: &mut ChaCha8Rng) {}
    /// Puts clusters at the means of groups of `embeddings`, `[rows, embedding]`; each cluster has rows among `groups`. For
    /// methods that take constraints.
    fn seat_groups(&self, _parameters: &mut [f32], _embeddings: &[f32], _groups: &[u32]) {}
    /// Looks at rows of the pool when refinement begins and again every [`Schedule::review_steps`].
    fn review(&self, _parameters: &mut [f32], _seating: &Seating<'_>, _rng: &mut ChaCha8Rng) {}
    /// Figures about how it learns, by name, from as many rows as a batch has; for logs and for whoever asks a model.
    fn figures(&self, _parameters: &[f32], _batch: &Seating<'_>) -> Vec<(&'static str, f64)> {
        Vec::new()
    }
    /// Renews the state, the part of the parameters that is not trained by gradients, after a step; not called
    /// without one. Every replica does the same with the same evidence.
    fn settle(&self, _parameters: &mut [f32], _context: &Context<'_>) {}
    /// Renumbers clusters: new cluster `k` is the old `order[k]`.
    fn renumber(&self, parameters: &mut [f32], order: &[usize]);
}

/// `order[k]`-th rows of a row-major matrix in place.
fn permute_rows(matrix: &mut [f32], width: usize, order: &[usize]) {
    let old = matrix.to_vec();
    for (row, from) in matrix.chunks_exact_mut(width).zip(order) {
        row.copy_from_slice(&old[from * width..(from + 1) * width]);
    }
}

#[cfg(test)]
mod tests;
