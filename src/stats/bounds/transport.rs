//! Successive shortest paths on the graph of clusters.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::cheapest;

/// What it costs more to move a row to another cluster; ordered by that, then by row, so that results do not depend on
/// the history of a heap.
#[derive(Clone, Copy, Debug)]
struct Move {
    cost: f64,
    row: u32,
}

impl Ord for Move {
    fn cmp(&self, other: &Self) -> Ordering {
        self.cost.total_cmp(&other.cost).then(self.row.cmp(&other.row))
    }
}

impl PartialOrd for Move {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Move {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Move {}

/// An assignment that is always the cheapest one for the cluster sizes it has, on its way to sizes within bounds.
///
/// Nodes are the clusters and one `ground` node, through which clusters with room exchange it. The residual arcs are
///
/// ```text
/// a -> b       min over rows i in a of cost_ib - cost_ia
/// a -> ground  0, while flow_a < upper_a
/// ground -> a  0, while flow_a > lower_a
/// ```
///
/// and the potentials keep `potential_x <= potential_y + arc_xy` on each of them.
pub(super) struct Transport<'a> {
    costs: &'a [f32],
    clusters: usize,
    rows: usize,
    lower: Vec<usize>,
    upper: Vec<usize>,
    assigned: Vec<u32>,
    count: Vec<usize>,
    /// How much of a cluster's count is within its bounds.
    flow: Vec<usize>,
    /// `[from, to]`: the candidates for a move, also some that have left `from` since.
    moves: Vec<BinaryHeap<Reverse<Move>>>,
    /// `[from, to]`: the cheapest valid candidate.
    best: Vec<Option<Move>>,
    potential: Vec<f64>,
}

impl<'a> Transport<'a> {
    /// Starts from every row's own choice.
    pub(super) fn new(costs: &'a [f32], lower: Vec<usize>, upper: Vec<usize>) -> Self {
        let clusters = lower.len();
        let free = vec![0.0; clusters];
        let assigned: Vec<u32> = costs.chunks_exact(clusters).map(|row| cheapest(row, &free) as u32).collect();
        let mut count = vec![0; clusters];
        let mut candidates = vec![Vec::new(); clusters * clusters];
        for (row, (costs, &from)) in costs.chunks_exact(clusters).zip(&assigned).enumerate() {
            let from = from as usize;
            count[from] += 1;
            if costs.iter().all(|cost| cost.is_finite()) {
                for to in (0..clusters).filter(|&to| to != from) {
                    let cost = f64::from(costs[to]) - f64::from(costs[from]);
                    candidates[from * clusters + to].push(Reverse(Move { cost, row: row as u32 }));
                }
            }
        }
        let flow = (0..clusters).map(|k| count[k].clamp(lower[k], upper[k])).collect();
        let moves: Vec<BinaryHeap<_>> = candidates.into_iter().map(BinaryHeap::from).collect();
        let best = moves.iter().map(|heap| heap.peek().map(|top| top.0)).collect();
        let rows = assigned.len();
        let potential = vec![0.0; clusters + 1];
        Self { costs, clusters, rows, lower, upper, assigned, count, flow, moves, best, potential }
    }

    /// Moves rows along shortest paths until every size is within its bounds, or no path is left.
    pub(super) fn balance(&mut self) {
        // The ground comes last: what it has too much of is then what lifted clusters lack.
        for source in 0..=self.clusters {
            while self.excess(source) > 0 {
                let Some((target, parents)) = self.shortest_path(source) else { return };
                let mut to = target;
                while to != source {
                    let from = parents[to];
                    self.shift(from, to);
                    to = from;
                }
            }
        }
    }

    /// How many rows a node has beyond what it may pass on; negative if it lacks some.
    fn excess(&self, node: usize) -> i64 {
        if node == self.clusters {
            self.flow.iter().sum::<usize>() as i64 - self.rows as i64
        } else {
            self.count[node] as i64 - self.flow[node] as i64
        }
    }

