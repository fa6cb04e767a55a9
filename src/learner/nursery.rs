//! Fresh fits on threads of their own, beside the stream.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::replica::ReplicaError;

/// Something that trains candidate number `n`, counts its steps and returns its parameters.
pub type Training = Arc<dyn Fn(usize, &AtomicUsize) -> Vec<f32> + Send + Sync>;

/// The fits of one process. Every worker asks for the same fit; the first to ask starts it, all get its result.
///
/// A fit is a pure function of replicated state, so that it does not matter who runs it, nor that one which was cut off by a
/// crash is run again from its beginning.
#[derive(Clone, Debug, Default)]
pub struct Nursery {
    jobs: Arc<Mutex<BTreeMap<u64, Arc<Job>>>>,
}

/// A fit in progress.
#[derive(Debug)]
pub struct Job {
    progress: Vec<AtomicUsize>,
    results: Mutex<Vec<Outcome>>,
    moved: Condvar,
}

#[derive(Clone, Debug)]
enum Outcome {
    Running,
    Ready(Vec<f32>),
    Failed,
}

/// A lock whose holder panicked guards plain data that is still whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Marks the candidate as failed unless it was defused: a panic must not leave the stream waiting.
struct Guard {
    job: Arc<Job>,
    candidate: usize,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if thread::panicking() {
            lock(&self.job.results)[self.candidate] = Outcome::Failed;
            self.job.moved.notify_all();
        }
    }
}

impl Nursery {
    /// Starts fit `number` with this many candidates unless another worker already did.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start(&self, number: u64, candidates: usize, training: &Training) -> Result<Arc<Job>, ReplicaError> {
        let mut jobs = lock(&self.jobs);
        if let Some(job) = jobs.get(&number) {
            return Ok(Arc::clone(job));
        }
        // Workers run in step, so that none can still ask for a fit before the last one.
        jobs.retain(|other, _| other + 1 >= number);
        let job = Arc::new(Job {
            progress: (0..candidates).map(|_| AtomicUsize::new(0)).collect(),
            results: Mutex::new(vec![Outcome::Running; candidates]),
            moved: Condvar::new(),
        });
        for candidate in 0..candidates {
            let guard = Guard { job: Arc::clone(&job), candidate };
            let training = Arc::clone(training);
            thread::Builder::new()
                .name(format!("fit-{number}-{candidate}"))
                .spawn(move || {
                    let job = Arc::clone(&guard.job);
                    let parameters = training(candidate, &job.progress[candidate]);
                    lock(&job.results)[candidate] = Outcome::Ready(parameters);
                    job.moved.notify_all();
                    drop(guard);
                })
                .map_err(|error| ReplicaError::Model(format!("no thread for a fresh fit: {error}")))?;
        }
        jobs.insert(number, Arc::clone(&job));
        Ok(job)
    }
}

impl Job {
    /// Waits until every candidate has made `steps` steps, so that a promotion never comes as one long pause.
    ///
    /// # Errors
    /// If a candidate broke down.
    pub fn pace(&self, steps: usize) -> Result<(), ReplicaError> {
        let mut results = lock(&self.results);
        loop {
            let late = |(i, outcome): (usize, &Outcome)| {
                matches!(outcome, Outcome::Running) && self.progress[i].load(Ordering::Acquire) < steps
            };
            if results.iter().any(|o| matches!(o, Outcome::Failed)) {
                return Err(ReplicaError::Model("a fresh fit panicked".to_owned()));
            }
            if !results.iter().enumerate().any(late) {
                return Ok(());
            }
            // Steps are counted without a notice: waking sleepers at every step would cost more than looking now and then.
            let pause = std::time::Duration::from_millis(1);
            results = self.moved.wait_timeout(results, pause).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The parameters of all candidates, in order, once all are ready.
    ///
    /// # Errors
    /// If a candidate broke down.
    pub fn results(&self) -> Result<Vec<Vec<f32>>, ReplicaError> {
        self.pace(usize::MAX)?;
        let ready = |outcome: &Outcome| match outcome {
            Outcome::Ready(parameters) => Some(parameters.clone()),
            _ => None,
        };
        Ok(lock(&self.results).iter().filter_map(ready).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_share_one_fit() {
        let nursery = Nursery::default();
        let started = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&started);
        let training: Training = Arc::new(move |candidate, progress| {
            counter.fetch_add(1, Ordering::SeqCst);
            progress.store(5, Ordering::Release);
            vec![candidate as f32]
        });
        let jobs: Vec<_> = (0..3).map(|_| nursery.start(7, 2, &training).unwrap()).collect();
        for job in jobs {
            assert_eq!(job.results().unwrap(), vec![vec![0.0], vec![1.0]]);
        }
        assert_eq!(started.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn a_fit_that_panics_is_an_error_and_not_a_hang() {
        let training: Training = Arc::new(|_, _| panic!("as intended by this test"));
        let job = Nursery::default().start(1, 1, &training).unwrap();
        assert!(job.results().unwrap_err().to_string().contains("panicked"));
    }
}
