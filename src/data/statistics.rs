//! Statistics of one window of three-axis sensors.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

/// Lags of the autocorrelation, in readings.
const LAGS: [usize; 5] = [1, 5, 10, 20, 40];
/// Borders of the power bands, in bins of the transform of a window of [`BAND_SECONDS`].
const BANDS: [usize; 6] = [1, 2, 4, 8, 16, 64];
/// The window that the bands were chosen for: 128 readings at 50 Hz, bins 0.390625 Hz apart.
const BAND_SECONDS: f64 = 2.56;
/// Values of a channel.
const BLOCKS: usize = 7 + LAGS.len() + (BANDS.len() - 1) + 1;
/// Keeps quotients finite for constant channels.
const TINY: f64 = 1e-9;

/// The `statistics` extractor: 18 values of every channel, then the correlations between axes; 159 values for two triples.
///
/// Channels are the `3n` axes of the `n` triples in order, then one magnitude a triple: `ax ay az wx wy wz |a| |w|`. Of a
/// channel `x[0..N]` with mean `m` and `x' = x - m`, each line one block over all channels:
///
/// ```text
/// 1      m
/// 2      standard deviation, divided by N
/// 3  4   minimum, maximum
/// 5      mean |x'|
/// 6      interquartile range, percentiles by linear interpolation
/// 7      share of t = 0..N-2 with sign x'[t+1] != sign x'[t]
/// 8-12   sum_t x'[t] x'[t+l] / (sum_t x'[t]² + 1e-9),  l = 1, 5, 10, 20, 40
/// 13-17  ln(1 + sum P[f]) over the bands 0.39 .. 0.78 .. 1.56 .. 3.12 .. 6.25 .. 25 Hz,  P[f] = |sum_t x'[t] e^(-2 pi i f t / N)|²
/// 18     the f in 1..=N/2 with the largest P[f] (the first of equals), less 1
/// then   for every pair of axes i < j:  sum_t xi' xj' / (sqrt(sum xi'² sum xj'²) + 1e-9)
/// ```
///
/// `n` triples give `4n·18 + 3n(3n - 1)/2` values. The list was chosen for windows of `N = 128` at 50 Hz, where the bands are
/// the bins `[1,2) [2,4) [4,8) [8,16) [16,64)`, as their names say. In a window of `T` seconds they are the bins from
/// `round(border·T/2.56)` on, the same frequencies at any rate and length; the mean is in no band, a band narrower than a bin
/// may be empty (0), bins beyond `N/2` do not exist, and frequencies from 25 Hz on are in no band, though the largest is sought
/// among them too. Lags stay in readings (0 where `l >= N`), the largest in bins.
///
/// Computed in `f64`.
pub struct Statistics {
    triples: usize,
    length: usize,
    /// Borders of the power bands in bins.
    bands: [usize; BANDS.len()],
    transform: Arc<dyn RealToComplex<f64>>,
    /// Channel after channel, less their means.
    centred: Vec<f64>,
    squares: Vec<f64>,
    sorted: Vec<f64>,
    signal: Vec<f64>,
    scratch: Vec<Complex<f64>>,
    spectrum: Vec<Complex<f64>>,
    power: Vec<f64>,
}

impl Statistics {
    /// For windows of `length` readings (at least 2), `rate_hz` a second, of `triples` sensors.
    pub fn new(triples: usize, length: usize, rate_hz: f64) -> Self {
        let seconds = length as f64 / rate_hz;
        let bins = length / 2 + 1;
        let border = |bin: usize| ((bin as f64 * seconds / BAND_SECONDS).round() as usize).clamp(1, bins);
        let transform = RealFftPlanner::new().plan_fft_forward(length);
        Self {
            triples,
            length,
            bands: BANDS.map(border),
            centred: vec![0.0; 4 * triples * length],
            squares: vec![0.0; 4 * triples],
            sorted: vec![0.0; length],
            signal: vec![0.0; length],
            scratch: transform.make_scratch_vec(),
            spectrum: transform.make_output_vec(),
            power: vec![0.0; bins],
            transform,
        }
    }

    /// Number of values.
    pub fn width(&self) -> usize {
        let axes = 3 * self.triples;
        4 * self.triples * BLOCKS + axes * (axes - 1) / 2
    }

    /// The statistics of `readings`, row-major `[length, 3 · triples]`, all finite.
    pub fn extract(&mut self, readings: &[f32]) -> Vec<f32> {
        let channels = 4 * self.triples;
        let mut out = vec![0.0; self.width()];
        self.load(readings);
        for channel in 0..channels {
            let values = self.channel(channel);
            for (block, value) in values.into_iter().enumerate() {
                out[block * channels + channel] = finite(value);
            }
        }
        let axes = 3 * self.triples;
        let mut place = channels * BLOCKS;
        for i in 0..axes {
            for j in i + 1..axes {
                let product = dot(self.centred_channel(i), self.centred_channel(j));
                out[place] = finite(product / ((self.squares[i] * self.squares[j]).sqrt() + TINY));
                place += 1;
            }
        }
        out
    }

