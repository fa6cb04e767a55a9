use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::stats::drift::{Score, Signal};

fn labels(clusters: usize) -> Labels<'static> {
    Labels {
        pipeline: "har",
        version: "1.2.3",
        backend: "flex",
        clusters,
        reasons: &["null"],
        partitions: &[("har.features", 0)],
    }
}

/// The sample lines of a metric, without the pipeline label.
fn samples(text: &str, name: &str) -> Vec<String> {
    let own = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
    let mut lines: Vec<String> = text
        .lines()
        .filter(own)
        .map(|line| line.replace("pipeline=\"har\",", "").replace("{pipeline=\"har\"}", ""))
        .collect();
    lines.sort();
    lines
}

fn value(text: &str, name: &str) -> f64 {
    let lines = samples(text, name);
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines[0].rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn every_metric_of_the_table_exists_from_the_start_with_zero() {
    let (_metrics, exposition) = install(&labels(3)).unwrap();
    let text = exposition.render();
    for metric in METRICS {
        let kind = format!("{:?}", metric.kind).to_lowercase();
        assert!(text.contains(&format!("# TYPE {} {kind}\n", metric.name)), "{}\n{text}", metric.name);
        assert!(text.contains(&format!("# HELP {} ", metric.name)), "{}", metric.name);
        let name =
            if metric.kind == Kind::Histogram { format!("{}_count", metric.name) } else { metric.name.to_owned() };
        let lines = samples(&text, &name);
        assert!(!lines.is_empty(), "{name}\n{text}");
        let start = if metric.name == "evenkeel_build_info" { " 1" } else { " 0" };
        for line in lines {
            assert!(line.ends_with(start), "{line}");
            assert!(metric.labels.iter().all(|label| line.contains(&format!("{label}=\""))), "{line}");
        }
    }
}

#[test]
fn nothing_is_exposed_that_is_not_in_the_table() {
    let (_metrics, exposition) = install(&labels(3)).unwrap();
    let exposed: BTreeSet<String> = exposition
        .render()
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next().map(str::to_owned))
        .collect();
    assert_eq!(exposed, METRICS.iter().map(|metric| metric.name.to_owned()).collect());
}

#[test]
fn names_follow_their_kind_and_unit() {
    for metric in METRICS {
        assert!(metric.name.starts_with("evenkeel_"));
        assert_eq!(metric.kind == Kind::Counter, metric.name.ends_with("_total"), "{}", metric.name);
        assert_eq!(metric.unit == ::metrics::Unit::Seconds, metric.name.ends_with("_seconds"), "{}", metric.name);
        assert!(metric.help.ends_with('.'));
    }
}

#[test]
fn what_is_counted_is_rendered() {
    let (metrics, exposition) = install(&labels(3)).unwrap();
    metrics.rows_read.increment(7);
    metrics.dead_letters("null", 2);
    metrics.dead_letters("not seen before", 1);
    metrics.source_lag("har.features", 0, 12);
    metrics.learn_seconds.record(0.003);
    metrics.shares(&[0.5, 0.5, 0.0]);
    metrics.centroid_shifts(&[0.1, 0.2, 0.3]);
    metrics.checkpoint_succeeded(1_700_000_000.0, Duration::from_millis(250));
    metrics.drift(&[Score { signal: Signal::Shares, score: 0.25, threshold: None, alarming: false, alarms: 2 }]);
    let text = exposition.render();
    assert!(
        samples(&text, "evenkeel_rows_total").contains(&"evenkeel_rows_total{stage=\"read\"} 7".to_owned()),
        "{text}"
    );
    assert_eq!(samples(&text, "evenkeel_dead_letters_total").len(), 2);
    assert_eq!(value(&text, "evenkeel_source_lag_rows"), 12.0);
    assert_eq!(value(&text, "evenkeel_active_clusters"), 2.0);
    assert!((value(&text, "evenkeel_balance_entropy_ratio") - 2f64.ln() / 3f64.ln()).abs() < 1e-12);
    assert_eq!(value(&text, "evenkeel_balance_imbalance_factor"), 1.5);
    assert_eq!(value(&text, "evenkeel_checkpoint_duration_seconds"), 0.25);
    let alarms = samples(&text, "evenkeel_drift_alarms_total");
    assert!(alarms.contains(&"evenkeel_drift_alarms_total{signal=\"shares\"} 2".to_owned()), "{alarms:?}");
    let bucket = |le: &str| {
        let lines = samples(&text, "evenkeel_batch_duration_seconds_bucket");
        lines.iter().any(|line| line.contains("learn") && line.ends_with(&format!("le=\"{le}\"}} 1")))
    };
    assert!(bucket("0.005") && bucket("+Inf") && !bucket("0.0025"), "{text}");
}

