use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::data::ScaleParameters;
use crate::learner::{Nearness, PerKey};
use crate::objective::{AeCmParameters, Even, EvenParameters, Method};
use crate::stats::Contingency;

/// Three groups of 3-dimensional rows on two devices, the second ten times as large; and the group of each row.
fn groups(count: usize) -> (Rows, Vec<usize>) {
    let group = |i: usize| i / 50 % 3;
    let (mut features, mut keys) = (Vec::new(), Vec::new());
    for i in 0..count {
        let scale = if i % 2 == 0 { 1.0 } else { 10.0 };
        let wobble = |d: usize| ((i * 31 + d * 17) % 23) as f32 * 0.01;
        features.extend((0..3).map(|d| scale * (f32::from(u8::from(d == group(i))) + wobble(d))));
        keys.push(if i % 2 == 0 { "small" } else { "large" });
    }
    (Rows::new(&features, 3).unwrap().with_keys(&keys).unwrap(), (0..count).map(group).collect())
}

fn small(method: Method) -> Fit {
    let scale = ScaleParameters { shrink_rows: 5.0, ..ScaleParameters::default() };
    let neighbours = Some(Nearness::Arrival);
    Fit {
        method,
        clusters: 3,
        encoder: vec![16],
        embedding: 4,
        steps: 150,
        seed: 5,
        scale,
        neighbours,
        ..Fit::default()
    }
}

fn methods() -> [Method; 2] {
    [Method::Even(EvenParameters::default()), Method::AeCm(AeCmParameters::default())]
}

#[test]
fn groups_in_an_array_are_found() {
    let (rows, truth) = groups(600);
    let assignment = small(methods()[0].clone()).run(&rows).unwrap().assign(&rows).unwrap();
    let table: Contingency<u32, usize> = assignment.clusters.iter().copied().zip(truth).collect();
    assert!(table.accuracy() > 0.95, "{}", table.accuracy());
    assert_eq!((assignment.confidences.len(), assignment.distances.len()), (600, 600));
    assert_eq!((assignment.width, assignment.embeddings.len()), (4, 2_400));
}

#[test]
fn the_same_seed_gives_the_same_model_and_another_seed_another_one() {
    let (rows, _) = groups(200);
    for method in methods() {
        let fit = Fit { steps: 20, ..small(method) };
        let first = fit.run(&rows).unwrap();
        assert_eq!(first.parameters(), fit.run(&rows).unwrap().parameters());
        assert_ne!(first.parameters(), Fit { seed: 6, ..fit }.run(&rows).unwrap().parameters());
    }
}

#[test]
fn a_saved_model_assigns_as_before() {
    let (rows, _) = groups(200);
    let (other, _) = groups(70);
    let folder = tempfile::tempdir().unwrap();
    for method in methods() {
        let file = folder.path().join(method.name());
        let model = Fit { steps: 20, ..small(method) }.run(&rows).unwrap();
        model.save(&file).unwrap();
        let loaded = Model::load(&file).unwrap();
        assert_eq!(loaded.assign(&other).unwrap(), model.assign(&other).unwrap());
        assert_eq!(loaded.shape(), model.shape());
    }
}

#[test]
fn an_objective_of_ones_own_is_fitted_and_loaded() {
    let (rows, _) = groups(200);
    let fit = Fit { steps: 20, ..small(methods()[0].clone()) };
    let own = Arc::new(Even::new(&fit.shape(3), EvenParameters::default()));
    let model = fit.run_own(&rows, own.clone()).unwrap();
    assert_eq!(model.parameters(), fit.run(&rows).unwrap().parameters());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.ek");
    model.save(&file).unwrap();
    assert_eq!(Model::load_own(&file, own).unwrap().assign(&rows).unwrap(), model.assign(&rows).unwrap());
    let error = Model::load(&file).map(|_| ()).unwrap_err().to_string();
    assert!(error.ends_with("its objective is one of your own: use `load_own`"), "{error}");
    let wider = Arc::new(Even::new(&Fit { embedding: 5, ..fit }.shape(3), EvenParameters::default()));
    let error = Model::load_own(&file, wider).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("parameters and the objective has"), "{error}");
}

