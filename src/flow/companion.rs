//! A thread beside a worker, so that rows go on while files are written.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, JoinHandle};

use timely::scheduling::SyncActivator;

use super::halt::PanicGuard;
use super::{AHEAD, Control, FlowError};

/// Does jobs in the order they are given, and wakes an operator of its worker for each answer.
///
/// Giving a job waits while [`AHEAD`] others do: what cannot be written holds back what is read. Dropping the companion waits
/// until all is done. A job that fails halts the flow, and none follows it.
pub(super) struct Companion<J, A> {
    jobs: Option<SyncSender<J>>,
    answers: Receiver<A>,
    thread: Option<JoinHandle<()>>,
}

impl<J: Send + 'static, A: Send + 'static> Companion<J, A> {
    /// Starts the thread; that it cannot start halts the flow.
    pub(super) fn new(
        name: String,
        control: &Arc<Control>,
        operator: SyncActivator,
        mut work: impl FnMut(J) -> Result<Option<A>, FlowError> + Send + 'static,
    ) -> Self {
        let (jobs, given) = mpsc::sync_channel::<J>(AHEAD as usize);
        let (answer, answers) = mpsc::channel();
        let shared = Arc::clone(control);
        let body = move || {
            let control = PanicGuard(shared);
            for job in given {
                if control.0.halted() {
                    return;
                }
                match work(job) {
                    Ok(None) => {}
                    // The worker may be gone, after a fault of its own.
                    Ok(Some(done)) => drop(answer.send(done).map(|()| operator.activate())),
                    Err(error) => return control.0.halt(error),
                }
            }
        };
        match thread::Builder::new().name(name).spawn(body) {
            Ok(thread) => Self { jobs: Some(jobs), answers, thread: Some(thread) },
            Err(error) => {
                control.halt(unstarted(&error));
                Self { jobs: None, answers, thread: None }
            }
        }
    }

    /// Hands a job over. After a fault, which has halted the flow, it is dropped.
    pub(super) fn give(&self, job: J) {
        if let Some(jobs) = &self.jobs {
            jobs.send(job).ok();
        }
    }

    /// What has been answered since the last call.
    pub(super) fn answers(&self) -> impl Iterator<Item = A> {
        self.answers.try_iter()
    }
}

fn unstarted(error: &io::Error) -> FlowError {
    FlowError::Start(format!("no thread to write on: {error}"))
}

impl<J, A> Drop for Companion<J, A> {
    fn drop(&mut self) {
        self.jobs = None;
        // Its panic has halted the flow and is reported there.
        self.thread.take().map(JoinHandle::join).transpose().ok();
    }
}