    /// Length of a residual arc, infinite if there is none.
    fn arc(&self, from: usize, to: usize) -> f64 {
        let open = if to == self.clusters {
            self.flow[from] < self.upper[from]
        } else if from == self.clusters {
            self.flow[to] > self.lower[to]
        } else {
            return self.best[from * self.clusters + to].map_or(f64::INFINITY, |best| best.cost);
        };
        if open { 0.0 } else { f64::INFINITY }
    }

    /// Dijkstra on the reduced lengths from `source` to the nearest node that lacks rows; updates the potentials.
    fn shortest_path(&mut self, source: usize) -> Option<(usize, Vec<usize>)> {
        let nodes = self.clusters + 1;
        let mut distance = vec![f64::INFINITY; nodes];
        let mut parent = vec![source; nodes];
        let mut done = vec![false; nodes];
        distance[source] = 0.0;
        loop {
            let nearest = (0..nodes)
                .filter(|&node| !done[node] && distance[node].is_finite())
                .min_by(|&a, &b| distance[a].total_cmp(&distance[b]))?;
            if self.excess(nearest) < 0 {
                let reach = distance[nearest];
                for (potential, distance) in self.potential.iter_mut().zip(&distance) {
                    *potential += (reach - distance).max(0.0);
                }
                return Some((nearest, parent));
            }
            done[nearest] = true;
            for to in (0..nodes).filter(|&to| to != nearest) {
                let reduced = (self.arc(nearest, to) + self.potential[to] - self.potential[nearest]).max(0.0);
                if !done[to] && distance[nearest] + reduced < distance[to] {
                    distance[to] = distance[nearest] + reduced;
                    parent[to] = nearest;
                }
            }
        }
    }

    /// Sends one row (or, to and from the ground, the right to keep one) along an arc.
    fn shift(&mut self, from: usize, to: usize) {
        if to == self.clusters {
            self.flow[from] += 1;
            return;
        }
        if from == self.clusters {
            self.flow[to] -= 1;
            return;
        }
        let moved = self.best[from * self.clusters + to].expect("a path uses arcs that exist").row;
        self.assigned[moved as usize] = to as u32;
        self.count[from] -= 1;
        self.count[to] += 1;
        let costs = &self.costs[moved as usize * self.clusters..][..self.clusters];
        for other in 0..self.clusters {
            let left = from * self.clusters + other;
            if self.best[left].is_some_and(|best| best.row == moved) {
                let heap = &mut self.moves[left];
                while heap.peek().is_some_and(|top| self.assigned[top.0.row as usize] != from as u32) {
                    heap.pop();
                }
                self.best[left] = heap.peek().map(|top| top.0);
            }
            if other != to {
                let joined = to * self.clusters + other;
                let entry = Move { cost: f64::from(costs[other]) - f64::from(costs[to]), row: moved };
                self.moves[joined].push(Reverse(entry));
                self.best[joined] = Some(self.best[joined].map_or(entry, |best| best.min(entry)));
            }
        }
    }

