use super::*;
use crate::network::{Backend, open};
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
        let context = Context {
            pairs: 4,
            slice: 0..4,
            fresh: 0,
            evidence: &evidence,
            device_prices: &[],
            target: &[],
            strength: 0.0,
            constraints: &[],
            stage: Stage::Clustering,
            progress,
            parameters: &parameters,
        };
        dvae.layout().gradient(&dvae.loss(&leaves, &pass, &context), &leaves)
    };
    assert_eq!(loss(1.0, 0.4), loss(0.0, 0.4));
    assert_ne!(loss(1.0, 0.5), loss(0.0, 0.5));
}