    /// Splits readings into channels and adds the magnitudes.
    fn load(&mut self, readings: &[f32]) {
        let axes = 3 * self.triples;
        let (axis_part, magnitude_part) = self.centred.split_at_mut(axes * self.length);
        for (time, reading) in readings.chunks_exact(axes).enumerate() {
            for (axis, &value) in reading.iter().enumerate() {
                axis_part[axis * self.length + time] = f64::from(value);
            }
            for (triple, xyz) in reading.chunks_exact(3).enumerate() {
                let square: f64 = xyz.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
                magnitude_part[triple * self.length + time] = square.sqrt();
            }
        }
    }

    fn centred_channel(&self, channel: usize) -> &[f64] {
        &self.centred[channel * self.length..(channel + 1) * self.length]
    }

    /// The blocks of one channel; leaves it centred.
    fn channel(&mut self, channel: usize) -> [f64; BLOCKS] {
        let count = self.length as f64;
        let x = &mut self.centred[channel * self.length..(channel + 1) * self.length];
        let mut out = [0.0; BLOCKS];
        self.sorted.copy_from_slice(x);
        self.sorted.sort_unstable_by(f64::total_cmp);
        let mean = x.iter().sum::<f64>() / count;
        for value in x.iter_mut() {
            *value -= mean;
        }
        let squares = dot(x, x);
        self.squares[channel] = squares;
        out[0] = mean;
        out[1] = (squares / count).sqrt();
        out[2] = self.sorted[0];
        out[3] = self.sorted[self.length - 1];
        out[4] = x.iter().map(|value| value.abs()).sum::<f64>() / count;
        out[5] = percentile(&self.sorted, 0.75) - percentile(&self.sorted, 0.25);
        out[6] = x.windows(2).filter(|pair| sign(pair[0]) != sign(pair[1])).count() as f64 / (count - 1.0);
        for (value, &lag) in out[7..].iter_mut().zip(&LAGS) {
            *value = if lag < x.len() { dot(&x[..x.len() - lag], &x[lag..]) / (squares + TINY) } else { 0.0 };
        }
        self.signal.copy_from_slice(x);
        self.transform
            .process_with_scratch(&mut self.signal, &mut self.spectrum, &mut self.scratch)
            .expect("the buffers were made for this transform");
        for (power, value) in self.power.iter_mut().zip(&self.spectrum) {
            *power = value.norm_sqr();
        }
        for (value, band) in out[7 + LAGS.len()..].iter_mut().zip(self.bands.windows(2)) {
            *value = self.power[band[0]..band[1]].iter().sum::<f64>().ln_1p();
        }
        out[BLOCKS - 1] = first_largest(&self.power[1..]) as f64;
        out
    }

    /// Names of the values in order, from the column names of the axes; the magnitude of a triple is `|ax,ay,az|`.
    pub fn feature_names(sensors: &[[String; 3]]) -> Vec<String> {
        let axes: Vec<&str> = sensors.iter().flatten().map(String::as_str).collect();
        let channels: Vec<String> = axes
            .iter()
            .map(|&axis| axis.to_owned())
            .chain(sensors.iter().map(|triple| format!("|{}|", triple.join(","))))
            .collect();
        let blocks = ["mean", "deviation", "minimum", "maximum", "absolute_deviation", "interquartile", "crossings"]
            .map(str::to_owned)
            .into_iter()
            .chain(LAGS.map(|lag| format!("autocorrelation_{lag}")))
            .chain(BANDS.windows(2).map(|band| format!("power_{}_{}", band[0], band[1])))
            .chain(["peak_bin".to_owned()]);
        let mut names: Vec<String> =
            blocks.flat_map(|block| channels.iter().map(move |channel| format!("{block}({channel})"))).collect();
        for (i, one) in axes.iter().enumerate() {
            names.extend(axes[i + 1..].iter().map(|other| format!("correlation({one},{other})")));
        }
        names
    }
}

/// As `f32`; magnitudes of readings near its limits would be infinite.
fn finite(value: f64) -> f32 {
    (value as f32).clamp(f32::MIN, f32::MAX)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// -1, 0 or 1: unlike `signum`, zero has no sign.
fn sign(value: f64) -> i8 {
    i8::from(value > 0.0) - i8::from(value < 0.0)
}

/// The `share` quantile of sorted values, interpolated between neighbours at `share · (N - 1)`.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64)
}

fn first_largest(values: &[f64]) -> usize {
    values.iter().enumerate().fold((0, f64::NEG_INFINITY), |best, (i, &v)| if v > best.1 { (i, v) } else { best }).0
}

#[cfg(test)]
mod tests;
