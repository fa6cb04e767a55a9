use super::*;
use crate::network::{Backend, open};
use crate::objective::tests::whole_batch;
use crate::stats::random::stream;

/// Three groups of codes in two dimensions.
fn groups() -> Vec<f32> {
    (0..300).flat_map(|i| [(i % 3) as f32 * 5.0, (i / 3) as f32 * 0.01 - (i % 3) as f32]).collect()
}

#[test]
fn seating_teaches_the_classifier_what_k_means_found() {
    for clusters in [3, 1] {
        let shape = Shape { features: 4, encoder: vec![6], embedding: 2, clusters };
        let dvae = Dvae::new(&shape, DvaeParameters::default());
        let device = open(Backend::Flex).unwrap();
        let codes = groups();
        let mut parameters = dvae.layout().draw(&mut stream(1, "dvae", 0));
        let seating = Seating { rows: &[], embeddings: &codes, device: &device };
        dvae.seat(&mut parameters, &seating, &mut stream(2, "dvae", 0));
        let matrices = dvae.layout().tensors(&parameters, &device);
        let codes = matrix(codes, 300, 2, &device);
        let taught = values(dvae.classifier.forward(&matrices, codes.clone()));
        let near = values(dvae.model.distances(&matrices, &codes));
        let best = |scores: &[f32]| (0..clusters).fold(0, |best, k| if scores[k] > scores[best] { k } else { best });
        for (taught, near) in taught.chunks_exact(clusters).zip(near.chunks_exact(clusters)) {
            let away: Vec<f32> = near.iter().map(|d| -d).collect();
            assert_eq!(best(taught), best(&away));
        }
    }
}

#[test]
fn similarity_starts_when_it_is_told_to() {
    let shape = Shape { features: 3, encoder: vec![6], embedding: 2, clusters: 3 };
    let loss = |beta: f64, progress: f64| {
        let parameters = DvaeParameters { beta, similarity_after: 0.5, ..DvaeParameters::default() };
        let dvae = Dvae::new(&shape, parameters);
        let device = open(Backend::Flex).unwrap().autodiff();
        let parameters = dvae.layout().draw(&mut stream(3, "dvae", 0));
        let leaves = dvae.layout().leaves(&parameters, &device);
        let rows = matrix((0..24).map(|i| (i as f32).sin()).collect(), 8, 3, &device);
        let pass = dvae.forward(&leaves, rows, &[1, 2, 3, 4, 5, 6, 7, 8]);
        let evidence = dvae.evidence(&pass);
        let context = Context { progress, ..whole_batch(4, &evidence, &parameters) };
        dvae.layout().gradient(&dvae.loss(&leaves, &pass, &context), &leaves)
    };
    assert_eq!(loss(1.0, 0.4), loss(0.0, 0.4));
    assert_ne!(loss(1.0, 0.5), loss(0.0, 0.5));
}

/// The last bias of the encoder is added to every mean code: its slope is the sum of theirs.
#[test]
fn the_pulls_at_the_mean_codes_are_those_of_the_loss() {
    let shape = Shape { features: 3, encoder: vec![6], embedding: 2, clusters: 3 };
    let rows: Vec<f32> = (0..24).map(|i| (i as f32).sin()).collect();
    let plain = open(Backend::Flex).unwrap();
    let seating = Seating { rows: &rows, embeddings: &[0.0; 16], device: &plain };
    for through_weights in [false, true] {
        let with = |beta: f64, similarity_after: f64| {
            let given = DvaeParameters { beta, similarity_after, through_weights, ..DvaeParameters::default() };
            Dvae::new(&shape, given)
        };
        let dvae = with(3.0, 0.0);
        let parameters = dvae.layout().draw(&mut stream(4, "dvae", 0));
        let [bound, similarity] = dvae.pulls(&parameters, &seating);
        assert_eq!((bound.len(), similarity.len()), (16, 16));
        let gradient = |dvae: &Dvae| {
            let device = plain.clone().autodiff();
            let leaves = dvae.layout().leaves(&parameters, &device);
            let pass = dvae.forward(&leaves, matrix(rows.clone(), 8, 3, &device), &[0, 1, 2, 3, 4, 5, 6, 7]);
            let evidence = dvae.evidence(&pass);
            let context = whole_batch(4, &evidence, &parameters);
            dvae.layout().gradient(&dvae.loss(&leaves, &pass, &context), &leaves)
        };
        // Matrices before that bias: 3·6 and 6 numbers, then 6·4.
        let bias = 18 + 6 + 24;
        let (both, alone) = (gradient(&dvae), gradient(&with(0.0, 0.0)));
        for d in 0..2 {
            let sum = |pull: &[f32]| pull.iter().skip(d).step_by(2).sum::<f32>();
            assert!((sum(&bound) - alone[bias + d]).abs() < 1e-5, "{} {}", sum(&bound), alone[bias + d]);
            let added = both[bias + d] - alone[bias + d];
            assert!((sum(&similarity) - added).abs() < 1e-5, "{} {added}", sum(&similarity));
        }
        let [(name, pull)] = dvae.figures(&parameters, &seating)[..] else { panic!("one figure") };
        let norm = |pull: &[f32]| f64::from(pull.iter().map(|slope| slope * slope).sum::<f32>()).sqrt();
        assert_eq!(name, "similarity_pull");
        assert!((pull - norm(&similarity) / norm(&bound)).abs() < 1e-5 * pull, "{pull}");
        assert!((with(6.0, 0.9).figures(&parameters, &seating)[0].1 - 2.0 * pull).abs() < 1e-5 * pull);
    }
}
