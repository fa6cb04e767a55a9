//! Pretraining on rows that have lost features and are to be given back whole.

use toml::{Table, Value};

use super::*;

/// Loss and gradient of a slice in the pretraining stage: `seen` is encoded, `whole` is to be given back.
fn pretrained(
    objective: &dyn Objective,
    parameters: &[f32],
    slice: Range<usize>,
    seen: &[f32],
    whole: &[f32],
) -> (f64, Vec<f32>) {
    let device = open(backend()).unwrap().autodiff();
    let pairs = ROWS / 2;
    let chosen = |all: &[f32]| {
        let places = slice.clone().chain(pairs + slice.start..pairs + slice.end);
        let values = places.flat_map(|i| all[i * FEATURES..(i + 1) * FEATURES].to_vec()).collect();
        matrix(values, 2 * slice.len(), FEATURES, &device)
    };
    let leaves = objective.layout().leaves(parameters, &device);
    let mut pass = objective.forward(&leaves, chosen(seen), &seeds(slice.clone()));
    pass.input = chosen(whole);
    let evidence = evidence(objective, parameters);
    let context = Context { slice, stage: Stage::Pretraining, ..whole_batch(pairs, &evidence, parameters) };
    let loss = objective.loss(&leaves, &pass, &context);
    let gradient = objective.layout().gradient(&loss, &leaves);
    (f64::from(values(loss)[0]), gradient)
}

/// The rows with every third feature dropped.
fn holed() -> Vec<f32> {
    rows().iter().enumerate().map(|(i, x)| if i % 3 == 0 { 0.0 } else { *x }).collect()
}

/// The methods that pretrain, refined ones by what learns at that time.
fn pretraining() -> impl Iterator<Item = (&'static str, Box<dyn Objective>)> {
    methods().into_iter().filter(|(_, objective)| {
        objective.schedule().pretraining > 0.0 && objective.in_stage(Stage::Pretraining).is_none()
    })
}

#[test]
fn gradients_of_denoising_equal_finite_differences_and_slices_add_up() {
    let (seen, whole) = (holed(), rows());
    let mut tried = 0;
    for (name, objective) in pretraining() {
        tried += 1;
        let objective = objective.as_ref();
        let parameters = draw(objective, name, 6);
        let at = |parameters: &[f32], slice| pretrained(objective, parameters, slice, &seen, &whole);
        let (loss, gradient) = at(&parameters, 0..12);
        let plain = pretrained(objective, &parameters, 0..12, &seen, &seen).0;
        assert!((plain - loss).abs() > 1e-3 * loss.abs(), "{name} gives back what it saw: {plain}");
        let parts = [at(&parameters, 0..5), at(&parameters, 5..12)];
        assert!((parts[0].0 + parts[1].0 - loss).abs() < 1e-4 * loss.abs().max(1.0), "{name}: {parts:?}");
        for (i, g) in gradient.iter().enumerate() {
            let sum = parts[0].1[i] + parts[1].1[i];
            assert!((sum - g).abs() < 1e-4 * g.abs().max(1.0), "{name}: parameter {i}");
        }
        for i in (0..parameters.len()).step_by(11) {
            let moved = |delta: f32| {
                let mut moved = parameters.clone();
                moved[i] += delta;
                at(&moved, 0..12).0
            };
            let g = f64::from(gradient[i]);
            let slope = |delta: f32| (moved(delta) - moved(-delta)) / (2.0 * f64::from(delta));
            let close = |slope: f64| (slope - g).abs() < 2e-2 * g.abs().max(0.5);
            let (long, short) = (slope(2e-3), slope(2.5e-4));
            assert!(close(long) || close(short), "{name}: parameter {i}: {long} and {short} against {g}");
        }
    }
    assert!(tried >= 9, "{tried} methods");
}

/// What the schedule says when `denoise` is set, and whether the method pretrains; nothing if it has no such key.
struct Denoised;

impl Visitor for Denoised {
    type Output = (Option<f64>, bool);

    fn visit<P: Parameters>(self, _wrap: fn(P) -> Method) -> Self::Output {
        let defaults = P::default().build(&shape(5)).schedule();
        assert_eq!(defaults.denoise, 0.0, "{} denoises by default", P::NAME);
        let mut table = Table::try_from(P::default()).unwrap();
        if table.insert("denoise".to_owned(), Value::Float(0.3)).is_none() {
            return (None, defaults.pretraining > 0.0);
        }
        let parameters: P = Value::Table(table.clone()).try_into().unwrap();
        table.insert("denoise".to_owned(), Value::Float(1.0));
        let all: P = Value::Table(table).try_into().unwrap();
        let mut check = Check::default();
        all.check(&shape(5), &mut check);
        assert_eq!(check.ranges, [("denoise", 1.0, "at least 0 and below 1")], "{}", P::NAME);
        (Some(parameters.build(&shape(5)).schedule().denoise), defaults.pretraining > 0.0)
    }
}

#[test]
fn every_method_that_pretrains_can_denoise_and_no_other() {
    for name in Method::NAMES {
        let (denoise, pretrains) = Method::visit(name, Denoised).unwrap();
        assert_eq!(denoise, pretrains.then_some(0.3), "{name}");
    }
}
