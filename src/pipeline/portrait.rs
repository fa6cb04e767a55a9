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
use crate::learner::{Frozen, Learner, Nursery, Part, Portrait};
use crate::network;
use crate::replica::{Replica, ReplicaError};
use crate::report::{self, Point, Report, ReportError, Run};
use crate::stats::principal::Principal;
use crate::stats::random;

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
    let places = flatten(&portrait, plan.seed());
    let rows = places.into_iter().zip(&portrait.clusters).zip(labels);
    Ok(rows.map(|(((x, y), &cluster), label)| Point { x, y, cluster: cluster as i32, label }).collect())
}

/// The embeddings along their two principal components.
fn flatten(portrait: &Portrait, seed: u64) -> Vec<(f32, f32)> {
    if portrait.width == 0 {
        return Vec::new();
    }
    // Half as many components as dimensions are found: dimensions in which nothing varies make it at least two.
    let width = portrait.width.max(4);
    let mut rows = vec![0.0; portrait.embeddings.len() / portrait.width * width];
    for (wide, row) in rows.chunks_exact_mut(width).zip(portrait.embeddings.chunks_exact(portrait.width)) {
        wide[..portrait.width].copy_from_slice(row);
    }
    let principal = Principal::fit(&rows, width, &mut random::stream(seed, "portrait", 0));
    let place = |row: &[f32]| {
        let along = principal.project(row);
        (along.first().copied().unwrap_or(0.0), along.get(1).copied().unwrap_or(0.0))
    };
    rows.chunks_exact(width).map(place).collect()
}

/// The names that the input's metadata gives to labels: `label_names`, a JSON object from labels to names.
fn label_names(plan: &Plan) -> BTreeMap<String, String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embeddings_are_seen_along_the_directions_in_which_they_differ_most() {
        for width in [1, 2, 3, 8] {
            // All variance along the last dimension, a little along the first.
            let rows = 200;
            let mut embeddings = vec![0.5; rows * width];
            for (i, row) in embeddings.chunks_exact_mut(width).enumerate() {
                row[0] += (i % 2) as f32;
                row[width - 1] += i as f32;
            }
            let portrait = Portrait { width, embeddings, ..Portrait::default() };
            let places = flatten(&portrait, 7);
            assert_eq!(places.len(), rows);
            let spread = |of: fn(&(f32, f32)) -> f32| {
                let values = places.iter().map(of);
                values.clone().fold(f32::MIN, f32::max) - values.fold(f32::MAX, f32::min)
            };
            assert!((198.0..202.0).contains(&spread(|place| place.0)), "width {width}: {}", spread(|place| place.0));
            let across = if width == 1 { 0.0..1e-3 } else { 0.9..1.1 };
            assert!(across.contains(&spread(|place| place.1)), "width {width}: {}", spread(|place| place.1));
        }
        assert!(flatten(&Portrait::default(), 7).is_empty());
    }
}
