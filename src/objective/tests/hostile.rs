//! Rows that break formulas: every method has to stay finite on them.

use super::*;
use crate::network::Adam;

const COUNT: usize = 16;

/// What the rows are, and the rows.
fn inputs() -> Vec<(&'static str, Vec<f32>)> {
    let mut rng = stream(31, "hostile", 0);
    let plain: Vec<f32> = (0..COUNT * FEATURES).map(|_| rng.random_range(-1.0..1.0)).collect();
    let each = |change: fn(usize, usize, f32) -> f32| -> Vec<f32> {
        plain.iter().enumerate().map(|(i, x)| change(i / FEATURES, i % FEATURES, *x)).collect()
    };
    vec![
        ("a constant column", each(|_, column, x| if column == 2 { 4.0 } else { x })),
        ("constant columns only", each(|_, column, _| column as f32)),
        ("zeros", each(|_, _, _| 0.0)),
        ("one row over and over", plain[..FEATURES].repeat(COUNT)),
        ("two rows over and over", plain[..2 * FEATURES].repeat(COUNT / 2)),
        ("huge values", each(|_, _, x| x * 1e6)),
        ("tiny values", each(|_, _, x| x * 1e-20)),
        ("one row far away", each(|row, _, x| if row == 5 { x * 1e6 } else { x })),
        ("one column a million times as wide", each(|_, column, x| if column == 0 { x * 1e6 } else { x })),
        ("ones and zeros", each(|_, _, x| f32::from(x > 0.0))),
    ]
}

fn train(objective: &dyn Objective, rows: &[f32]) -> Vec<f32> {
    let plain = open(Backend::Flex).unwrap();
    let device = plain.clone().autodiff();
    let mut parameters = objective.layout().draw(&mut stream(3, "network", 0));
    let mut adam = Adam::new(parameters.len(), objective.adam());
    for step in 0..24 {
        if step == 8 {
            let matrices = objective.layout().tensors(&parameters, &plain);
            let embeddings =
                values(objective.infer(&matrices, matrix(rows.to_vec(), COUNT, FEATURES, &plain)).embedding);
            let seating = Seating { rows, embeddings: &embeddings, device: &plain };
            objective.seat(&mut parameters, &seating, &mut stream(4, "seat", 0));
        }
        let leaves = objective.layout().leaves(&parameters, &device);
        let seeds: Vec<u64> = (0..COUNT as u64).map(|i| i + 100 * step).collect();
        let pass = objective.forward(&leaves, matrix(rows.to_vec(), COUNT, FEATURES, &device), &seeds);
        let evidence = objective.evidence(&pass);
        let before = parameters.clone();
        let context = Context {
            pairs: COUNT / 2,
            slice: 0..COUNT / 2,
            fresh: 0,
            evidence: &evidence,
            device_prices: &[0.0; COUNT * CLUSTERS],
            target: &vec![1.0 / objective.clusters() as f32; objective.clusters()],
            strength: 1.0,
            constraints: &[],
            stage: if step < 8 { Stage::Pretraining } else { Stage::Clustering },
            progress: step.saturating_sub(8) as f64 / 16.0,
            parameters: &before,
        };
        let loss = objective.loss(&leaves, &pass, &context);
        let gradient = objective.layout().gradient(&loss, &leaves);
        adam.step(&mut parameters, &gradient, &objective.layout().rates(), 1e-3);
        objective.settle(&mut parameters, &context);
    }
    parameters
}

#[test]
fn methods_stay_finite_on_hostile_rows() {
    let device = open(Backend::Flex).unwrap();
    let methods = methods();
    let lonely: Vec<_> = Method::NAMES.iter().map(|name| (*name, Method::visit(name, Lonely).unwrap())).collect();
    for (place, (what, rows)) in inputs().into_iter().enumerate() {
        let one_cluster = lonely.iter().filter(|_| place % 4 == 0).map(|(name, objective)| (*name, objective.as_ref()));
        for (name, objective) in methods.iter().map(|(name, all)| (*name, all.as_ref())).chain(one_cluster) {
            let parameters = train(objective, &rows);
            let clusters = objective.clusters();
            let broken = parameters.iter().filter(|value| !value.is_finite()).count();
            assert_eq!(broken, 0, "{name} with {clusters} clusters on {what}: parameters");
            let matrices = objective.layout().tensors(&parameters, &device);
            let inference = objective.infer(&matrices, matrix(rows.clone(), COUNT, FEATURES, &device));
            let numbers = [inference.embedding, inference.scores, inference.distances].map(values).concat();
            assert!(numbers.iter().all(|value| value.is_finite()), "{name} with {clusters} clusters on {what}");
        }
    }
}

/// Every method with its defaults and one cluster.
struct Lonely;

impl Visitor for Lonely {
    type Output = std::sync::Arc<dyn Objective>;

    fn visit<P: Parameters>(self, _wrap: fn(P) -> Method) -> Self::Output {
        P::default().build(&Shape { clusters: 1, ..shape(4) })
    }
}
