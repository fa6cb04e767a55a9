//! Where the threads of one fit meet.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::stats::sum;

/// Threads that do the same steps and add up vectors on the way, like workers do in the flow.
#[derive(Debug)]
pub struct Meeting {
    parts: usize,
    rounds: Mutex<Rounds>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct Rounds {
    open: BTreeMap<u64, Round>,
    /// A thread broke down: nobody may wait for it.
    broken: bool,
}

#[derive(Debug, Default)]
struct Round {
    brought: BTreeMap<usize, Arc<Vec<f32>>>,
    left: usize,
}

impl Meeting {
    /// A meeting of so many threads.
    #[must_use]
    pub fn new(parts: usize) -> Self {
        Self { parts, rounds: Mutex::default(), moved: Condvar::new() }
    }

    /// The place of thread `part`.
    #[must_use]
    pub fn seat(&self, part: usize) -> Seat<'_> {
        Seat { meeting: self, part, round: 0 }
    }

    /// A lock whose holder panicked guards plain data that is still whole.
    fn lock(&self) -> MutexGuard<'_, Rounds> {
        self.rounds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One thread's place at a [`Meeting`].
#[derive(Debug)]
pub struct Seat<'a> {
    meeting: &'a Meeting,
    part: usize,
    round: u64,
}

impl Seat<'_> {
    /// The sum of what all threads bring this time, added in their order: the same on each of them.
    ///
    /// # Panics
    /// If another thread of the meeting has panicked.
    pub fn sum(&mut self, own: Vec<f32>) -> Vec<f32> {
        if self.meeting.parts == 1 {
            return own;
        }
        let number = self.round;
        self.round += 1;
        let mut rounds = self.meeting.lock();
        rounds.open.entry(number).or_default().brought.insert(self.part, Arc::new(own));
        self.meeting.moved.notify_all();
        while rounds.open.get(&number).is_none_or(|round| round.brought.len() < self.meeting.parts) {
            assert!(!rounds.broken, "another thread of this fit has panicked");
            rounds = self.meeting.moved.wait(rounds).unwrap_or_else(PoisonError::into_inner);
        }
        let round = rounds.open.entry(number).or_default();
        let brought: Vec<Arc<Vec<f32>>> = round.brought.values().map(Arc::clone).collect();
        round.left += 1;
        if round.left == self.meeting.parts {
            rounds.open.remove(&number);
        }
        drop(rounds);
        sum(&brought.iter().map(|part| part.as_slice()).collect::<Vec<_>>())
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.meeting.lock().broken = true;
            self.meeting.moved.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_leave_with_the_sum_of_every_round() {
        let meeting = Meeting::new(3);
        thread::scope(|scope| {
            for part in 0..3u8 {
                let mut seat = meeting.seat(part.into());
                scope.spawn(move || {
                    for round in 0..200u8 {
                        let own = vec![f32::from(part), f32::from(round), 1.0];
                        assert_eq!(seat.sum(own), vec![3.0, 3.0 * f32::from(round), 3.0]);
                    }
                });
            }
        });
        assert!(meeting.lock().open.is_empty());
    }

    #[test]
    fn nobody_waits_for_a_thread_that_panicked() {
        let meeting = Meeting::new(2);
        let outcomes = thread::scope(|scope| {
            let mut waits = meeting.seat(0);
            let breaks = meeting.seat(1);
            let waits = scope.spawn(move || waits.sum(vec![1.0]));
            let breaks = scope.spawn(move || {
                let _seat = breaks;
                panic!("as intended by this test");
            });
            (waits.join().is_err(), breaks.join().is_err())
        });
        assert_eq!(outcomes, (true, true));
    }
}
