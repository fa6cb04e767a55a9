//! Event time as people read it: UTC, as fine as the axis needs.

const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Steps that a clock is read in, in nanoseconds; beyond the last one whole multiples of it.
const STEPS: [i64; 26] = [
    1_000,
    10_000,
    100_000,
    1_000_000,
    10_000_000,
    100_000_000,
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    7 * DAY,
    28 * DAY,
];

/// The finest step that cuts `span` nanoseconds into at most `most` pieces.
pub(super) fn step(span: i64, most: i64) -> i64 {
    let least = span / most.max(1) + i64::from(span % most.max(1) > 0);
    let last = STEPS[STEPS.len() - 1];
    STEPS.into_iter().find(|&step| step >= least).unwrap_or_else(|| last * (least / last + i64::from(least % last > 0)))
}

/// A tick's label: the date for whole days, else the time of day, with parts of a second only where steps are that fine.
pub(super) fn tick(time: i64, step: i64) -> String {
    let (date, clock) = (date(time), time.rem_euclid(DAY));
    if step >= DAY {
        return date;
    }
    let (hour, minute) = (clock / HOUR, clock % HOUR / MINUTE);
    if step >= MINUTE {
        return format!("{hour:02}:{minute:02}");
    }
    let second = clock % MINUTE / SECOND;
    if step >= SECOND {
        return format!("{hour:02}:{minute:02}:{second:02}");
    }
    let digits = (9 - step.ilog10()) as usize;
    let fraction = format!("{:09}", clock % SECOND);
    format!("{hour:02}:{minute:02}:{second:02}.{}", &fraction[..digits.clamp(1, 9)])
}

/// `2018-01-31`.
pub(super) fn date(time: i64) -> String {
    let (year, month, day) = civil(time.div_euclid(DAY));
    format!("{year:04}-{month:02}-{day:02}")
}

/// `2018-01-31 23:59:59`.
pub(crate) fn instant(time: i64) -> String {
    format!("{} {}", date(time), tick(time, SECOND))
}

/// Year, month and day of a day number, day 0 being 1970-01-01 (Hinnant, `civil_from_days`).
fn civil(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted_month + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_those_of_the_calendar() {
        assert_eq!(instant(0), "1970-01-01 00:00:00");
        assert_eq!(instant(-SECOND), "1969-12-31 23:59:59");
        assert_eq!(instant(951_782_400 * SECOND), "2000-02-29 00:00:00");
        assert_eq!(instant(1_514_764_800 * SECOND), "2018-01-01 00:00:00");
        assert_eq!(instant(4_102_444_799 * SECOND), "2099-12-31 23:59:59");
    }

    #[test]
    fn ticks_are_as_fine_as_their_step() {
        let time = 1_514_764_800 * SECOND + 13 * HOUR + 7 * MINUTE + 9 * SECOND + 250_000_000;
        assert_eq!(tick(time, DAY), "2018-01-01");
        assert_eq!(tick(time, 5 * MINUTE), "13:07");
        assert_eq!(tick(time, SECOND), "13:07:09");
        assert_eq!(tick(time, 100_000_000), "13:07:09.2");
        assert_eq!(tick(time, 10_000_000), "13:07:09.25");
    }

    #[test]
    fn a_step_is_the_finest_that_makes_no_more_pieces_than_asked() {
        assert_eq!(step(60 * MINUTE, 6), 10 * MINUTE);
        assert_eq!(step(61 * MINUTE, 6), 15 * MINUTE);
        assert_eq!(step(0, 6), 1_000);
        for span in [1, 999, SECOND, 7 * HOUR + 1, 90 * DAY, 4_000 * DAY, i64::MAX] {
            assert!(span / step(span, 8) <= 8, "{span}");
        }
    }
}
