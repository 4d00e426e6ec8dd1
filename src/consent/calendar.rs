//! Moments in the words of a calendar, at the clocks of metropolitan France.

use time::{Date, Month, OffsetDateTime, Time, UtcOffset};

use super::sentence::Language;
use crate::clock::Timestamp;

const MONTHS_FR: [&str; 12] = [
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
];
const MONTHS_EN: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The moment in words, to the second: what is signed to the second must not be shown as a day.
///
/// `None` when the calendar has no such moment.
pub(super) fn moment(at: Timestamp, language: Language) -> Option<String> {
    let utc = OffsetDateTime::from_unix_timestamp(at.secs()).ok()?;
    let local = utc.to_offset(paris(utc)?);
    let (day, month, year) = (local.day(), usize::from(u8::from(local.month()).checked_sub(1)?), local.year());
    let (hour, minute, second) = (local.hour(), local.minute(), local.second());
    Some(match language {
        Language::Fr => {
            // "1er" is the one ordinal of French dates.
            let day = if day == 1 { "1er".to_owned() } else { day.to_string() };
            let month = MONTHS_FR.get(month)?;
            let seconds = if second == 0 { String::new() } else { format!("\u{a0}min\u{a0}{second:02}\u{a0}s") };
            format!("{day}\u{a0}{month}\u{a0}{year} à {hour}\u{a0}h\u{a0}{minute:02}{seconds}")
        }
        Language::En => {
            let month = MONTHS_EN.get(month)?;
            let seconds = if second == 0 { String::new() } else { format!(":{second:02}") };
            format!("{day}\u{a0}{month}\u{a0}{year} at {hour}:{minute:02}{seconds} (Paris time)")
        }
    })
}

/// Central European time: one hour, two from the last Sunday of March to that of October, changing at 1 h UTC
/// (directive 2000/84/EC).
fn paris(utc: OffsetDateTime) -> Option<UtcOffset> {
    let change = |month| {
        let last = Date::from_calendar_date(utc.year(), month, 31).ok()?;
        let back = time::Duration::days(i64::from(last.weekday().number_days_from_sunday()));
        Some(last.checked_sub(back)?.with_time(Time::from_hms(1, 0, 0).ok()?).assume_utc())
    };
    let summer = change(Month::March)? <= utc && utc < change(Month::October)?;
    UtcOffset::from_hms(if summer { 2 } else { 1 }, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_at_the_clock_on_the_wall() {
        let fr = |t: &str| moment(Timestamp::from_rfc3339(t).unwrap(), Language::Fr).unwrap();
        assert_eq!(fr("2027-03-12T13:30:00Z"), "12\u{a0}mars\u{a0}2027 à 14\u{a0}h\u{a0}30");
        assert_eq!(fr("2026-07-31T22:00:05Z"), "1er\u{a0}août\u{a0}2026 à 0\u{a0}h\u{a0}00\u{a0}min\u{a0}05\u{a0}s");
        // The hour changes on 28 March and 31 October 2027.
        assert!(fr("2027-03-28T00:59:59Z").contains("à 1\u{a0}h\u{a0}59"));
        assert!(fr("2027-03-28T01:00:00Z").contains("à 3\u{a0}h\u{a0}00"));
        assert!(fr("2027-10-31T00:59:59Z").contains("à 2\u{a0}h\u{a0}59"));
        assert!(fr("2027-10-31T01:00:00Z").contains("à 2\u{a0}h\u{a0}00"));
        let en = moment(Timestamp::from_rfc3339("2027-03-12T13:30:00Z").unwrap(), Language::En).unwrap();
        assert_eq!(en, "12\u{a0}March\u{a0}2027 at 14:30 (Paris time)");
    }
}
