use super::*;
use crate::data::{Coordinates, ScaleParameters};
use crate::network::{Backend, open};
use crate::objective::{IdecParameters, Method, Shape};
use crate::stats::random::stream;

const FEATURES: usize = 9;
const PAIRS: usize = 12;

fn samples() -> Vec<Sample> {
    let mut rng = stream(1, "rows", 0);
    let row = |i: u64, rng: &mut ChaCha8Rng| Row {
        coordinates: Coordinates { source: "s".into(), partition: 0, offset: i as i64 },
        sequence: i,
        key: "".into(),
        series: "".into(),
        event_time: None,
        features: (0..FEATURES).map(|_| rng.random_range(-2.0..2.0)).collect(),
    };
    (0..40).map(|i| Sample::new(Arc::new(row(i, &mut rng)), 0, i as i64)).collect()
}

/// A step's forward half by every part of `peers`, and the gradient that their parts add up to.
struct Ran {
    halfway: Vec<Halfway>,
    gradient: Vec<f32>,
}

fn step(denoise: f64, stage: Stage, peers: usize) -> Ran {
    let samples = samples();
    let shape = Shape { features: FEATURES, encoder: vec![16], embedding: 4, clusters: 3 };
    let objective = Method::Idec(IdecParameters { denoise, ..IdecParameters::default() }).build(&shape);
    let noise = Arc::new(Noise::new(3, FEATURES));
    let bench = Workbench { objective: Arc::clone(&objective), device: open(Backend::Flex).unwrap(), noise };
    let features: Vec<(u32, &[f32])> = samples.iter().map(|sample| (0, &sample.row.features[..])).collect();
    let scaler = Scaler::new(ScaleParameters::default(), &features);
    let parameters = objective.layout().draw(&mut stream(2, "network", 0));
    let trained = Trained::new(objective.as_ref(), parameters);
    let mut batch = Batch::draw(&[], &samples, PAIRS, Second::Other, &mut stream(4, "batch", 0));
    batch.stage = stage;
    let goal = Goal { target: &[1.0 / 3.0; 3], strength: 1.0, device_balance: 0.0 };
    let sum = |mut sum: Vec<f32>, part: Vec<f32>| {
        sum.iter_mut().zip(part).for_each(|(s, v)| *s += v);
        sum
    };
    let parts = (0..peers).map(|index| bench.forward(&trained, &batch, &scaler, Part { index, peers }));
    let (halfway, evidence): (Vec<Halfway>, Vec<Vec<f32>>) = parts.unzip();
    let evidence = evidence.into_iter().reduce(sum).unwrap();
    let parts = halfway.iter().map(|halfway| bench.backward(halfway, &trained, &batch, &goal, &evidence));
    Ran { gradient: parts.reduce(sum).unwrap(), halfway }
}

/// What a part gives back, and its code.
fn seen(ran: &Ran) -> (Vec<f32>, Vec<f32>) {
    let pass = &ran.halfway[0].pass;
    (values(pass.input.clone().inner()), values(pass.embedding.clone().inner()))
}

#[test]
fn pretraining_that_denoises_gives_back_whole_rows() {
    let plain = seen(&step(0.0, Stage::Pretraining, 1));
    let denoised = seen(&step(0.4, Stage::Pretraining, 1));
    assert_eq!(denoised.0, plain.0, "what is given back");
    let changed = denoised.1.iter().zip(&plain.1).filter(|(a, b)| a != b).count();
    assert!(changed > plain.1.len() / 2, "{changed} of {} numbers of the codes changed", plain.1.len());
}

#[test]
fn nothing_is_dropped_without_denoising_or_after_pretraining() {
    for (denoise, stage) in [(0.0, Stage::Pretraining), (0.4, Stage::Clustering)] {
        let (ran, plain) = (step(denoise, stage, 1), step(0.0, stage, 1));
        let pass = &ran.halfway[0].pass;
        assert_eq!(seen(&ran), seen(&plain), "{stage:?}");
        assert_eq!(ran.gradient, plain.gradient, "{stage:?}");
        // What is to be given back is what was encoded.
        let objective = Method::Idec(IdecParameters::default()).build(&Shape {
            features: FEATURES,
            encoder: vec![16],
            embedding: 4,
            clusters: 3,
        });
        let again = objective.infer(&ran.halfway[0].leaves, pass.input.clone()).embedding;
        assert_eq!(values(again.inner()), seen(&ran).1, "{stage:?}");
    }
}

#[test]
fn the_same_features_are_dropped_on_any_number_of_workers() {
    let alone = step(0.4, Stage::Pretraining, 1);
    assert_eq!(alone.gradient, step(0.4, Stage::Pretraining, 1).gradient);
    let largest = alone.gradient.iter().fold(0.0f32, |largest, g| largest.max(g.abs()));
    for peers in [2, 3] {
        let together = step(0.4, Stage::Pretraining, peers);
        for (i, (a, b)) in alone.gradient.iter().zip(&together.gradient).enumerate() {
            assert!((a - b).abs() < 1e-5 * largest, "{peers} workers, parameter {i}: {a} and {b}");
        }
    }
}