    /// Prices at which the assignment reached is every row's own choice.
    ///
    /// The optimal prices are all solutions of `price_x - price_y <= arc_xy` over the residual arcs. The shortest distances
    /// to one node `y` are such a solution, a corner; the mean of the corners of all nodes lies inside.
    pub(super) fn prices(&self) -> Vec<f32> {
        let ground = self.clusters;
        // A cluster that may hold nothing is priced afterwards: from above nothing limits its price.
        let nodes: Vec<usize> = (0..=ground).filter(|&node| node == ground || self.upper[node] > 0).collect();
        // A minimum of no rows and a maximum of all rows hold nobody: such clusters must not be priced.
        let rise = |k: usize| self.count[k] >= self.upper[k] && self.upper[k] < self.rows;
        let fall = |k: usize| self.count[k] <= self.lower[k] && self.lower[k] > 0;
        let base: Vec<f64> = (0..=ground)
            .map(|x| {
                let above = self.potential[x] - self.potential[ground];
                if x == ground || (above > 0.0 && !rise(x)) || (above < 0.0 && !fall(x)) { 0.0 } else { above }
            })
            .collect();
        let mut distance = vec![f64::INFINITY; (ground + 1) * (ground + 1)];
        for &x in &nodes {
            for &y in &nodes {
                let length = match (x == ground, y == ground) {
                    _ if x == y => 0.0,
                    (false, true) if rise(x) => f64::INFINITY,
                    (true, false) if fall(y) => f64::INFINITY,
                    (false, false) => self.arc(x, y),
                    _ => 0.0,
                };
                // Reduced lengths are not negative, so rounding cannot pile up around circles of length zero.
                distance[x * (ground + 1) + y] = (length + base[y] - base[x]).max(0.0);
            }
        }
        for &via in &nodes {
            for &x in &nodes {
                let first = distance[x * (ground + 1) + via];
                for &y in &nodes {
                    let detour = first + distance[via * (ground + 1) + y];
                    let direct = &mut distance[x * (ground + 1) + y];
                    *direct = direct.min(detour);
                }
            }
        }
        let clusters: Vec<usize> = nodes.iter().copied().filter(|&node| node != ground).collect();
        let path = |x: usize, y: usize| base[x] + distance[x * (ground + 1) + y] - base[y];
        let mut sum = vec![0.0; ground];
        let mut corners = 0usize;
        for &y in &nodes {
            let corner: Vec<f64> = if path(ground, y).is_finite() {
                clusters.iter().map(|&x| path(x, y) - path(ground, y)).collect()
            } else {
                // From below nothing limits the prices of `y` and of what depends on it: just under what the rest allows.
                let bound = clusters.iter().map(|&x| path(x, y) - path(x, ground)).filter(|gap| gap.is_finite());
                let zero = bound.reduce(f64::max).map(|zero| zero + self.margin()).unwrap_or_else(|| {
                    // The bounds fix differences only; then the prices are centred.
                    clusters.iter().map(|&x| path(x, y)).sum::<f64>() / clusters.len() as f64
                });
                let price = |x: usize| if path(x, y).is_finite() { path(x, y) - zero } else { path(x, ground) };
                clusters.iter().map(|&x| price(x)).collect()
            };
            if corner.iter().all(|price| price.is_finite()) {
                clusters.iter().zip(&corner).for_each(|(&x, price)| sum[x] += price);
                corners += 1;
            }
        }
        let mut prices: Vec<f32> = (0..ground)
            .map(|k| {
                let price = if corners == 0 { base[k] } else { sum[k] / corners as f64 };
                let price = price.clamp(if fall(k) { f64::MIN } else { 0.0 }, if rise(k) { f64::MAX } else { 0.0 });
                price as f32
            })
            .collect();
        self.shut(&mut prices);
        prices
    }

    /// Prices the clusters that may hold nothing: just out of every row's reach.
    fn shut(&self, prices: &mut [f32]) {
        let open: Vec<usize> = (0..self.clusters).filter(|&k| self.upper[k] > 0).collect();
        for shut in (0..self.clusters).filter(|&k| self.upper[k] == 0) {
            let reach = self
                .costs
                .chunks_exact(self.clusters)
                .map(|row| open.iter().map(|&k| row[k] + prices[k]).fold(f32::INFINITY, f32::min) - row[shut])
                .filter(|reach| reach.is_finite())
                .fold(f32::NEG_INFINITY, f32::max);
            prices[shut] = if reach < 0.0 { 0.0 } else { reach * 1.001 + self.margin() as f32 };
        }
    }

    /// A price difference that is small among the costs but large against their rounding.
    fn margin(&self) -> f64 {
        let largest =
            self.costs.iter().filter(|cost| cost.is_finite()).fold(0.0f32, |largest, cost| largest.max(cost.abs()));
        (f64::from(largest) * 1e-3).max(1e-30)
    }
}
