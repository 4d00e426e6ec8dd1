//! Moments in the words of a calendar, at the clocks of metropolitan France.

use time::{Date, Month, OffsetDateTime, Time, UtcOffset};

use super::Language;
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

const DAYS_FR: [&str; 7] = ["lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"];
const DAYS_EN: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// The moment in words, to the second: what is signed to the second must not be shown as a day.
///
/// `None` when the calendar has no such moment.
#[must_use]
pub fn moment(at: Timestamp, language: Language) -> Option<String> {
    let local = local(at)?;
    let (day, hour, second) = (of_day(local, language)?, of_hour(local, language), local.second());
    Some(match language {
        Language::Fr if second == 0 => format!("{day} à {hour}"),
        Language::Fr => format!("{day} à {hour}\u{a0}min\u{a0}{second:02}\u{a0}s"),
        Language::En if second == 0 => format!("{day} at {hour} (Paris time)"),
        Language::En => format!("{day} at {hour}:{second:02} (Paris time)"),
    })
}

/// The end of something that is over at `at`, in words: a day is told as a day when it ends with it.
///
/// `None` when the calendar has no such moment.
#[must_use]
pub fn until(at: Timestamp, language: Language) -> Option<String> {
    let last = local(at.plus_secs(-1))?;
    if local(at)?.time() != Time::MIDNIGHT {
        return moment(at, language);
    }
    Some(format!("{} {}", of_day(last, language)?, language.pick("inclus", "included")))
}

/// The day in words: `12 mars 2027`. `None` when the calendar has no such day.
#[must_use]
pub fn day(at: Timestamp, language: Language) -> Option<String> {
    of_day(local(at)?, language)
}

/// The day with its name: `lundi 12 mars 2027`. `None` when the calendar has no such day.
#[must_use]
pub fn named_day(at: Timestamp, language: Language) -> Option<String> {
    let local = local(at)?;
    let names = language.pick(&DAYS_FR, &DAYS_EN);
    let name = names.get(usize::from(local.weekday().number_days_from_monday()))?;
    Some(format!("{name} {}", of_day(local, language)?))
}

/// The hour and minute on the wall: `14 h 05`, `14:05`. `None` when the calendar has no such moment.
#[must_use]
pub fn hour(at: Timestamp, language: Language) -> Option<String> {
    Some(of_hour(local(at)?, language))
}

/// The month as the number of months since year 0, on the wall: two moments of one month have the same.
#[must_use]
pub fn month(at: Timestamp) -> Option<i32> {
    let local = local(at)?;
    Some(local.year() * 12 + i32::from(u8::from(local.month())) - 1)
}

/// The name of a [`month`].
#[must_use]
pub fn month_name(month: i32, language: Language) -> &'static str {
    let at = usize::try_from(month.rem_euclid(12)).unwrap_or(0);
    language.pick(&MONTHS_FR, &MONTHS_EN).get(at).copied().unwrap_or_default()
}

/// The day as it is written in forms: `2027-03-12`. `None` when the calendar has no such day.
#[must_use]
pub fn iso_day(at: Timestamp) -> Option<String> {
    let local = local(at)?;
    Some(format!("{:04}-{:02}-{:02}", local.year(), u8::from(local.month()), local.day()))
}

/// When a day that was written in a form is over, on the wall; `None` for what is no day.
#[must_use]
pub fn end_of_day(text: &str) -> Option<Timestamp> {
    let mut parts = text.splitn(3, '-');
    let year: i32 = parts.next().filter(|t| t.len() == 4)?.parse().ok()?;
    let month = Month::try_from(parts.next().filter(|t| t.len() == 2)?.parse::<u8>().ok()?).ok()?;
    let day = parts.next().filter(|t| t.len() == 2)?.parse().ok()?;
    let end = Date::from_calendar_date(year, month, day).ok()?.next_day()?.midnight();
    let offset = paris(end.assume_utc())?;
    Some(Timestamp::from_secs(end.assume_offset(offset).unix_timestamp()))
}

fn local(at: Timestamp) -> Option<OffsetDateTime> {
    let utc = OffsetDateTime::from_unix_timestamp(at.secs()).ok()?;
    Some(utc.to_offset(paris(utc)?))
}

fn of_day(local: OffsetDateTime, language: Language) -> Option<String> {
    let month = usize::from(u8::from(local.month()).checked_sub(1)?);
    let month = language.pick(&MONTHS_FR, &MONTHS_EN).get(month)?;
    // "1er" is the one ordinal of French dates.
    let ordinal = if language == Language::Fr && local.day() == 1 { "er" } else { "" };
    Some(format!("{}{ordinal}\u{a0}{month}\u{a0}{}", local.day(), local.year()))
}

fn of_hour(local: OffsetDateTime, language: Language) -> String {
    let between = language.pick("\u{a0}h\u{a0}", ":");
    format!("{}{between}{:02}", local.hour(), local.minute())
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

    #[test]
    fn days_hours_and_months_are_those_on_the_wall() {
        let at = Timestamp::from_rfc3339("2026-12-31T23:05:00Z").unwrap();
        assert_eq!(named_day(at, Language::Fr).unwrap(), "vendredi 1er\u{a0}janvier\u{a0}2027");
        assert_eq!(named_day(at, Language::En).unwrap(), "Friday 1\u{a0}January\u{a0}2027");
        assert_eq!(hour(at, Language::Fr).unwrap(), "0\u{a0}h\u{a0}05");
        assert_eq!(month_name(month(at).unwrap(), Language::Fr), "janvier");
        assert_eq!(iso_day(at).unwrap(), "2027-01-01");
        // Summer and winter: the day ends an hour apart.
        for (day, end) in [("2027-07-14", "2027-07-14T22:00:00Z"), ("2027-01-01", "2027-01-01T23:00:00Z")] {
            assert_eq!(end_of_day(day), Timestamp::from_rfc3339(end));
            assert_eq!(
                until(end_of_day(day).unwrap(), Language::Fr),
                Some(format!("{} inclus", super::day(end_of_day(day).unwrap().plus_secs(-1), Language::Fr).unwrap()))
            );
        }
        for bad in ["", "2027-02-30", "27-01-01", "2027-1-1", "2027-01-01T00:00", "x"] {
            assert_eq!(end_of_day(bad), None, "{bad}");
        }
    }
}
