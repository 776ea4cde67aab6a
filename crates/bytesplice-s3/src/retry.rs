use std::time::Duration;

/// How often a request is tried, and how long is waited in between: a random time below a limit that doubles ("full
/// jitter": Marc Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015).
///
/// ```
/// use std::time::Duration;
/// use bytesplice_s3::Retry;
/// let patient = Retry { attempts: 20, ..Retry::default() };
/// assert!(patient.wait(3) <= Duration::from_millis(800));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// How often a request is tried; 1 at least.
    pub attempts: u32,
    /// The limit of the first wait.
    pub first_wait: Duration,
    /// The limit of every wait.
    pub longest_wait: Duration,
}

impl Default for Retry {
    /// 6 attempts, within 100 ms and at most 20 s.
    fn default() -> Self {
        let (first_wait, longest_wait) = (Duration::from_millis(100), Duration::from_secs(20));
        Self { attempts: 6, first_wait, longest_wait }
    }
}

impl Retry {
    /// How long to wait after `failures` of them, 1 for the first.
    #[must_use]
    pub fn wait(&self, failures: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
        let limit = self.first_wait.saturating_mul(doubled).min(self.longest_wait);
        // Without random numbers: the longest wait.
        let random = getrandom::u32().unwrap_or(u32::MAX);
        limit.mul_f64(f64::from(random) / f64::from(u32::MAX))
    }
}
