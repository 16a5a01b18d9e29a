//! Waiting for something to become so.

use std::{
    fmt,
    time::{Duration, Instant},
};

/// The first pause between two attempts; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(5);

/// Long enough not to be a burden on a busy machine, short enough not to be noticed by a person.
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// Something did not become so in time.
///
/// `Debug` prints the same sentence as `Display`, so that `unwrap()` in a test reads well.
#[derive(Clone, thiserror::Error)]
#[error("not so after {waited:.1?} and {attempts} attempts; last: {last}")]
pub struct Overdue {
    /// How long was waited.
    pub waited: Duration,
    /// How often it was tried.
    pub attempts: u32,
    /// What was wrong the last time.
    pub last: String,
}

impl fmt::Debug for Overdue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Asks `attempt` again and again until it returns `Ok`, or `timeout` has passed.
///
/// It is asked one last time when the timeout has passed, so that a machine that was asleep does not
/// fail a test.
///
/// # Errors
/// [`Overdue`], with what the last attempt complained of.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use windlass_testing::eventually;
/// let mut asked = 0;
/// let answer = eventually(std::time::Duration::from_secs(5), || {
///     asked += 1;
///     let asked = asked;
///     async move { if asked < 3 { Err(format!("asked {asked} times")) } else { Ok(asked) } }
/// });
/// assert_eq!(answer.await.unwrap(), 3);
/// # }
/// ```
pub async fn eventually<T, E, F, A>(timeout: Duration, mut attempt: A) -> Result<T, Overdue>
where
    E: fmt::Display,
    F: Future<Output = Result<T, E>>,
    A: FnMut() -> F,
{
    let mut patience = Patience::new(timeout);
    loop {
        match attempt().await {
            Ok(value) => return Ok(value),
            Err(failure) => tokio::time::sleep(patience.after(&failure)?).await,
        }
    }
}

/// The same as [`eventually`], for code that is not async.
///
/// # Errors
/// [`Overdue`], with what the last attempt complained of.
pub fn eventually_blocking<T, E: fmt::Display>(
    timeout: Duration,
    mut attempt: impl FnMut() -> Result<T, E>,
) -> Result<T, Overdue> {
    let mut patience = Patience::new(timeout);
    loop {
        match attempt() {
            Ok(value) => return Ok(value),
            Err(failure) => std::thread::sleep(patience.after(&failure)?),
        }
    }
}

/// Counts attempts and decides whether there is another.
struct Patience {
    started: Instant,
    timeout: Duration,
    pause: Duration,
    attempts: u32,
    /// Set once the timeout has passed: the attempt after that is the last.
    last_chance: bool,
}

impl Patience {
    fn new(timeout: Duration) -> Self {
        Self { started: Instant::now(), timeout, pause: FIRST_PAUSE, attempts: 0, last_chance: false }
    }

    /// How long to pause after a failed attempt, or that it was the last.
    fn after(&mut self, failure: &impl fmt::Display) -> Result<Duration, Overdue> {
        self.attempts += 1;
        let waited = self.started.elapsed();
        if self.last_chance {
            return Err(Overdue { waited, attempts: self.attempts, last: failure.to_string() });
        }
        self.last_chance = waited + self.pause >= self.timeout;
        let pause = self.pause.min(self.timeout.saturating_sub(waited));
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(pause)
    }
}
