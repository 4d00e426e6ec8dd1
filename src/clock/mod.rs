//! Time, as a parameter.
//!
//! Lives here: [`Timestamp`], the [`Clock`] trait, the system clock and the test clock.
//! May touch: the standard library's clocks, which clippy forbids everywhere else.
//! Must never: be bypassed; a deed that reads the time by itself cannot be replayed.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use time::OffsetDateTime;
use time::format_description::well_known::{Rfc2822, Rfc3339};

/// Microseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Microseconds in one second.
    pub const SECOND: i64 = 1_000_000;

    /// The moment `seconds` after the epoch; saturates.
    #[must_use]
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(Self::SECOND))
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(Self::SECOND)
    }

    /// This moment moved by `seconds` (negative: earlier); saturates.
    #[must_use]
    pub const fn plus_secs(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(Self::SECOND)))
    }

    /// RFC 3339 in UTC with milliseconds, the form of a FHIR `instant`.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        let milliseconds = self.0.div_euclid(1000);
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000).map_or_else(
            |_| format!("@{}", self.0),
            |t| {
                format!(
                    "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
                    t.year(),
                    u8::from(t.month()),
                    t.day(),
                    t.hour(),
                    t.minute(),
                    t.second(),
                    t.millisecond()
                )
            },
        )
    }

    /// Reads an RFC 3339 date-time; `None` when it is not one.
    #[must_use]
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let t = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        i64::try_from(t.unix_timestamp_nanos() / 1000).ok().map(Self)
    }
}

impl Timestamp {
    /// The form of HTTP's headers, to the second (RFC 9110 §5.6.7).
    #[must_use]
    pub fn to_http_date(self) -> Option<String> {
        const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let t = OffsetDateTime::from_unix_timestamp(self.secs()).ok()?;
        let day = DAYS.get(usize::from(t.weekday().number_days_from_monday()))?;
        let month = MONTHS.get(usize::from(u8::from(t.month())).checked_sub(1)?)?;
        let (date, year, hour, minute, second) = (t.day(), t.year(), t.hour(), t.minute(), t.second());
        Some(format!("{day}, {date:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT"))
    }

    /// Reads the form that [`Timestamp::to_http_date`] writes; `None` for the obsolete ones and for anything else.
    #[must_use]
    pub fn from_http_date(text: &str) -> Option<Self> {
        let t = OffsetDateTime::parse(text, &Rfc2822).ok()?;
        Some(Self::from_secs(t.unix_timestamp())).filter(|read| read.to_http_date().as_deref() == Some(text))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339())
    }
}

/// Tells the time. Wall clocks may step back; whoever needs order takes it from the ledger.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The machine's wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this room is the one that reads the wall clock")]
        let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Timestamp(elapsed.ok().and_then(|d| i64::try_from(d.as_micros()).ok()).unwrap_or(0))
    }
}

/// A clock that tests set and move; clones share the same hand.
#[derive(Clone, Debug)]
pub struct TestClock(Arc<AtomicI64>);

impl TestClock {
    /// A clock standing at `start`.
    #[must_use]
    pub fn at(start: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(start.0)))
    }

    /// Moves the hand by `seconds`; negative sets the clock back.
    pub fn advance_secs(&self, seconds: i64) {
        self.0.fetch_add(seconds * Timestamp::SECOND, Ordering::SeqCst);
    }

    /// Puts the hand at `moment`.
    pub fn set(&self, moment: Timestamp) {
        self.0.store(moment.0, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// A stopwatch for logs, tours and benchmarks; never for a decision.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(std::time::Instant);

impl Stopwatch {
    /// Starts now.
    #[must_use]
    pub fn start() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this room is the one that reads the monotonic clock")]
        Self(std::time::Instant::now())
    }

    /// Time since the start.
    #[must_use]
    pub fn elapsed(&self) -> std::time::Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_survives_its_text_to_the_millisecond() {
        let t = Timestamp::from_rfc3339("2026-03-01T10:00:00.250+01:00").unwrap();
        assert_eq!(t.to_rfc3339(), "2026-03-01T09:00:00.250Z");
        assert_eq!(Timestamp::from_rfc3339("yesterday"), None);
    }

    #[test]
    fn an_http_date_is_written_and_read_in_its_one_form() {
        let at = Timestamp(784_111_777_123_456);
        assert_eq!(at.to_http_date().unwrap(), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(Timestamp::from_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Timestamp::from_secs(784_111_777)));
        for bad in ["", "1994-11-06T08:49:37Z", "Mon, 06 Nov 1994 08:49:37 GMT", "Sun, 6 Nov 1994 08:49:37 GMT"] {
            assert_eq!(Timestamp::from_http_date(bad), None, "{bad}");
        }
    }
}
