//! Seats clusters again where a trial shows, by pairs that are known, that one of them holds two groups.

use super::pairs::PairStore;
use super::scaler::Scaler;
use super::trainer::{Item, Trained, Workbench, argmax};
use crate::objective::Link;
use crate::stats::discriminant;

/// A trial takes this part of the clustering stage, but not fewer steps than `LEAST_STEPS`.
const TRIALS: usize = 20;
const LEAST_STEPS: usize = 50;
/// All trials together may take this part of it.
const BUDGET: usize = 3;
/// Cannot-links that a cluster has to break before it may be cut.
const LEAST_BROKEN: usize = 5;
/// Pairs that are looked at.
const MOST_PAIRS: usize = 5_000;
/// By how many standard deviations more pairs have to be mended than broken (McNemar 1947).
const SIGNIFICANT: f64 = 2.0;

/// Which cluster k-means joins two groups in, and which group it cuts up instead, is chance, and gradient steps seldom mend it: soon
/// the network knows the paired rows by heart. So a fit tries: clusters are seated, and after a few steps, when the code has
/// followed the pairs but not learned them,
///
/// 1. the cluster with the most broken cannot-links inside is cut in two, and the one that is missed least, by the pairs, gives
///    its number for it; its rows go to their next best cluster. The cut is made in the code before seating, where the
///    groups are still apart ([`discriminant::halves`]);
/// 2. the network goes back to where it was before seating, and clusters are seated at the means of these groups;
/// 3. after as many steps the trial is kept if significantly more pairs are mended than broken by it,
///    `m - b ≥ 2·√(m + b)`, and what is left is looked at again; otherwise the network before it goes on, and that is that.
///
/// Basu, Banerjee and Mooney (2004) seat k-means by groups of must-linked rows; few pairs for many rows, as here, make small groups.
pub(super) struct Reseating {
    rows: Vec<Item>,
    /// Both rows of each pair in turn.
    ends: Vec<Item>,
    links: Vec<Link>,
    pretrained: Vec<f32>,
    row_codes: Vec<f32>,
    end_codes: Vec<f32>,
    /// What goes on if the trial is no better.
    before: Option<(Trained, PairStore, View)>,
    /// Steps from one look to the next.
    every: usize,
    /// Step of the stage at which to look next; none when it is over.
    next: Option<usize>,
    left: usize,
}

/// How a network assigns rows and pairs.
struct View {
    /// `[rows, clusters]`
    row_scores: Vec<f32>,
    /// `[2·pairs, clusters]`
    end_scores: Vec<f32>,
    /// The cluster of each end.
    ends: Vec<u32>,
}

impl Reseating {
    /// For a clustering stage of `steps`, with the network before clusters are seated and the rows they are seated on. Nothing if
    /// there is nothing to look at.
    pub fn new(
        bench: &Workbench,
        pretrained: &[f32],
        rows: &[Item],
        pairs: &PairStore,
        scaler: &Scaler,
        (steps, reseats): (usize, usize),
    ) -> Option<Self> {
        let every = (steps / TRIALS).max(LEAST_STEPS);
        let left = reseats.min(steps / BUDGET / every);
        if left == 0 || pairs.is_empty() {
            return None;
        }
        let stride = pairs.len().div_ceil(MOST_PAIRS);
        let looked = || pairs.pairs().iter().step_by(stride);
        let ends: Vec<Item> = looked().flat_map(|pair| [pair.first.clone(), pair.second.clone()]).collect();
        let links = looked().map(|pair| pair.link).collect();
        let codes = |items: &[Item]| bench.inferred(pretrained, items, scaler, |inference| inference.embedding);
        let (row_codes, end_codes) = (codes(rows), codes(&ends));
        let (rows, pretrained, next) = (rows.to_vec(), pretrained.to_vec(), Some(every));
        Some(Self { rows, ends, links, pretrained, row_codes, end_codes, before: None, every, next, left })
    }

    /// Whether to look at the network before step `step` of the clustering stage.
    pub fn due(&self, step: usize) -> bool {
        self.next == Some(step)
    }

    /// What goes on: what is there, a trial, or what was there before the trial. `renewed`: the pairs as at first.
    pub fn look(
        &mut self,
        bench: &Workbench,
        (trained, pairs): (Trained, PairStore),
        renewed: &PairStore,
        scaler: &Scaler,
        aloud: bool,
    ) -> (Trained, PairStore) {
        let view = self.view(bench, &trained.parameters, scaler);
        if let Some((trained, pairs, before)) = self.before.take() {
            let now = broken(&self.links, &view.ends);
            let [mended, broken] = changes(&broken(&self.links, &before.ends), &now);
            let kept = is_better(mended, broken);
            if aloud {
                let still = now.iter().filter(|broken| **broken).count();
                tracing::info!(mended, broken, still_broken = still, kept, "clusters were seated again, by the pairs");
            }
            if !kept {
                self.next = None;
                return (trained, pairs);
            }
        }
        let groups = if self.left == 0 { None } else { self.groups(&view, bench.objective.clusters()) };
        let Some(groups) = groups else {
            self.next = None;
            return (trained, pairs);
        };
        self.left -= 1;
        self.next = self.next.map(|step| step + self.every);
        self.before = Some((trained, pairs, view));
        let mut parameters = self.pretrained.clone();
        bench.objective.seat_groups(&mut parameters, &self.row_codes, &groups);
        (Trained::new(bench.objective.as_ref(), parameters), renewed.clone())
    }

