//! What a fit leaves: assigns rows, can be saved.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::error::ArrayError;
use super::rows::Rows;
use crate::checkpoint::{self, Checkpoint, Digest};
use crate::learner::noise::Noise;
use crate::learner::online::verdict;
use crate::learner::scaler::Scaler;
use crate::learner::trainer::{Item, Workbench};
use crate::network::{Backend, open, values};
use crate::objective::{Method, Objective, Parameters, Shape, Visitor};

/// Rows that go through the network at once.
const BLOCK: usize = 256;
/// What the digest of a saved model says it is.
const KIND: &str = "model of an array";

/// A fitted network with the scaling of its rows.
#[derive(Clone)]
pub struct Model {
    /// Nothing for an objective of one's own.
    pub(super) method: Option<Method>,
    pub(super) shape: Shape,
    pub(super) scaler: Scaler,
    pub(super) keys: BTreeMap<Arc<str>, u32>,
    pub(super) parameters: Vec<f32>,
    pub(super) bench: Workbench,
}

/// What a model says about rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Assignment {
    /// The cluster of each row.
    pub clusters: Vec<u32>,
    /// Largest responsibility of each row.
    pub confidences: Vec<f32>,
    /// Distance of each row to the centroid of its cluster, as the objective measures it.
    pub distances: Vec<f32>,
    /// `[rows, width]`, row-major.
    pub embeddings: Vec<f32>,
    /// Width of the embedding.
    pub width: usize,
}

/// A model as it stands in its file.
#[derive(Serialize, Deserialize)]
struct Frame {
    features: usize,
    encoder: Vec<usize>,
    embedding: usize,
    clusters: usize,
    scaler: Scaler,
    keys: BTreeMap<Arc<str>, u32>,
    parameters: Vec<f32>,
}

impl Model {
    /// The network's shape.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The objective.
    #[must_use]
    pub fn objective(&self) -> &Arc<dyn Objective> {
        &self.bench.objective
    }

    /// All parameters of the network, in the order of the objective's layout.
    #[must_use]
    pub fn parameters(&self) -> &[f32] {
        &self.parameters
    }

    /// Assigns rows. A key that the fit has not seen is scaled with the statistics of all rows of the fit.
    ///
    /// # Errors
    /// If the rows have another width than those of the fit.
    pub fn assign(&self, rows: &Rows) -> Result<Assignment, ArrayError> {
        self.fits(rows)?;
        let items = self.items(rows);
        let clusters = self.bench.objective.clusters();
        let matrices = self.bench.objective.layout().tensors(&self.parameters, &self.bench.device);
        let free = vec![0.0; clusters];
        let mut assignment = Assignment::default();
        for block in items.chunks(BLOCK) {
            let scaled = self.bench.matrix(block, &self.scaler, &self.bench.device);
            let inference = self.bench.objective.infer(&matrices, scaled);
            assignment.width = inference.embedding.dims()[1];
            assignment.embeddings.extend(values(inference.embedding));
            let (scores, distances) = (values(inference.scores), values(inference.distances));
            for (scores, distances) in scores.chunks_exact(clusters).zip(distances.chunks_exact(clusters)) {
                let verdict = verdict(scores, distances, &free);
                assignment.clusters.push(verdict.cluster as u32);
                assignment.confidences.push(verdict.confidence);
                assignment.distances.push(verdict.distance);
            }
        }
        Ok(assignment)
    }

    /// Figures of the objective about how it learns from a batch, by name, such as `similarity_pull` of
    /// [`Dvae`](crate::objective::Dvae): on as many of the rows as a step of the fit sees, evenly taken.
    ///
    /// # Errors
    /// If the rows have another width than those of the fit.
    pub fn figures(&self, rows: &Rows) -> Result<Vec<(&'static str, f64)>, ArrayError> {
        self.fits(rows)?;
        let most = 2 * self.bench.objective.schedule().pairs;
        let every = rows.len().div_ceil(most).max(1);
        let items: Vec<Item> = self.items(rows).into_iter().step_by(every).collect();
        Ok(self.bench.figures(&self.parameters, &items, &self.scaler))
    }

    fn fits(&self, rows: &Rows) -> Result<(), ArrayError> {
        if rows.width() == self.scaler.width() {
            return Ok(());
        }
        Err(ArrayError::OtherWidth { found: rows.width(), expected: self.scaler.width() })
    }

