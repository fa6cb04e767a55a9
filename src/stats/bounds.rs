//! Prices that keep the shares of hard assignments within bounds.
//!
//! The cheapest assignment of rows to clusters under bounds on the clusters' sizes is a transport problem; its dual is one
//! price per cluster, and with the right prices every row simply takes the cluster that is cheapest for it:
//!
//! ```text
//! assigned_i = argmin_k cost_ik + price_k                  (the lowest index where several are equal)
//! price_k > 0 only if max_k holds k down,  price_k < 0 only if min_k lifts it,  else price_k = 0
//! ```
//!
//! [`solve`] starts from zero each time and is exact: successive shortest paths over a graph of `clusters + 1` nodes, at
//! most one path per row that has to move. What remains of the dual after that is a small system of differences; the prices
//! are a point inside it, away from its edges, so that no row is left undecided unless rows are copies of one another.
//!
//! Source: Ahuja, Magnanti, Orlin, *Network Flows* (1993), sections 9.7 (successive shortest paths) and 2.6 (lower bounds).

mod transport;

#[cfg(test)]
mod tests;

use transport::Transport;

/// Prices and what they achieve.
#[derive(Clone, Debug, PartialEq)]
pub struct Priced {
    /// One price per cluster, to be added to its costs; all exactly 0 if the bounds hold without.
    pub prices: Vec<f32>,
    /// Share of the rows that each cluster gets at these prices.
    pub shares: Vec<f64>,
    /// By how much the worst cluster misses its bounds, as a share; rows that are copies of one another cannot be told
    /// apart by prices, and only they make this larger than the rounding of a bound to whole rows.
    pub violation: f64,
}

/// Whether shares of `clusters` clusters can all lie within `min..=max` and sum to one.
pub fn feasible(min: f64, max: f64, clusters: usize) -> bool {
    let k = clusters as f64;
    // A hundred times 0.01 is not exactly 1.
    let slack = 1e-9;
    min >= 0.0 && min <= max && max <= 1.0 && min * k <= 1.0 + slack && max * k >= 1.0 - slack
}

/// The cluster that is cheapest for a row at the given prices; the lowest index where several are equal.
///
/// ```text
/// argmin_k cost_k + price_k
/// ```
pub fn cheapest(costs: &[f32], prices: &[f32]) -> usize {
    let mut best = 0;
    let mut lowest = f32::INFINITY;
    for (k, (cost, price)) in costs.iter().zip(prices).enumerate() {
        let priced = cost + price;
        if priced < lowest {
            lowest = priced;
            best = k;
        }
    }
    best
}

/// Finds the prices that keep every cluster's share of `costs`' rows within `min..=max` at the least total cost.
///
/// Bounds are rounded to whole rows, inwards where that leaves a solution and outwards where not (few rows, many clusters).
/// Bounds that cannot be met at all are met as far as they can be. Rows with a cost that is not finite are counted where
/// they fall, but never moved.
///
/// # Shapes
/// `costs` is `[rows, clusters]`, row by row; `min` and `max` are `[clusters]`.
pub fn solve(costs: &[f32], min: &[f64], max: &[f64]) -> Priced {
    let clusters = min.len();
    assert!(max.len() == clusters, "one minimum and one maximum per cluster");
    assert!(clusters > 0 && costs.len().is_multiple_of(clusters), "costs are whole rows of one cost per cluster");
    let natural = achieved(costs, vec![0.0; clusters], min, max);
    let rows = costs.len() / clusters;
    if rows == 0 || natural.violation <= 0.0 {
        return natural;
    }
    let (lower, upper) = whole(rows, min, max);
    let mut transport = Transport::new(costs, lower, upper);
    transport.balance();
    let solved = achieved(costs, transport.prices(), min, max);
    // Among copies of one row prices can make things worse than they were.
    if solved.violation < natural.violation { solved } else { natural }
}

/// Shares and violation of the assignment at `prices`.
fn achieved(costs: &[f32], prices: Vec<f32>, min: &[f64], max: &[f64]) -> Priced {
    let mut counts = vec![0usize; prices.len()];
    for row in costs.chunks_exact(prices.len()) {
        counts[cheapest(row, &prices)] += 1;
    }
    let rows = costs.len() / prices.len();
    if rows == 0 {
        return Priced { shares: vec![0.0; prices.len()], prices, violation: 0.0 };
    }
    let shares: Vec<f64> = counts.iter().map(|&count| count as f64 / rows as f64).collect();
    // A share of exactly the bound must not fail on the bound's last bit.
    let slack = 1e-12;
    let violation = shares
        .iter()
        .zip(min.iter().zip(max))
        .map(|(share, (min, max))| (min - share).max(share - max))
        .fold(0.0, |worst: f64, by| if by > slack { worst.max(by) } else { worst });
    Priced { prices, shares, violation }
}

/// Bounds in whole rows: inwards if some assignment satisfies that, else outwards.
fn whole(rows: usize, min: &[f64], max: &[f64]) -> (Vec<usize>, Vec<usize>) {
    let n = rows as f64;
    let slack = 1e-6;
    let count = |share: f64| (share.clamp(0.0, 1.0) * n).min(n);
    let lower: Vec<usize> = min.iter().map(|&m| (count(m) - slack).ceil().max(0.0) as usize).collect();
    let upper: Vec<usize> = max.iter().map(|&m| (count(m) + slack).floor() as usize).collect();
    let ordered = lower.iter().zip(&upper).all(|(lower, upper)| lower <= upper);
    if ordered && lower.iter().sum::<usize>() <= rows && upper.iter().sum::<usize>() >= rows {
        return (lower, upper);
    }
    let lower: Vec<usize> = min.iter().map(|&m| (count(m) + slack).floor() as usize).collect();
    let upper = max.iter().zip(&lower).map(|(&m, &l)| ((count(m) - slack).ceil().max(0.0) as usize).max(l)).collect();
    (lower, upper)
}