#[test]
fn a_damaged_model_is_named_in_the_error() {
    let (rows, _) = groups(60);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.ek");
    Fit { steps: 2, ..small(methods()[0].clone()) }.run(&rows).unwrap().save(&file).unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let error = Model::load(&file).map(|_| ()).unwrap_err().to_string();
    assert!(error.ends_with("model.ek is damaged in its replica: its checksum is wrong"), "{error}");
    assert!(Model::load(Path::new("nowhere.ek")).is_err());
}

#[test]
fn the_checkpoint_of_a_run_is_not_taken_for_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("checkpoint-00000001.ek");
    crate::checkpoint::save(&file, &crate::checkpoint::Checkpoint::default()).unwrap();
    let error = Model::load(&file).map(|_| ()).unwrap_err().to_string();
    assert!(error.ends_with("it is the checkpoint of a run, `evenkeel assign` reads it"), "{error}");
}

#[test]
fn faults_of_rows_and_settings_are_said() {
    let said = |fault: Result<Rows, ArrayError>| fault.unwrap_err().to_string();
    assert!(said(Rows::new(&[1.0; 5], 2)).starts_with("5 values are not rows of 2 features"));
    assert!(said(Rows::new(&[1.0, f32::NAN], 1)).starts_with("feature 0 of row 1 is NaN"));
    let rows = Rows::new(&[0.0; 8], 2).unwrap();
    assert!(said(rows.clone().with_keys(&["a"])).starts_with("there are 1 keys for 4 rows"));
    assert!(said(rows.clone().with_times(&[1; 5])).starts_with("there are 5 times for 4 rows"));
    let fault = |fit: Fit| fit.run(&rows).map(|_| ()).unwrap_err().to_string();
    assert!(fault(Fit { clusters: 5, ..Fit::default() }).starts_with("4 rows are fewer than the 5 clusters"));
    assert_eq!(fault(Fit { steps: 0, ..Fit::default() }), "`steps` is 0 and must be at least 1");
    assert_eq!(fault(Fit { strength: 1.5, ..Fit::default() }), "`strength` is 1.5 and must be from 0 to 1");
    let method = Method::AeCm(AeCmParameters { alpha: 0.5, ..AeCmParameters::default() });
    assert_eq!(fault(Fit { method, ..Fit::default() }), "`alpha` is 0.5 and must be at least 1");
    let method = Method::AeCm(AeCmParameters::default());
    let crowded = fault(Fit { method, clusters: 3, embedding: 2, ..Fit::default() });
    assert!(crowded.starts_with("ae-cm wants orthogonal clusters"), "{crowded}");
    let model = Fit { steps: 2, ..Fit::default() }.run(&rows).unwrap();
    let narrow = model.assign(&Rows::new(&[0.0; 3], 3).unwrap()).unwrap_err().to_string();
    assert_eq!(narrow, "rows have 3 features and the model was fitted on 2");
}

#[test]
fn neighbours_are_found_in_the_order_of_a_key_in_time_and_by_features() {
    let (rows, _) = groups(60);
    let times: Vec<i64> = (0..60).rev().collect();
    let timed = rows.clone().with_times(&times).unwrap();
    let fit = Fit { steps: 5, per_key: PerKey::Off, ..small(methods()[0].clone()) };
    let of = |rows: &Rows, neighbours| Fit { neighbours, ..fit.clone() }.run(rows).unwrap().parameters().to_vec();
    let models = [
        of(&rows, None),
        of(&rows, Some(Nearness::Arrival)),
        of(&timed, Some(Nearness::Time(3))),
        of(&rows, Some(Nearness::Features)),
    ];
    for (i, model) in models.iter().enumerate() {
        assert!(models[..i].iter().all(|other| other != model), "{i}");
    }
}
