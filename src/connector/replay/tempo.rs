//! When each row is due.

use std::time::Duration;

/// How fast rows are published.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tempo {
    /// As fast as the broker takes them.
    Unbounded,
    /// So many rows a second, evenly.
    Rate(f64),
    /// So many times as fast as they happened.
    Speed(f64),
}

impl Tempo {
    /// How long after the start a row is due.
    ///
    /// ```text
    /// Rate(r)    row / r
    /// Speed(s)   (time − first_time) / s
    /// ```
    ///
    /// `row` counts from 0, times are nanoseconds; a row before the first one is due at once.
    pub fn due(self, row: u64, time: Option<i64>, first_time: Option<i64>) -> Duration {
        let seconds = match (self, time, first_time) {
            (Self::Rate(rate), ..) => row as f64 / rate,
            (Self::Speed(speed), Some(time), Some(first)) => time.saturating_sub(first) as f64 / 1e9 / speed,
            _ => 0.0,
        };
        Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_spaces_rows_evenly() {
        let due = |row| Tempo::Rate(4.0).due(row, Some(1), None).as_secs_f64();
        assert_eq!([due(0), due(1), due(8)], [0.0, 0.25, 2.0]);
    }

    #[test]
    fn a_speed_compresses_event_time() {
        let due = |time| Tempo::Speed(10.0).due(3, Some(time), Some(5_000_000_000)).as_secs_f64();
        assert_eq!([due(5_000_000_000), due(6_000_000_000), due(4_000_000_000)], [0.0, 0.1, 0.0]);
        assert_eq!(Tempo::Speed(1e-12).due(0, Some(i64::MAX), Some(i64::MIN)), Duration::MAX);
    }

    #[test]
    fn without_a_tempo_everything_is_due_at_once() {
        assert_eq!(Tempo::Unbounded.due(u64::MAX, Some(i64::MAX), Some(0)), Duration::ZERO);
    }
}
