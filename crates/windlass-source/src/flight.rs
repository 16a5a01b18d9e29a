//! One job at a time, shared by everyone who asks for it meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

/// How new an answer has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// The answer may come from a request that was already on its way: for polling and first looks.
    Shared,
    /// The request must start after the question: for webhooks and people who press refresh, who know that
    /// something has just changed.
    New,
}

/// Joins questions into batches: while one batch is answered, the next collects questions.
///
/// However many ask at once, at most two jobs follow: the one on its way, and one for all who could not use it.
pub(crate) struct Flight<K, V> {
    state: Mutex<State<K, V>>,
    changed: Condvar,
}

struct State<K, V> {
    running: Option<Arc<Batch<K, V>>>,
    waiting: Option<Arc<Batch<K, V>>>,
}

struct Batch<K, V> {
    keys: Mutex<BTreeSet<K>>,
    /// Without the keys that the job gave no answer to.
    answers: OnceLock<BTreeMap<K, V>>,
}

impl<K, V> Default for Flight<K, V> {
    fn default() -> Self {
        Self { state: Mutex::new(State { running: None, waiting: None }), changed: Condvar::new() }
    }
}

impl<K: Ord + Clone, V: Clone> Flight<K, V> {
    /// Answers `keys` by running `job`, or by waiting for somebody else's run of it.
    ///
    /// Keys without an answer are those that a job left out, or whose job panicked.
    pub(crate) fn ask(
        &self,
        keys: &BTreeSet<K>,
        freshness: Freshness,
        job: impl FnOnce(&BTreeSet<K>) -> BTreeMap<K, V>,
    ) -> BTreeMap<K, V> {
        let mut state = self.lock();
        if freshness == Freshness::Shared
            && let Some(running) = state.running.clone()
            && running.keys().is_superset(keys)
        {
            loop {
                if let Some(answers) = running.answers.get() {
                    return pick(answers, keys);
                }
                state = self.wait(state);
            }
        }
        let batch = state
            .waiting
            .get_or_insert_with(|| Arc::new(Batch { keys: Mutex::default(), answers: OnceLock::new() }))
            .clone();
        batch.keys().extend(keys.iter().cloned());
        loop {
            if let Some(answers) = batch.answers.get() {
                return pick(answers, keys);
            }
            let is_next = state.waiting.as_ref().is_some_and(|waiting| Arc::ptr_eq(waiting, &batch));
            if state.running.is_none() && is_next {
                state.running = state.waiting.take();
                drop(state);
                let landing = Landing { flight: self, batch: &batch };
                let all = batch.keys().clone();
                let answers = job(&all);
                let own = pick(&answers, keys);
                let _ = batch.answers.set(answers);
                drop(landing);
                return own;
            }
            state = self.wait(state);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<K, V>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State<K, V>>) -> MutexGuard<'a, State<K, V>> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, V> Batch<K, V> {
    fn keys(&self) -> MutexGuard<'_, BTreeSet<K>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pick<K: Ord + Clone, V: Clone>(answers: &BTreeMap<K, V>, keys: &BTreeSet<K>) -> BTreeMap<K, V> {
    keys.iter().filter_map(|key| Some((key.clone(), answers.get(key)?.clone()))).collect()
}

/// Lets the next batch start, also when the job has panicked.
struct Landing<'a, K, V> {
    flight: &'a Flight<K, V>,
    batch: &'a Batch<K, V>,
}

impl<K, V> Drop for Landing<'_, K, V> {
    fn drop(&mut self) {
        self.batch.answers.get_or_init(BTreeMap::new);
        let mut state = self.flight.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.running = None;
        drop(state);
        self.flight.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    fn set(keys: &[u32]) -> BTreeSet<u32> {
        keys.iter().copied().collect()
    }

    #[test]
    fn those_who_need_news_share_one_further_job() {
        let flight = Flight::<u32, u32>::default();
        let jobs = AtomicUsize::new(0);
        let (started, wait_for_start) = mpsc::channel();
        let (go, wait_for_go) = mpsc::channel::<()>();
        let (flight, jobs) = (&flight, &jobs);
        let answer = |keys: &BTreeSet<u32>| keys.iter().map(|key| (*key, key * 10)).collect();
        thread::scope(|scope| {
            scope.spawn(move || {
                flight.ask(&set(&[1]), Freshness::New, |keys| {
                    jobs.fetch_add(1, Ordering::SeqCst);
                    started.send(()).unwrap();
                    wait_for_go.recv().unwrap();
                    answer(keys)
                })
            });
            wait_for_start.recv().unwrap();
            let threads: Vec<_> = (2..10)
                .map(|key| {
                    scope.spawn(move || {
                        flight.ask(&set(&[1, key]), Freshness::New, |keys| {
                            jobs.fetch_add(1, Ordering::SeqCst);
                            answer(keys)
                        })
                    })
                })
                .collect();
            // The first job ends when all the others stand in line.
            while flight.lock().waiting.as_ref().is_none_or(|batch| batch.keys().len() < 9) {
                thread::yield_now();
            }
            go.send(()).unwrap();
            for (key, thread) in (2..10).zip(threads) {
                assert_eq!(thread.join().unwrap(), [(1, 10), (key, key * 10)].into());
            }
        });
        assert_eq!(jobs.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn those_who_share_join_the_job_that_runs() {
        let flight = Flight::<u32, u32>::default();
        let batch = Arc::new(Batch { keys: Mutex::new(set(&[1, 2])), answers: OnceLock::new() });
        flight.lock().running = Some(batch.clone());
        thread::scope(|scope| {
            let sharing =
                scope.spawn(|| flight.ask(&set(&[2]), Freshness::Shared, |_| panic!("a second job")));
            batch.answers.set([(2, 20)].into()).unwrap();
            drop(flight.lock());
            flight.changed.notify_all();
            assert_eq!(sharing.join().unwrap(), [(2, 20)].into());
        });
    }

    #[test]
    fn a_panic_leaves_nobody_waiting() {
        let flight = Flight::<u32, u32>::default();
        let panicked = thread::scope(|scope| {
            scope
                .spawn(|| flight.ask(&set(&[1]), Freshness::New, |_| panic!("the job failed")))
                .join()
                .is_err()
        });
        assert!(panicked);
        let answers = flight.ask(&set(&[1]), Freshness::Shared, |_| [(1, 5)].into());
        assert_eq!(answers[&1], 5);
    }
}
