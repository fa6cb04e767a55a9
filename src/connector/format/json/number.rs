//! Numbers as JSON writes them, each rounded once.

use super::cursor::Cursor;

/// Powers of ten, of which a double holds those from one on exactly. With the largest no mantissa overflows a single.
const TENS: [f64; 41] = [
    1e-20, 1e-19, 1e-18, 1e-17, 1e-16, 1e-15, 1e-14, 1e-13, 1e-12, 1e-11, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4,
    1e-3, 1e-2, 1e-1, 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
    1e18, 1e19, 1e20,
];
/// Where one stands among them.
const ONE: usize = 20;
/// Powers of ten as whole numbers.
const SHIFTS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];
/// So many digits fit a word whatever they are, and one less a signed one.
const MOST_DIGITS: usize = 19;
/// Up to here a double holds every whole number.
const EXACT: u64 = 1 << 53;

/// A type of numbers that is read from JSON text.
pub(super) trait Number: Copy + Default {
    /// The number at the cursor; `None` if there is none, or if this type has no place for it. What stands behind it is not looked
    /// at.
    fn read(cursor: &mut Cursor<'_>) -> Option<Self>;
}

/// A number of JSON's grammar: `mantissa · 10^exponent`, with a sign.
struct Decimal {
    negative: bool,
    mantissa: u64,
    exponent: i32,
    /// Whether the mantissa holds all digits, and has a bit to spare.
    whole: bool,
}

impl Decimal {
    // Most of the time that JSON takes is spent here: a call for each step would double it.
    #[inline(always)]
    fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        let negative = cursor.skip_perhaps(b'-');
        let first = cursor.digit()?;
        let (mut mantissa, mut digits) = (u64::from(first), 1);
        let mut point = cursor.skip_if(b'.');
        if !point {
            digits += few(cursor, &mut mantissa);
            if digits > 1 && first == 0 {
                return None;
            }
            point = cursor.skip_if(b'.');
        }
        let mut exponent = 0;
        if point {
            let fraction = many(cursor, &mut mantissa);
            if fraction == 0 {
                return None;
            }
            digits += fraction;
            exponent = -(fraction as i32);
        }
        if let Some(b'e' | b'E') = cursor.first() {
            exponent += self::exponent(cursor)?;
        }
        Some(Self { negative, mantissa, exponent, whole: digits < MOST_DIGITS })
    }

    /// The nearest double; `None` where it takes more than one rounding.
    ///
    /// Source: Clinger, How to read floating point numbers accurately (1990).
    #[inline(always)]
    fn exact(&self) -> Option<f64> {
        let tens = TENS.get(ONE.wrapping_add_signed(self.exponent.unsigned_abs() as isize));
        let tens = tens.filter(|_| self.whole && self.mantissa <= EXACT)?;
        let mantissa = self.mantissa as f64;
        Some(if self.exponent < 0 { mantissa / tens } else { mantissa * tens })
    }

    /// A double that is three units in its last place off at most: mantissa, power and product are rounded once each.
    #[inline(always)]
    fn close(&self) -> Option<f64> {
        let tens = TENS.get(ONE.wrapping_add_signed(self.exponent as isize)).filter(|_| self.whole)?;
        // A signed number is converted by one instruction.
        Some(self.mantissa as i64 as f64 * tens)
    }
}

impl Number for f64 {
    #[inline(always)]
    fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        let start = cursor.mark();
        let decimal = Decimal::read(cursor)?;
        match decimal.exact() {
            Some(value) => Some(if decimal.negative { -value } else { value }),
            None => long(cursor, start).filter(|value: &Self| value.is_finite()),
        }
    }
}

impl Number for f32 {
    /// A close double tells the nearest single unless it is as close to the middle between two of them.
    #[inline(always)]
    fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        const BELOW: u64 = (1 << 29) - 1;
        const MIDDLE: u64 = 1 << 28;
        const DOUBT: u64 = 4;
        let start = cursor.mark();
        let decimal = Decimal::read(cursor)?;
        match decimal.close() {
            Some(value) if value.to_bits().wrapping_sub(MIDDLE - DOUBT) & BELOW > 2 * DOUBT => {
                let value = value as Self;
                // The signs of numbers are hard to predict.
                Some(Self::from_bits(value.to_bits() | u32::from(decimal.negative) << 31))
            }
            _ => long(cursor, start).filter(|value: &Self| value.is_finite()),
        }
    }
}

