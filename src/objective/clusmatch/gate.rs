//! How strong a view may be before it shows another row.

use crate::stats::dot;

/// Rows that are asked for a label.
const NEAREST: usize = 5;
/// What the running agreement keeps of itself at every step.
const KEEP: f32 = 0.95;
/// What the strength moves by at every step.
const MOVE: f32 = 0.02;
/// Views do not get weaker than this.
const WEAKEST: f32 = 0.05;

/// Share of rows whose nearest rows give them and their strong view the same label; the row itself is not asked.
///
/// # Shapes
/// - `weak`, `strong`: `[rows, width]`, row by row two views of the same
/// - `labels`: `[rows]`
pub(super) fn agreement(weak: &[f32], strong: &[f32], labels: &[usize], width: usize, clusters: usize) -> f32 {
    let vote = |view: &[f32], own: usize| {
        let mut nearest: Vec<(f32, usize)> = Vec::with_capacity(NEAREST + 1);
        for (j, row) in weak.chunks_exact(width).enumerate().filter(|(j, _)| *j != own) {
            let distance = dot(row, row) - 2.0 * dot(view, row);
            let at = nearest.partition_point(|(best, _)| *best <= distance);
            if at < NEAREST {
                nearest.truncate(NEAREST - 1);
                nearest.insert(at, (distance, labels[j]));
            }
        }
        let mut votes = vec![0usize; clusters];
        nearest.iter().for_each(|(_, label)| votes[*label] += 1);
        (0..clusters).rev().max_by_key(|k| votes[*k])
    };
    let pairs = weak.chunks_exact(width).zip(strong.chunks_exact(width));
    let same = pairs.enumerate().filter(|(i, (weak, strong))| vote(weak, *i) == vote(strong, *i)).count();
    same as f32 / labels.len().max(1) as f32
}

/// State: running agreement and strength.
pub(super) fn renew(state: &mut [f32], agreement: f32, wanted: f32) {
    state[0] = KEEP * state[0] + (1.0 - KEEP) * agreement;
    let factor = if state[0] < wanted { 1.0 - MOVE } else { 1.0 + MOVE };
    state[1] = (state[1] * factor).clamp(WEAKEST, 1.0);
}
