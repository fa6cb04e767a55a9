use std::f64::consts::TAU;

use proptest::prelude::*;

use super::Statistics;

/// Every value by its definition, one sum at a time.
fn plain(readings: &[f32], triples: usize, length: usize, rate_hz: f64) -> Vec<f64> {
    let axes = 3 * triples;
    let mut channels: Vec<Vec<f64>> =
        (0..axes).map(|axis| (0..length).map(|t| f64::from(readings[t * axes + axis])).collect()).collect();
    for triple in 0..triples {
        let magnitude = |t: usize| (0..3).map(|i| channels[3 * triple + i][t].powi(2)).sum::<f64>().sqrt();
        let magnitudes = (0..length).map(magnitude).collect();
        channels.push(magnitudes);
    }
    let n = length as f64;
    let blocks: Vec<Vec<f64>> = channels
        .iter()
        .map(|x| {
            let mean = x.iter().sum::<f64>() / n;
            let c: Vec<f64> = x.iter().map(|v| v - mean).collect();
            let energy: f64 = c.iter().map(|v| v * v).sum();
            let mut sorted = x.clone();
            sorted.sort_by(f64::total_cmp);
            let quantile = |q: f64| {
                let place = q * (n - 1.0);
                let (low, high) = (place.floor() as usize, place.ceil() as usize);
                sorted[low] * (1.0 - place.fract()) + sorted[high] * place.fract()
            };
            let mut out = vec![mean, (energy / n).sqrt(), sorted[0], sorted[length - 1]];
            out.push(c.iter().map(|v| v.abs()).sum::<f64>() / n);
            out.push(quantile(0.75) - quantile(0.25));
            let sign = |v: f64| if v == 0.0 { 0.0 } else { v.signum() };
            out.push((1..length).filter(|&t| sign(c[t]) != sign(c[t - 1])).count() as f64 / (n - 1.0));
            for lag in [1, 5, 10, 20, 40] {
                out.push((lag..length).map(|t| c[t] * c[t - lag]).sum::<f64>() / (energy + 1e-9));
            }
            let power: Vec<f64> = (0..=length / 2)
                .map(|f| {
                    let angle = |t: usize| TAU * (f * t) as f64 / n;
                    let real: f64 = (0..length).map(|t| c[t] * angle(t).cos()).sum();
                    let imaginary: f64 = (0..length).map(|t| c[t] * angle(t).sin()).sum();
                    real * real + imaginary * imaginary
                })
                .collect();
            let bin = |border: f64| ((border / 2.56 * n / rate_hz).round() as usize).max(1);
            for (from, to) in [(1.0, 2.0), (2.0, 4.0), (4.0, 8.0), (8.0, 16.0), (16.0, 64.0)] {
                let (from, to) = (bin(from), bin(to));
                out.push((1.0 + power.iter().take(to).skip(from).sum::<f64>()).ln());
            }
            let mut largest = 1;
            for f in 1..power.len() {
                if power[f] > power[largest] {
                    largest = f;
                }
            }
            out.push((largest - 1) as f64);
            out
        })
        .collect();
    let mut out: Vec<f64> = (0..18).flat_map(|block| blocks.iter().map(move |channel| channel[block])).collect();
    for i in 0..axes {
        for j in i + 1..axes {
            let (mi, mj) = (blocks[i][0], blocks[j][0]);
            let product: f64 = (0..length).map(|t| (channels[i][t] - mi) * (channels[j][t] - mj)).sum();
            out.push(product / (n * blocks[i][1] * blocks[j][1] + 1e-9));
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn the_fast_statistics_equal_the_plain_ones(
        rate_hz in 5.0..200.0,
        (triples, length, readings) in (1_usize..4, 2_usize..150).prop_flat_map(|(triples, length)| {
            (Just(triples), Just(length), prop::collection::vec(-20.0_f32..20.0, 3 * triples * length))
        })
    ) {
        let fast = Statistics::new(triples, length, rate_hz).extract(&readings);
        let plain = plain(&readings, triples, length, rate_hz);
        prop_assert_eq!(fast.len(), plain.len());
        for (place, (fast, plain)) in fast.iter().zip(&plain).enumerate() {
            prop_assert!((f64::from(*fast) - plain).abs() <= 1e-4 * plain.abs().max(1.0), "value {}: {} {}", place, fast, plain);
        }
    }
}

#[test]
fn two_triples_have_159_values_and_as_many_names() {
    let sensors = [["ax", "ay", "az"].map(String::from), ["wx", "wy", "wz"].map(String::from)];
    let names = Statistics::feature_names(&sensors);
    assert_eq!(Statistics::new(2, 128, 50.0).width(), 159);
    assert_eq!(names.len(), 159);
    assert_eq!(names[0], "mean(ax)");
    assert_eq!(names[6], "mean(|ax,ay,az|)");
    assert_eq!(names[8 * 12 + 1], "power_1_2(ay)");
    assert_eq!(names[158], "correlation(wy,wz)");
}

#[test]
fn a_motionless_sensor_has_finite_statistics() {
    let readings: Vec<f32> = [0.1, -9.81, 0.0].repeat(128);
    let out = Statistics::new(1, 128, 50.0).extract(&readings);
    assert!(out.iter().all(|value| value.is_finite()));
    assert!((out[1] + 9.81).abs() < 1e-6, "mean of the second axis");
    assert!(out[4..8].iter().all(|deviation| deviation.abs() < 1e-6));
}

#[test]
fn readings_near_the_limits_of_f32_have_finite_statistics() {
    let readings: Vec<f32> = (0..384).map(|i| if i % 2 == 0 { f32::MAX } else { f32::MIN }).collect();
    assert!(Statistics::new(1, 128, 50.0).extract(&readings).iter().all(|value| value.is_finite()));
}

#[test]
fn a_pure_tone_has_its_bin_as_the_peak() {
    for (length, bin) in [(128, 5), (100, 17), (33, 16)] {
        let tone = |t: usize| (TAU * (bin * t) as f64 / length as f64).sin() as f32;
        let readings: Vec<f32> = (0..length).flat_map(|t| [tone(t), 0.0, 0.0]).collect();
        let out = Statistics::new(1, length, 50.0).extract(&readings);
        assert_eq!(out[17 * 4], (bin - 1) as f32);
    }
}

#[test]
fn a_tone_is_in_the_band_of_its_frequency_at_any_rate_and_length() {
    for (hz, band) in [(0.390625, 0), (1.171875, 1), (2.34375, 2), (4.6875, 3), (9.375, 4)] {
        for (rate_hz, length) in [(50.0, 128), (25.0, 64), (50.0, 256), (100.0, 512), (40.0, 1000)] {
            let tone = |t: usize| (TAU * hz * t as f64 / rate_hz).sin() as f32;
            let readings: Vec<f32> = (0..length).flat_map(|t| [tone(t), 0.0, 0.0]).collect();
            let out = Statistics::new(1, length, rate_hz).extract(&readings);
            let powers: Vec<f32> = (12..17).map(|block| out[block * 4]).collect();
            let largest = (0..5).max_by(|&a, &b| powers[a].total_cmp(&powers[b])).unwrap();
            assert_eq!(largest, band, "{hz} Hz, {length} readings at {rate_hz} Hz: {powers:?}");
        }
    }
}

#[test]
fn one_extractor_may_be_used_again() {
    let readings: Vec<f32> = (0..384).map(|i| (i as f32).sin()).collect();
    let mut statistics = Statistics::new(1, 128, 50.0);
    let first = statistics.extract(&readings);
    statistics.extract(&vec![3.0; 384]);
    assert_eq!(statistics.extract(&readings), first);
}