    /// The rows with the numbers of their keys.
    fn items(&self, rows: &Rows) -> Vec<Item> {
        let number = |key: &Arc<str>| self.keys.get(key).copied().unwrap_or(u32::MAX);
        rows.iter().map(|row| (Arc::clone(row), number(&row.key))).collect()
    }

    /// Writes the model in the format of the checkpoints: checksums over every byte, and a header that
    /// `evenkeel checkpoint inspect` shows.
    ///
    /// # Errors
    /// If the file cannot be written; a file that was there before is then untouched.
    pub fn save(&self, file: &Path) -> Result<(), ArrayError> {
        let frame = Frame {
            features: self.shape.features,
            encoder: self.shape.encoder.clone(),
            embedding: self.shape.embedding,
            clusters: self.shape.clusters,
            scaler: self.scaler.clone(),
            keys: self.keys.clone(),
            parameters: self.parameters.clone(),
        };
        let mut digest = Digest::from_iter([("kind", KIND)]);
        if let Some(method) = &self.method {
            digest.insert("model.objective", method.name());
            digest.insert("objective", serde_json::to_string(method).expect("plain data in memory can be written"));
        }
        let replica = postcard::to_stdvec(&frame).expect("plain data in memory can be written");
        checkpoint::save(file, &Checkpoint { digest, model_version: 1, replica, ..Checkpoint::default() })?;
        Ok(())
    }

    /// The model that was saved.
    ///
    /// # Errors
    /// If the file cannot be read, is damaged, or is no model of an objective of this library.
    pub fn load(file: &Path) -> Result<Self, ArrayError> {
        let (digest, frame) = read(file)?;
        let problem = |problem: String| ArrayError::Model { file: file.to_owned(), problem };
        let Some(name) = setting(&digest, "model.objective") else {
            return Err(problem("its objective is one of your own: use `load_own`".to_owned()));
        };
        let text = setting(&digest, "objective").unwrap_or("{}");
        let method = Method::visit(name, FromJson(text))
            .ok_or_else(|| problem(format!("this program does not know its objective `{name}`")))?
            .map_err(|error| problem(format!("the parameters of its objective `{name}` do not fit: {error}")))?;
        let objective = method.build(&frame.shape());
        frame.model(file, Some(method), objective)
    }

    /// The model of an objective of your own that was saved.
    ///
    /// # Errors
    /// If the file cannot be read, is damaged, or belongs to a network of another shape.
    pub fn load_own(file: &Path, objective: Arc<dyn Objective>) -> Result<Self, ArrayError> {
        let (_, frame) = read(file)?;
        frame.model(file, None, objective)
    }
}

fn setting<'a>(digest: &'a Digest, name: &str) -> Option<&'a str> {
    digest.iter().find(|(setting, _)| *setting == name).map(|(_, value)| value)
}

fn read(file: &Path) -> Result<(Digest, Frame), ArrayError> {
    let checkpoint = checkpoint::load(file)?;
    let problem = |problem: String| ArrayError::Model { file: file.to_owned(), problem };
    if setting(&checkpoint.digest, "kind") != Some(KIND) {
        return Err(problem("it is the checkpoint of a run, `evenkeel assign` reads it".to_owned()));
    }
    let frame = postcard::from_bytes(&checkpoint.replica).map_err(|error| problem(error.to_string()))?;
    Ok((checkpoint.digest, frame))
}

impl Frame {
    fn shape(&self) -> Shape {
        Shape {
            features: self.features,
            encoder: self.encoder.clone(),
            embedding: self.embedding,
            clusters: self.clusters,
        }
    }

    fn model(self, file: &Path, method: Option<Method>, objective: Arc<dyn Objective>) -> Result<Model, ArrayError> {
        if objective.layout().len() != self.parameters.len() {
            let (found, wanted) = (self.parameters.len(), objective.layout().len());
            let problem = format!("it holds {found} parameters and the objective has {wanted}");
            return Err(ArrayError::Model { file: file.to_owned(), problem });
        }
        let bench =
            Workbench { objective, device: open(Backend::Flex)?, noise: Arc::new(Noise::new(0, self.features)) };
        let shape = self.shape();
        Ok(Model { method, shape, scaler: self.scaler, keys: self.keys, parameters: self.parameters, bench })
    }
}

/// Parameters of a method from JSON.
struct FromJson<'a>(&'a str);

impl Visitor for FromJson<'_> {
    type Output = Result<Method, serde_json::Error>;

    fn visit<P: Parameters>(self, wrap: fn(P) -> Method) -> Self::Output {
        serde_json::from_str(self.0).map(wrap)
    }
}
