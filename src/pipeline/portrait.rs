//! A run as it stands on disk, as a [`Report`].

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::model;
use super::setup::{self, PLAN_FILE};
use crate::config::{self, Plan, Source};
use crate::connector::ParquetCatalog;
use crate::error::Error;
use crate::flow::FlowError;
use crate::learner::{Frozen, Learner, Nursery, Part};
use crate::network;
use crate::replica::{Replica, ReplicaError};
use crate::report::{self, Point, Report, ReportError, Run};

/// Reads what the run in `directory` has written so far, and the rows of its newest sound checkpoint as its model sees them.
///
/// # Errors
/// If there is no run, or what it left cannot be read.
pub fn portray(directory: &Path) -> Result<Report, Error> {
    let mut run = Run::at(directory)?;
    let file = directory.join(PLAN_FILE);
    if !file.is_file() {
        return Err(ReportError::NoRun { path: directory.to_owned() }.into());
    }
    let plan = config::open(&file, &[])?;
    // A run directory may have been moved since.
    let here = |path: &Path| match path.strip_prefix(plan.run_dir()) {
        Ok(inside) => directory.join(inside),
        Err(_) => path.to_owned(),
    };
    plan.name().clone_into(&mut run.title);
    run.assignments = here(plan.assignments_dir());
    run.label_names = label_names(&plan);
    let points = points(&plan, &run, &here(plan.checkpoint_dir()))?;
    Ok(report::read(&run, points)?)
}

/// The rows of the reservoir in two dimensions; none before there is a model.
fn points(plan: &Plan, run: &Run, checkpoints: &Path) -> Result<Vec<Point>, Error> {
    let Some(checkpoint) = model::newest(checkpoints)? else { return Ok(Vec::new()) };
    model::check(plan, &checkpoint)?;
    let settings = Arc::new(setup::settings(plan));
    let broken = |error: ReplicaError| Error::from(FlowError::from(error));
    let device = network::open(settings.backend).map_err(|error| broken(ReplicaError::Model(error.to_string())))?;
    let part = Part { index: 0, peers: 1 };
    let learner = Learner::restore(&checkpoint.replica, settings, part, Nursery::default(), device).map_err(broken)?;
    if learner.status().warming {
        return Ok(Vec::new());
    }
    let portrait = Frozen::new(learner).map_err(broken)?.portrait();
    let labels = report::labels(run, &portrait.coordinates)?;
    let places = report::flatten(&portrait.embeddings, portrait.width, plan.seed());
    let rows = places.into_iter().zip(&portrait.clusters).zip(labels);
    Ok(rows.map(|(((x, y), &cluster), label)| Point { x, y, cluster: cluster as i32, label }).collect())
}

/// The names that the input's metadata gives to labels: `label_names`, a JSON object from labels to names.
pub fn label_names(plan: &Plan) -> BTreeMap<String, String> {
    if plan.features().label().is_none() {
        return BTreeMap::new();
    }
    let Source::Parquet(parameters) = plan.source() else { return BTreeMap::new() };
    let catalog = match ParquetCatalog::open(parameters, &[]) {
        Ok(catalog) => catalog,
        Err(error) => {
            tracing::info!(%error, "the input is not there any more: labels stay without names");
            return BTreeMap::new();
        }
    };
    let Some(names) = catalog.schema().metadata().get("label_names") else { return BTreeMap::new() };
    serde_json::from_str(names).unwrap_or_else(|error| {
        tracing::warn!(%error, "the input's `label_names` is no JSON object of texts: labels stay without names");
        BTreeMap::new()
    })
}