#[test]
fn clusters_beyond_the_cap_are_folded_into_one_series() {
    let (metrics, exposition) = install(&labels(66)).unwrap();
    let mut shares = vec![0.5 / 64.0; 64];
    shares.extend([0.25, 0.25]);
    metrics.shares(&shares);
    metrics.centroid_shifts(&(0..66).map(f64::from).collect::<Vec<_>>());
    let text = exposition.render();
    let lines = samples(&text, "evenkeel_cluster_share_ratio");
    assert_eq!(lines.len(), 65);
    assert!(lines.contains(&"evenkeel_cluster_share_ratio{cluster=\"other\"} 0.5".to_owned()), "{lines:?}");
    assert!(
        samples(&text, "evenkeel_centroid_shift").contains(&"evenkeel_centroid_shift{cluster=\"other\"} 65".to_owned())
    );
    assert_eq!(value(&text, "evenkeel_series_dropped_total"), 4.0);
    assert_eq!(value(&text, "evenkeel_active_clusters"), 66.0);
}

#[test]
fn two_recorders_in_one_process_do_not_mix() {
    let (first, first_exposition) = install(&labels(2)).unwrap();
    let (second, second_exposition) = install(&labels(2)).unwrap();
    first.batches.increment(1);
    second.batches.increment(10);
    assert_eq!(value(&first_exposition.render(), "evenkeel_batches_total"), 1.0);
    assert_eq!(value(&second_exposition.render(), "evenkeel_batches_total"), 10.0);
}

#[test]
fn disabled_metrics_take_every_call() {
    let metrics = Metrics::disabled();
    metrics.rows_read.increment(1);
    metrics.shares(&[0.2; 5]);
    metrics.centroid_shifts(&[0.2; 100]);
    metrics.dead_letters("null", 1);
    assert!(format!("{metrics:?}").contains("cluster_series: 0"));
}

#[test]
fn readiness_is_shown_as_it_changes() {
    let (metrics, exposition) = install(&labels(3)).unwrap();
    let ready = || value(&exposition.render(), "evenkeel_ready");
    let health = Health::shown(metrics.ready);
    assert_eq!(ready(), 0.0);
    health.ready();
    assert_eq!(ready(), 1.0);
    health.not_ready("restoring checkpoint 3");
    assert_eq!(ready(), 0.0);
    health.ready();
    health.dead("worker 1 stopped");
    assert_eq!(ready(), 0.0);
}

#[test]
fn every_metric_of_the_alerts_is_in_the_table() {
    let rules = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus/rules.yml");
    let rules = std::fs::read_to_string(rules).unwrap();
    // A metric's name ends where a label matcher, a range, an operator or the prose around it begins.
    let words = rules.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    let named: BTreeSet<&str> = words.filter(|word| word.starts_with("evenkeel_")).collect();
    assert!(named.len() > 10, "{named:?}");
    let known = |name: &&str| METRICS.iter().any(|metric| metric.name == *name);
    let unknown: Vec<_> = named.iter().filter(|name| !known(name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn health_tells_the_last_reason() {
    let health = Health::default();
    assert_eq!((health.liveness(), health.readiness()), (Ok(()), Err("starting".to_owned())));
    health.ready();
    assert_eq!(health.clone().readiness(), Ok(()));
    health.not_ready("restoring checkpoint 3");
    assert_eq!((health.liveness(), health.readiness()), (Ok(()), Err("restoring checkpoint 3".to_owned())));
    health.dead("worker 1 stopped");
    assert_eq!(health.liveness(), Err("worker 1 stopped".to_owned()));
}
