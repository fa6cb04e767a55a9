//! The assignment problem: pair rows with columns so that the costs of the pairs sum to the least.

use std::ops::{Add, Neg, Sub};

/// A number that can be matched by: `f64` (finite values only) and `i64`.
pub trait Cost: Copy + PartialOrd + Add<Output = Self> + Sub<Output = Self> + Neg<Output = Self> {
    /// Nothing.
    const ZERO: Self;
    /// More than any cost.
    const INFINITE: Self;
}

impl Cost for f64 {
    const ZERO: Self = 0.0;
    const INFINITE: Self = f64::INFINITY;
}

impl Cost for i64 {
    const ZERO: Self = 0;
    const INFINITE: Self = i64::MAX;
}

/// Pairs each row with a column of its own so that the sum of `costs` (row-major, `rows` by `columns`) is smallest.
/// With more rows than columns some rows get `None`.
///
/// Shortest augmenting paths with potentials (Kuhn 1955, Jonker and Volgenant 1987): O(min² · max) of the two sides.
///
/// # Panics
/// If `costs` does not have `rows · columns` entries, or if one of them is NaN or infinite.
pub fn minimum_matching<C: Cost>(costs: &[C], rows: usize, columns: usize) -> Vec<Option<usize>> {
    assert_eq!(costs.len(), rows * columns, "costs have one entry per row and column");
    assert!(costs.iter().all(|&c| c < C::INFINITE && -c < C::INFINITE), "costs are finite");
    if rows <= columns {
        return shortest_paths(rows, columns, |row, column| costs[row * columns + column])
            .into_iter()
            .map(Some)
            .collect();
    }
    let row_of_column = shortest_paths(columns, rows, |column, row| costs[row * columns + column]);
    let mut matching = vec![None; rows];
    for (column, row) in row_of_column.into_iter().enumerate() {
        matching[row] = Some(column);
    }
    matching
}

/// Like [`minimum_matching`], for the largest sum of `gains`.
///
/// # Panics
/// As [`minimum_matching`].
pub fn maximum_matching<C: Cost>(gains: &[C], rows: usize, columns: usize) -> Vec<Option<usize>> {
    let costs: Vec<C> = gains.iter().map(|&gain| -gain).collect();
    minimum_matching(&costs, rows, columns)
}

/// The column of every row, for `rows <= columns`.
fn shortest_paths<C: Cost>(rows: usize, columns: usize, cost: impl Fn(usize, usize) -> C) -> Vec<usize> {
    // Columns count from 1: column 0 stands for "no column yet" and holds the row being placed.
    let mut row_price = vec![C::ZERO; rows];
    let mut column_price = vec![C::ZERO; columns + 1];
    let mut row_of: Vec<Option<usize>> = vec![None; columns + 1];
    for placed in 0..rows {
        row_of[0] = Some(placed);
        let mut slack = vec![C::INFINITE; columns + 1];
        let mut previous = vec![0; columns + 1];
        let mut visited = vec![false; columns + 1];
        let mut column = 0;
        while let Some(row) = row_of[column] {
            visited[column] = true;
            let mut least = C::INFINITE;
            let mut next = 0;
            for candidate in (1..=columns).filter(|&c| !visited[c]) {
                let reduced = cost(row, candidate - 1) - row_price[row] - column_price[candidate];
                if reduced < slack[candidate] {
                    slack[candidate] = reduced;
                    previous[candidate] = column;
                }
                if slack[candidate] < least {
                    least = slack[candidate];
                    next = candidate;
                }
            }
            for c in 0..=columns {
                if let (true, Some(row)) = (visited[c], row_of[c]) {
                    row_price[row] = row_price[row] + least;
                    column_price[c] = column_price[c] - least;
                } else {
                    slack[c] = slack[c] - least;
                }
            }
            column = next;
        }
        while column != 0 {
            row_of[column] = row_of[previous[column]];
            column = previous[column];
        }
    }
    let mut column_of = vec![0; rows];
    for (column, row) in row_of.iter().enumerate().skip(1) {
        if let Some(row) = row {
            column_of[*row] = column - 1;
        }
    }
    column_of
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn total<C: Cost>(costs: &[C], columns: usize, matching: &[Option<usize>]) -> C {
        let chosen = matching.iter().enumerate().filter_map(|(row, column)| Some(costs[row * columns + (*column)?]));
        chosen.fold(C::ZERO, |sum, cost| sum + cost)
    }

    /// All ways to give each of the `rows` a column of its own, the plain way.
    fn best_by_trying(costs: &[i64], rows: usize, columns: usize, row: usize, taken: u32) -> i64 {
        if row == rows {
            return 0;
        }
        (0..columns)
            .filter(|column| taken & (1 << column) == 0)
            .map(|column| {
                costs[row * columns + column] + best_by_trying(costs, rows, columns, row + 1, taken | (1 << column))
            })
            .min()
            .unwrap()
    }

    // m[r][q] = (37r + 91q + 13rq) mod 101, matched by scipy.optimize.linear_sum_assignment (scipy with scikit-learn 1.9.1).
    fn example() -> Vec<i64> {
        (0..6).flat_map(|r| (0..9).map(move |q| (r * 37 + q * 91 + r * q * 13) % 101)).collect()
    }

    #[test]
    fn a_wide_matrix_is_matched_as_by_scipy() {
        let matching = minimum_matching(&example(), 6, 9);
        assert_eq!(total(&example(), 9, &matching), 74);
        assert_eq!(total(&example(), 9, &maximum_matching(&example(), 6, 9)), 524);
    }

    #[test]
    fn a_tall_matrix_leaves_rows_without_a_column() {
        let tall: Vec<i64> = (0..9).flat_map(|q| (0..6).map(move |r| example()[r * 9 + q])).collect();
        let matching = minimum_matching(&tall, 9, 6);
        assert_eq!(total(&tall, 6, &matching), 74);
        assert_eq!(matching.iter().filter(|column| column.is_none()).count(), 3);
    }

    #[test]
    fn an_empty_matrix_has_an_empty_matching() {
        assert_eq!(minimum_matching::<f64>(&[], 0, 3), vec![]);
        assert_eq!(minimum_matching::<f64>(&[], 2, 0), vec![None, None]);
    }

    #[test]
    #[should_panic(expected = "costs are finite")]
    fn nan_is_refused_rather_than_searched_forever() {
        minimum_matching(&[f64::NAN], 1, 1);
    }

    proptest! {
        #[test]
        fn no_other_matching_is_cheaper(rows in 1_usize..6, extra in 0_usize..3, seed in prop::collection::vec(-50_i64..50, 48)) {
            let columns = rows + extra;
            let costs = &seed[..rows * columns];
            let matching = minimum_matching(costs, rows, columns);
            let mut used: Vec<_> = matching.iter().map(|column| column.unwrap()).collect();
            used.sort_unstable();
            used.dedup();
            prop_assert_eq!(used.len(), rows);
            prop_assert_eq!(total(costs, columns, &matching), best_by_trying(costs, rows, columns, 0, 0));
            let as_f64: Vec<f64> = costs.iter().map(|&c| c as f64).collect();
            let in_f64 = minimum_matching(&as_f64, rows, columns);
            prop_assert_eq!(total(&as_f64, columns, &in_f64), total(costs, columns, &matching) as f64);
        }
    }
}
