//! A horizon in event time.

/// Reads a duration such as `90s`, `30m`, `6h`, `2d` or `1w`, in seconds.
///
/// # Errors
/// If it is not a positive number with one of these units.
pub fn parse(text: &str) -> Result<f64, String> {
    let units = [("s", 1.0), ("m", 60.0), ("h", 3_600.0), ("d", 86_400.0), ("w", 604_800.0)];
    let unit = units.into_iter().find_map(|(unit, seconds)| text.trim().strip_suffix(unit).map(|n| (n, seconds)));
    let value = unit.and_then(|(number, seconds)| number.trim().parse::<f64>().ok().map(|number| number * seconds));
    match value {
        Some(seconds) if seconds > 0.0 && seconds.is_finite() => Ok(seconds),
        _ => Err(format!(
            "\"{text}\" is not a duration: write a positive number and a unit, such as \"90s\", \"6h\" or \"2d\""
        )),
    }
}

/// Priority of a row in a reservoir whose memory halves every `half_life` seconds of event time.
///
/// The rows with the largest priorities are a weighted sample without replacement with weights `2^(t/h)` (Efraimidis and
/// Spirakis 2006, algorithm A-ES): `u^(1/w)` in logarithms, twice, so that no weight overflows:
///
/// ```text
/// priority = t·ln 2/h - ln(-ln u)            u uniform in (0, 1)
/// ```
#[must_use]
pub fn priority(event_time_ns: i64, half_life: f64, uniform: f64) -> f64 {
    let age = event_time_ns as f64 / 1e9 * std::f64::consts::LN_2 / half_life;
    age - (-(uniform.clamp(f64::MIN_POSITIVE, 1.0 - f64::EPSILON)).ln()).ln()
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;
    use crate::stats::random::stream;

    #[test]
    fn durations_are_read_with_their_unit() {
        assert_eq!(parse("6h"), Ok(21_600.0));
        assert_eq!(parse(" 1.5 m "), Ok(90.0));
        for wrong in ["", "6", "h", "-1h", "0s", "6 hours"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_row_one_half_life_older_is_half_as_likely_to_win() {
        let mut rng = stream(1, "half-life", 0);
        let mut older = 0;
        for _ in 0..20_000 {
            let old = priority(0, 10.0, rng.random());
            let new = priority(10_000_000_000, 10.0, rng.random());
            older += u32::from(old > new);
        }
        let share = f64::from(older) / 20_000.0;
        assert!((share - 1.0 / 3.0).abs() < 0.015, "{share}");
    }
}
