use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

/// Costs as they come from cosine logits: rows near one of a few centres, some much more often than others.
fn clustered(seed: u64, rows: usize, clusters: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut costs = Vec::with_capacity(rows * clusters);
    for _ in 0..rows {
        let home = (rng.random::<f32>().powi(3) * clusters as f32) as usize;
        for k in 0..clusters {
            let near = if k == home { 0.1 } else { 1.0 };
            costs.push(near + 0.3 * (rng.random::<f32>() + rng.random::<f32>()));
        }
    }
    costs
}

fn continuous(seed: u64, rows: usize, clusters: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..rows * clusters).map(|_| rng.random::<f32>()).collect()
}

fn signs_agree(priced: &Priced, min: &[f64], max: &[f64], tolerance: f64) {
    for (k, (&price, &share)) in priced.prices.iter().zip(&priced.shares).enumerate() {
        assert!(price <= 0.0 || share >= max[k] - tolerance, "cluster {k} is held down at {share}");
        assert!(price >= 0.0 || share <= min[k] + tolerance, "cluster {k} is lifted at {share}");
    }
}

fn total(costs: &[f32], prices: &[f32]) -> f64 {
    costs.chunks_exact(prices.len()).map(|row| f64::from(row[cheapest(row, prices)])).sum()
}

