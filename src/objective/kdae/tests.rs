use super::*;
use crate::stats::random::stream;

const CLUSTERS: usize = 4;

fn method() -> (KDae, Vec<f32>) {
    let shape = Shape { features: 3, encoder: vec![5], embedding: 2, clusters: CLUSTERS };
    let objective = KDae::new(&shape, KDaeParameters { hidden: vec![4], code: 2, ..Default::default() });
    let parameters = objective.layout().draw(&mut stream(1, "k-dae", 0));
    (objective, parameters)
}

fn context<'a>(evidence: &'a [f32], parameters: &'a [f32]) -> Context<'a> {
    Context {
        pairs: evidence.len() / CLUSTERS / 2,
        slice: 0..evidence.len() / CLUSTERS / 2,
        fresh: 0,
        evidence,
        device_prices: &[],
        target: &[0.25; CLUSTERS],
        strength: 1.0,
        constraints: &[],
        stage: Stage::Clustering,
        progress: 1.0,
        parameters,
    }
}

/// Sixteen rows: cluster 0 wins even ones and cluster 1 odd ones, the later the worse.
fn errors() -> Vec<f32> {
    (0..16).flat_map(|i| (0..CLUSTERS).map(move |k| i as f32 + if k == i % 2 { 1.0 } else { 50.0 })).collect()
}

#[test]
fn rows_are_learned_by_who_reconstructs_them_best() {
    let (objective, parameters) = method();
    let errors = errors();
    let expected: Vec<usize> = (0..16).map(|i| i % 2).collect();
    assert_eq!(objective.learners(&context(&errors, &parameters)), expected);
}

#[test]
fn the_worst_rows_go_to_those_that_starve_until_they_do_not() {
    let (objective, mut parameters) = method();
    let errors = errors();
    for _ in 0..300 {
        let before = parameters.clone();
        objective.settle(&mut parameters, &context(&errors, &before));
    }
    let learners = objective.learners(&context(&errors, &parameters));
    assert_eq!((learners[15], learners[14]), (2, 3));
    assert_eq!(learners[..14], (0..14).map(|i| i % 2).collect::<Vec<_>>());

    let won: Vec<f32> = errors.chunks(CLUSTERS).flat_map(|line| [line[2], line[3], line[0], line[1]]).collect();
    for _ in 0..30 {
        let before = parameters.clone();
        objective.settle(&mut parameters, &context(&won, &before));
    }
    let expected: Vec<usize> = (0..16).map(|i| i % 2).collect();
    assert_eq!(objective.learners(&context(&errors, &parameters)), expected);
}
