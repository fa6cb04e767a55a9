//! When and how fast a method learns.

use std::ops::Range;

/// What a network learns at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// There are no clusters yet.
    Pretraining,
    /// The method itself.
    Clustering,
    /// Refinement with pseudo-labels.
    Refining,
}

/// How the learning rate goes over a fresh fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decay {
    /// It stays.
    Constant,
    /// Half a cosine, to 0 at the end.
    Cosine,
    /// It stays, then half a cosine over the last `share` of the fit, to 0 at the end.
    Late {
        /// Of the fit.
        share: f32,
    },
    /// Times `factor` every `share` of the fit.
    Steps {
        /// Below 1.
        factor: f32,
        /// Of the fit.
        share: f64,
    },
}

/// When and how fast a method learns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// Share of a fresh fit's steps before clusters are seated; 0 if they are there from the start, 1 if seating is the end.
    pub pretraining: f64,
    /// With which probability pretraining drops each feature of what is encoded; decoders are to give back the whole row.
    pub denoise: f64,
    /// Whether clusters are seated before the first step if there is no pretraining.
    pub seats_first: bool,
    /// Share of a fresh fit's steps, at its end, that refine; then updates between fresh fits refine too. Above 0 it is at
    /// least one step.
    pub refining: f64,
    /// Steps between two reviews of the pool while a fresh fit refines.
    pub review_steps: usize,
    /// Pairs per step of a fresh fit: half the rows of a batch.
    pub pairs: usize,
    /// Learning rate of a fresh fit.
    pub rate: f32,
    /// How it falls in each stage.
    pub decay: Decay,
    /// Learning rate between fresh fits.
    pub online_rate: f32,
    /// Rows that clusters are seated on.
    pub seating_rows: usize,
}

/// Steps over which the learning rate of a stage rises.
const RISE: usize = 30;

impl Default for Schedule {
    fn default() -> Self {
        Self {
            pretraining: 0.0,
            denoise: 0.0,
            seats_first: false,
            refining: 0.0,
            review_steps: 100,
            pairs: 128,
            rate: 1e-3,
            decay: Decay::Cosine,
            online_rate: 3e-4,
            seating_rows: 2_000,
        }
    }
}

impl Schedule {
    /// The steps of each stage in a fit of `steps`.
    #[must_use]
    pub fn stages(&self, steps: usize) -> [(Stage, Range<usize>); 3] {
        let share = |share: f64| (share * steps as f64).round() as usize;
        let seated = share(self.pretraining).min(steps);
        let least = usize::from(self.refining > 0.0);
        let refined = steps - share(self.refining).max(least).min(steps - seated);
        [(Stage::Pretraining, 0..seated), (Stage::Clustering, seated..refined), (Stage::Refining, refined..steps)]
    }

    /// Stage of a step, and how much of the stage is over: 0 at its first step, below 1 at its last.
    #[must_use]
    pub fn stage(&self, step: usize, steps: usize) -> (Stage, f64) {
        let stages = self.stages(steps);
        let (stage, range) = stages.iter().find(|(_, range)| range.contains(&step)).unwrap_or(&stages[1]);
        (*stage, step.saturating_sub(range.start) as f64 / range.len().max(1) as f64)
    }

    /// What is learned between fresh fits.
    #[must_use]
    pub fn last_stage(&self) -> Stage {
        if self.refining > 0.0 { Stage::Refining } else { Stage::Clustering }
    }

    /// Learning rate of step `step` of `steps` of a fresh fit.
    #[must_use]
    pub fn rate(&self, step: usize, steps: usize) -> f32 {
        let share = step as f32 / steps as f32;
        let fall = match self.decay {
            Decay::Constant => 1.0,
            Decay::Cosine => half_cosine(share),
            Decay::Late { share: last } => half_cosine(1.0 - ((1.0 - share) / last).min(1.0)),
            Decay::Steps { factor, share: every } => factor.powi((f64::from(share) / every) as i32),
        };
        self.rate * ((step + 1) as f32 / RISE as f32).min(1.0) * fall
    }
}

/// From 1 at 0 to 0 at 1.
fn half_cosine(share: f32) -> f32 {
    0.5 * (1.0 + (std::f32::consts::PI * share).cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_follow_one_another_and_fill_the_fit() {
        let schedule = Schedule { pretraining: 0.3, refining: 0.2, ..Schedule::default() };
        let [(_, first), (_, second), (_, third)] = schedule.stages(101);
        assert_eq!((first.clone(), second.clone(), third.clone()), (0..30, 30..81, 81..101));
        assert_eq!(schedule.stage(29, 101).0, Stage::Pretraining);
        assert_eq!(schedule.stage(30, 101), (Stage::Clustering, 0.0));
        assert_eq!(schedule.stage(100, 101).0, Stage::Refining);
        assert_eq!(schedule.stages(2)[2].1, 1..2);
    }

    #[test]
    fn rates_fall_as_stated() {
        let schedule = Schedule { decay: Decay::Steps { factor: 0.9, share: 0.1 }, ..Schedule::default() };
        assert!((schedule.rate(450, 1_000) - 1e-3 * 0.9f32.powi(4)).abs() < 1e-9);
        assert!(Schedule::default().rate(999, 1_000) < 1e-7);
        let late = Schedule { decay: Decay::Late { share: 0.2 }, ..Schedule::default() };
        assert!((late.rate(800, 1_000) - 1e-3).abs() < 1e-9 && (late.rate(900, 1_000) - 0.5e-3).abs() < 1e-9);
        assert!(late.rate(999, 1_000) < 1e-7);
        assert!((schedule.rate(0, 1_000) - 1e-3 / 30.0).abs() < 1e-9);
    }
}
