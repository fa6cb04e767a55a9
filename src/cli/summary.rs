//! What a run prints at its end.

use std::io::{self, Write};

use serde_json::json;

use crate::error::Error;
use crate::pipeline::{GAP_BUCKETS, Totals};
use crate::stats::{imbalance_factor, normalised_entropy};

/// Prints the summary of a run or an assignment to standard output.
///
/// # Errors
/// If standard output cannot be written.
pub fn print(
    name: &str,
    verdict: &str,
    totals: &Totals,
    seconds: f64,
    folder: &str,
    as_json: bool,
) -> Result<(), Error> {
    let status = &totals.status;
    let counts: Vec<u64> = status.shares.iter().map(|share| (share * 1e6).round() as u64).collect();
    let rejected: u64 = totals.rejected.values().sum();
    let alarms: u64 = totals.alarms.values().sum();
    let mut output = io::stdout().lock();
    if as_json {
        let value = json!({
            "pipeline": name, "outcome": verdict, "seconds": seconds, "totals": totals,
            "model_version": status.model_version, "shares": status.shares,
            "balance_entropy_ratio": normalised_entropy(&counts), "output": folder,
        });
        writeln!(output, "{value:#}")?;
        return Ok(());
    }
    let rate = if seconds > 0.0 { totals.input_rows as f64 / seconds } else { 0.0 };
    let mut line = |name: &str, value: String| writeln!(output, "{name:<18}{value}");
    line(name, format!("{verdict} after {seconds:.1} s"))?;
    line("input rows", format!("{} ({rate:.0}/s)", totals.input_rows))?;
    line("assigned rows", totals.assigned_rows.to_string())?;
    if totals.unwindowed_rows > 0 {
        line("in no window", format!("{} readings", totals.unwindowed_rows))?;
    }
    let reasons: Vec<String> = totals.rejected.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
    line("dead letters", if rejected == 0 { "0".to_owned() } else { format!("{rejected} ({})", reasons.join(", ")) })?;
    line("model version", status.model_version.to_string())?;
    if !status.shares.is_empty() {
        let shares: Vec<String> = status.shares.iter().map(|share| format!("{:.1}", 100.0 * share)).collect();
        line("recent shares %", shares.join("  "))?;
        let (entropy, imbalance) = (normalised_entropy(&counts), imbalance_factor(&counts));
        line("balance", format!("entropy {entropy:.4}, imbalance {imbalance:.3} (1 = even)"))?;
    }
    let signals: Vec<String> = totals.alarms.iter().map(|(signal, count)| format!("{signal} {count}")).collect();
    line("drift alarms", if alarms == 0 { "0".to_owned() } else { format!("{alarms} ({})", signals.join(", ")) })?;
    if totals.gaps.iter().sum::<u64>() > 0 {
        let bars = GAP_BUCKETS.iter().zip(&totals.gaps).filter(|(_, count)| **count > 0);
        let bars: Vec<String> = bars.map(|(end, count)| format!("≤{end} s: {count}")).collect();
        line("between epochs", format!("longest {:.3} s; {}", totals.longest_gap_s, bars.join(", ")))?;
    }
    line("checkpoints", totals.checkpoints.to_string())?;
    line("output", folder.to_owned())?;
    Ok(())
}