impl Number for i64 {
    fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        let negative = cursor.skip_if(b'-');
        let zero = cursor.first() == Some(b'0');
        let mut size = 0;
        let digits = many(cursor, &mut size);
        if digits == 0 || zero && digits > 1 || digits > MOST_DIGITS {
            return None;
        }
        let value = Self::try_from(size).ok()?;
        Some(if negative { -value } else { value })
    }
}

impl Number for i32 {
    fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        i64::read(cursor).and_then(|value| value.try_into().ok())
    }
}

/// Passes over a number of any size.
pub(super) fn skip(cursor: &mut Cursor<'_>) -> Option<()> {
    Decimal::read(cursor).map(|_| ())
}

/// The number from a mark to the cursor, however many digits it has.
#[cold]
fn long<T: std::str::FromStr>(cursor: &Cursor<'_>, start: usize) -> Option<T> {
    cursor.since(start)?.parse().ok()
}

/// The exponent at the cursor, its letter included. One of more than four digits has zeros at its front or is out of every range.
fn exponent(cursor: &mut Cursor<'_>) -> Option<i32> {
    cursor.advance(1);
    let down = cursor.skip_if(b'-');
    if !down {
        cursor.skip_if(b'+');
    }
    let mut size = 0;
    if !(1..=4).contains(&few(cursor, &mut size)) {
        return None;
    }
    Some(if down { -(size as i32) } else { size as i32 })
}

/// Passes over digits and appends them to `number`; of more than [`MOST_DIGITS`] the last 64 bits are left. Returns how many.
#[inline(always)]
fn few(cursor: &mut Cursor<'_>, number: &mut u64) -> usize {
    let mut count = 0;
    while let Some(digit) = cursor.digit() {
        *number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
        count += 1;
    }
    count
}

/// The same, the first sixteen at once: how many there are is hard to predict, so that it decides nothing up to there.
#[inline(always)]
fn many(cursor: &mut Cursor<'_>, number: &mut u64) -> usize {
    let Some(lanes) = cursor.sixteen() else { return few(cursor, number) };
    let [first, second] = lanes.map(Lanes);
    let digits = first.digits();
    let more = second.digits() * (digits / 8);
    *number = number.wrapping_mul(SHIFTS[digits]).wrapping_add(first.number(digits));
    *number = number.wrapping_mul(SHIFTS[more]).wrapping_add(second.number(more));
    cursor.advance(digits + more);
    if more < 8 { digits + more } else { 16 + few(cursor, number) }
}

/// Eight characters in one word, the first in its lowest byte.
///
/// Source: Lemire, Number parsing at a gigabyte per second (2021), section 6; difference: any number of digits up to eight.
#[derive(Clone, Copy)]
struct Lanes(u64);

impl Lanes {
    const ZEROS: u64 = u64::from_le_bytes([b'0'; 8]);

    /// How many digits stand at the front.
    #[inline(always)]
    fn digits(self) -> usize {
        const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
        // The sum carries beyond a lane only after one that is no digit.
        const BEYOND_NINE: u64 = u64::from_le_bytes([0x80 - 10; 8]);
        let lanes = self.0 ^ Self::ZEROS;
        let others = (lanes.wrapping_add(BEYOND_NINE) | lanes) & HIGH;
        others.trailing_zeros() as usize / 8
    }

    /// What the first so many characters say, which are digits.
    #[inline(always)]
    fn number(self, digits: usize) -> u64 {
        const PAIRS: u64 = 0x0000_00ff_0000_00ff;
        // Zeros come to stand before the digits, and what follows them is pushed out.
        let half = 32 - 4 * digits;
        let lanes = (self.0 ^ Self::ZEROS) << half << half;
        let pairs = lanes.wrapping_mul(10).wrapping_add(lanes >> 8);
        let upper = (pairs & PAIRS).wrapping_mul(100 + (1_000_000 << 32));
        let lower = (pairs >> 16 & PAIRS).wrapping_mul(1 + (10_000 << 32));
        upper.wrapping_add(lower) >> 32
    }
}