    fn view(&self, bench: &Workbench, parameters: &[f32], scaler: &Scaler) -> View {
        let scores = |items: &[Item]| bench.inferred(parameters, items, scaler, |inference| inference.scores);
        let (row_scores, end_scores) = (scores(&self.rows), scores(&self.ends));
        let ends = best(&end_scores, bench.objective.clusters(), None);
        View { row_scores, end_scores, ends }
    }

    /// The rows' clusters, one of them cut in two and another given up for it; nothing if no cluster breaks enough cannot-links or
    /// a cluster would be left without rows.
    fn groups(&self, view: &View, clusters: usize) -> Option<Vec<u32>> {
        let broken_inside = |cluster: &u32| self.inside(&view.ends, *cluster, Link::Cannot).count();
        let cut = (0..clusters as u32).rev().max_by_key(broken_inside)?;
        if broken_inside(&cut) < LEAST_BROKEN {
            return None;
        }
        let broken_without = |cluster: &u32| {
            let ends = best(&view.end_scores, clusters, Some(*cluster));
            broken(&self.links, &ends).iter().filter(|broken| **broken).count()
        };
        let given_up = (0..clusters as u32).filter(|cluster| *cluster != cut).min_by_key(broken_without)?;
        let own = best(&view.row_scores, clusters, None);
        let members: Vec<usize> = (0..own.len()).filter(|row| own[*row] == cut).collect();
        let beyond = self.beyond(&members, &view.ends, cut)?;
        let mut groups = best(&view.row_scores, clusters, Some(given_up));
        members.iter().zip(beyond).filter(|(_, beyond)| *beyond).for_each(|(row, _)| groups[*row] = given_up);
        (0..clusters as u32).all(|cluster| groups.contains(&cluster)).then_some(groups)
    }

    /// Places of the pairs of this kind whose rows are both in the cluster.
    fn inside<'a>(&'a self, ends: &'a [u32], cluster: u32, link: Link) -> impl Iterator<Item = usize> + 'a {
        let pairs = ends.chunks_exact(2).zip(&self.links).enumerate();
        pairs.filter(move |(_, (pair, known))| **known == link && **pair == [cluster; 2]).map(|(place, _)| place)
    }

    /// Which members of a cluster lie on the one side of the cut; nothing if they are all alike.
    fn beyond(&self, members: &[usize], ends: &[u32], cluster: u32) -> Option<Vec<bool>> {
        let width = self.row_codes.len() / self.rows.len().max(1);
        let codes: Vec<f32> = members.iter().flat_map(|row| line(&self.row_codes, *row, width)).copied().collect();
        let differences = |link: Link| -> Vec<f32> {
            let between = |pair: usize| {
                let [first, second] = [0, 1].map(|end| line(&self.end_codes, 2 * pair + end, width));
                first.iter().zip(second).map(|(a, b)| a - b)
            };
            self.inside(ends, cluster, link).flat_map(between).collect()
        };
        discriminant::halves(&codes, &differences(Link::Cannot), &differences(Link::Must), width)
    }
}

fn line(matrix: &[f32], row: usize, width: usize) -> &[f32] {
    &matrix[row * width..(row + 1) * width]
}

/// The cluster with the greatest score in each row, `without` left out.
fn best(scores: &[f32], clusters: usize, without: Option<u32>) -> Vec<u32> {
    let mut scores = scores.to_vec();
    let lines = scores.chunks_exact_mut(clusters);
    lines
        .map(|line| {
            without.into_iter().for_each(|cluster| line[cluster as usize] = f32::NEG_INFINITY);
            argmax(line) as u32
        })
        .collect()
}

/// Which pairs are not as they should be.
fn broken(links: &[Link], ends: &[u32]) -> Vec<bool> {
    ends.chunks_exact(2).zip(links).map(|(pair, link)| (pair[0] == pair[1]) != (*link == Link::Must)).collect()
}

/// How many pairs were mended and how many were broken.
fn changes(before: &[bool], after: &[bool]) -> [usize; 2] {
    let count = |from: bool| before.iter().zip(after).filter(|(b, a)| **b == from && **a != from).count();
    [count(true), count(false)]
}

fn is_better(mended: usize, broken: usize) -> bool {
    mended > broken && (mended - broken) as f64 >= SIGNIFICANT * ((mended + broken) as f64).sqrt()
}

#[cfg(test)]
mod tests;
