//! Rendering on a few threads, one job after the other.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Jobs that wait for one of a few threads of the blocking pool.
///
/// A thread that has begun goes on until no job is left: when one commit changes thousands of Units, handing each of
/// them to a thread of its own costs as much as rendering it.
#[derive(Clone)]
pub(crate) struct RenderQueue {
    state: Arc<Mutex<State>>,
    n_threads: usize,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    n_running: usize,
}

type Job = Box<dyn FnOnce() + Send>;

impl RenderQueue {
    /// A queue that is worked on by at most so many threads.
    pub(crate) fn new(n_threads: usize) -> Self {
        Self { state: Arc::default(), n_threads: n_threads.max(1) }
    }

    /// Does `job` when its turn comes. It must not panic.
    pub(crate) fn push(&self, job: impl FnOnce() + Send + 'static) {
        let mut state = self.lock();
        state.jobs.push_back(Box::new(job));
        if state.n_running < self.n_threads {
            state.n_running += 1;
            let queue = self.clone();
            tokio::task::spawn_blocking(move || queue.work());
        }
    }

    fn work(&self) {
        while let Some(job) = self.next() {
            job();
        }
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        let job = state.jobs.pop_front();
        if job.is_none() {
            state.n_running -= 1;
        }
        job
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_job_is_done_by_no_more_threads_than_allowed() {
        let queue = RenderQueue::new(2);
        let (sender, mut received) = tokio::sync::mpsc::unbounded_channel();
        for job_idx in 0..100 {
            let (sender, state) = (sender.clone(), queue.state.clone());
            queue.push(move || {
                let n_running = state.lock().unwrap().n_running;
                let _ = sender.send((job_idx, n_running));
            });
        }
        drop(sender);
        let mut done = Vec::new();
        while let Some((job_idx, n_running)) = received.recv().await {
            assert!((1..=2).contains(&n_running));
            done.push(job_idx);
        }
        done.sort_unstable();
        assert_eq!(done, (0..100).collect::<Vec<_>>());
    }
}
