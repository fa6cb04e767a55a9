//! What every replica must know of an assigned row.

/// An assigned row as the watch sees it, computed by one worker and known to all: a line of a matrix that crosses workers as a
/// sum, zero where other workers' rows stand.
///
/// ```text
/// line = cluster, moved, distance, error, embedding…, residuals…
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sight<'a> {
    /// Durable cluster id.
    pub cluster: u32,
    /// Whether the bounds moved the row.
    pub moved: bool,
    /// Distance to the assigned centroid.
    pub distance: f32,
    /// Mean of the residuals.
    pub error: f32,
    /// By the reference network.
    pub embedding: &'a [f32],
    /// Squared residual of the reconstruction per feature.
    pub residuals: &'a [f32],
}

/// Numbers before the embedding.
const HEAD: usize = 4;

impl<'a> Sight<'a> {
    /// Length of a line.
    #[must_use]
    pub fn width(embedding: usize, features: usize) -> usize {
        HEAD + embedding + features
    }

    /// The line of this sight.
    pub fn write(&self, line: &mut [f32]) {
        // A float holds every integer up to 2²⁴.
        line[..HEAD].copy_from_slice(&[self.cluster as f32, f32::from(self.moved), self.distance, self.error]);
        let (embedding, residuals) = line[HEAD..].split_at_mut(self.embedding.len());
        embedding.copy_from_slice(self.embedding);
        residuals.copy_from_slice(self.residuals);
    }

    /// The sight that a line was written of; `embedding` is the embedding's width.
    #[must_use]
    pub fn read(line: &'a [f32], embedding: usize) -> Self {
        let (head, rest) = line.split_at(HEAD);
        let (embedding, residuals) = rest.split_at(embedding);
        Self { cluster: head[0] as u32, moved: head[1] != 0.0, distance: head[2], error: head[3], embedding, residuals }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::sum;

    #[test]
    fn a_sight_comes_out_of_the_sum_of_all_workers_as_it_went_in() {
        let sight = Sight {
            cluster: (1 << 24) - 1,
            moved: true,
            distance: 0.1,
            error: 1e-7,
            embedding: &[0.3, -0.7],
            residuals: &[1.5, f32::MIN_POSITIVE, 3.0],
        };
        let mut line = vec![0.0; Sight::width(2, 3)];
        sight.write(&mut line);
        let others = vec![0.0; line.len()];
        assert_eq!(Sight::read(&sum(&[&others, &line, &others]), 2), sight);
    }
}