/// The least total cost over all assignments with sizes within the bounds, by trying every one.
fn least(costs: &[f32], lower: &[usize], upper: &[usize]) -> Option<f64> {
    fn visit(
        costs: &[f32],
        counts: &mut Vec<usize>,
        lower: &[usize],
        upper: &[usize],
        sum: f64,
        best: &mut Option<f64>,
    ) {
        let clusters = lower.len();
        if costs.is_empty() {
            let within = counts.iter().zip(lower).all(|(count, lower)| count >= lower);
            if within && best.is_none_or(|best| sum < best) {
                *best = Some(sum);
            }
            return;
        }
        for k in 0..clusters {
            if counts[k] < upper[k] {
                counts[k] += 1;
                visit(&costs[clusters..], counts, lower, upper, sum + f64::from(costs[k]), best);
                counts[k] -= 1;
            }
        }
    }
    let mut best = None;
    visit(costs, &mut vec![0; lower.len()], lower, upper, 0.0, &mut best);
    best
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn tiny_assignments_cost_what_the_cheapest_of_all_assignments_costs(
        seed in any::<u64>(),
        rows in 1usize..8,
        bounds in prop::collection::vec((0usize..4, 0usize..5), 1..5),
    ) {
        let lower: Vec<usize> = bounds.iter().map(|b| b.0.min(rows)).collect();
        let upper: Vec<usize> = bounds.iter().map(|b| (b.0 + b.1).min(rows)).collect();
        let costs = continuous(seed, rows, bounds.len());
        let share = |counts: &[usize]| counts.iter().map(|&c| c as f64 / rows as f64).collect::<Vec<_>>();
        let (min, max) = (share(&lower), share(&upper));
        if let Some(least) = least(&costs, &lower, &upper) {
            let priced = solve(&costs, &min, &max);
            prop_assert_eq!(priced.violation, 0.0);
            let cost = total(&costs, &priced.prices);
            prop_assert!((cost - least).abs() < 1e-5, "{} instead of {}", cost, least);
            signs_agree(&priced, &min, &max, 0.0);
        }
    }

    #[test]
    fn shares_keep_their_bounds_whatever_the_costs(
        seed in any::<u64>(),
        rows in 1usize..1500,
        clusters in 1usize..12,
        tight in 0.0f64..=1.0,
        clumps in any::<bool>(),
    ) {
        let costs = if clumps { clustered(seed, rows, clusters) } else { continuous(seed, rows, clusters) };
        let even = 1.0 / clusters as f64;
        let (min, max) = (vec![even * tight; clusters], vec![even + (1.0 - even) * (1.0 - tight); clusters]);
        let priced = solve(&costs, &min, &max);
        let allowed = if rows >= 1000 { 0.005 } else { 2.0 / rows as f64 };
        prop_assert!(priced.violation <= allowed, "{}", priced.violation);
        prop_assert!((priced.shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        signs_agree(&priced, &min, &max, allowed);
    }

    #[test]
    fn shares_within_their_bounds_need_no_prices(seed in any::<u64>(), rows in 1usize..300, clusters in 1usize..8) {
        let costs = clustered(seed, rows, clusters);
        let free = solve(&costs, &vec![0.0; clusters], &vec![1.0; clusters]);
        prop_assert_eq!(&free.prices, &vec![0.0; clusters]);
        let exactly = solve(&costs, &free.shares, &free.shares);
        prop_assert_eq!(exactly, free);
    }
}

#[test]
fn rows_that_are_all_alike_are_reported_as_they_are() {
    let costs: Vec<f32> = (0..500).flat_map(|_| [0.2f32, 0.4, 0.9]).collect();
    let priced = solve(&costs, &[0.1; 3], &[0.5; 3]);
    assert!((priced.violation - 0.5).abs() < 1e-9, "{priced:?}");
    assert!(priced.prices.iter().all(|price| price.is_finite()));
}

#[test]
fn copies_of_rows_cost_at_most_their_own_group() {
    // Twenty kinds of rows, each 50 times: a bound can be missed by no more than the kind that straddles it.
    let kinds = continuous(3, 20, 4);
    let costs: Vec<f32> = (0..50).flat_map(|_| kinds.iter().copied()).collect();
    let priced = solve(&costs, &[0.25; 4], &[0.25; 4]);
    assert!(priced.violation <= 0.05 * 3.0 + 1e-9, "{priced:?}");
}

#[test]
fn two_overfull_neighbours_are_relieved_by_a_distant_third() {
    // Single prices raised in turn would have to outbid each other in steps of the noise here.
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let costs: Vec<f32> = (0..2000)
        .flat_map(|_| [rng.random::<f32>() * 1e-3, rng.random::<f32>() * 1e-3, 5.0 + rng.random::<f32>()])
        .collect();
    let priced = solve(&costs, &[0.0; 3], &[0.35; 3]);
    assert_eq!(priced.violation, 0.0);
    assert!(priced.prices[0] > 5.0 && priced.prices[1] > 5.0 && priced.prices[2] == 0.0, "{priced:?}");
}

#[test]
fn fewer_rows_than_clusters_still_spread() {
    let costs: Vec<f32> =
        (0..5).flat_map(|row| (0..64).map(move |k| k as f32 + 0.01 * row as f32 * k as f32)).collect();
    let priced = solve(&costs, &[0.0; 64], &[0.05; 64]);
    assert!(priced.shares.iter().all(|&share| share <= 0.2 + 1e-9), "{:?}", priced.shares);
    assert!((priced.violation - 0.15).abs() < 1e-9);
}

#[test]
fn a_cluster_that_may_hold_nothing_is_priced_out_of_reach() {
    let costs = continuous(5, 400, 3);
    let priced = solve(&costs, &[0.0; 3], &[0.0, 1.0, 1.0]);
    assert_eq!((priced.shares[0], priced.violation), (0.0, 0.0));
    assert!(priced.prices[0] > 0.0 && priced.prices[1] == 0.0 && priced.prices[2] == 0.0, "{:?}", priced.prices);
}

#[test]
fn costs_that_are_not_finite_are_left_where_they_are() {
    let mut costs = continuous(9, 300, 3);
    costs[10] = f32::NAN;
    costs[100] = f32::INFINITY;
    let priced = solve(&costs, &[1.0 / 3.0; 3], &[1.0 / 3.0; 3]);
    assert!(priced.violation <= 2.0 / 300.0 && priced.prices.iter().all(|price| price.is_finite()), "{priced:?}");
    assert_eq!(solve(&[], &[0.5; 2], &[0.5; 2]).prices, [0.0; 2]);
}

#[test]
fn bounds_are_feasible_when_they_leave_room_for_all_shares() {
    assert!(feasible(0.0, 1.0, 1) && feasible(0.25, 0.25, 4) && feasible(0.01, 0.01, 100));
    assert!(!feasible(0.3, 0.5, 4) && !feasible(0.0, 0.2, 4) && !feasible(0.5, 0.4, 2));
    assert!(!feasible(-0.1, 1.0, 2) && !feasible(0.0, 1.1, 2) && !feasible(f64::NAN, 1.0, 2));
}
