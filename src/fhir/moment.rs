//! Dates and times as stretches of time (FHIR R4 §2.24.0.1: partial dates stand for their whole length).

use crate::clock::Timestamp;
use crate::model::Period;

const DAY: i64 = 86_400;

/// Reads a `date`: a year, a month or a day, taken in UTC.
pub(super) fn date(text: &str) -> Option<Period> {
    if text.len() <= 10 { date_time(text) } else { None }
}

/// Reads an `instant`: to the second or finer, with a zone.
#[must_use]
pub fn instant(text: &str) -> Option<Period> {
    if text.len() >= 20 { date_time(text) } else { None }
}

/// Reads a `dateTime`; the range ends with the last microsecond the text can mean (FHIR R4 §2.24.0.1).
#[must_use]
pub fn date_time(text: &str) -> Option<Period> {
    if !text.is_ascii() || text.len() > 48 {
        return None;
    }
    let (day, clock) = text.split_once('T').map_or((text, None), |(d, c)| (d, Some(c)));
    let (first, last) = days(day)?;
    match clock {
        None => range(first.checked_mul(DAY)?, (last + 1).checked_mul(DAY)?, 0, 0),
        Some(clock) if day.len() == 10 => {
            let zone_at = clock.find(['Z', '+', '-'])?;
            let (seconds, fraction, step) = time_of_day(clock.get(..zone_at)?)?;
            let start = first * DAY + seconds - zone(clock.get(zone_at..)?)?;
            range(start, start, fraction, step)
        }
        Some(_) => None,
    }
}

/// Reads what a search may name as a date: also to the minute, and without a zone, which then is UTC.
pub(super) fn searched(text: &str) -> Option<Period> {
    date_time(text).or_else(|| {
        let clock = text.split_once('T')?.1;
        match clock.len() {
            5 => {
                let minute = date_time(&format!("{text}:00Z"))?;
                Some(Period { from: minute.from, to: Timestamp(minute.from.0 + 60 * Timestamp::SECOND - 1) })
            }
            _ if clock.contains(['Z', '+', '-']) => None,
            _ => date_time(&format!("{text}Z")),
        }
    })
}

/// Whether `text` is a `time`.
pub(super) fn time(text: &str) -> bool {
    text.is_ascii() && text.len() <= 24 && time_of_day(text).is_some()
}

fn range(start: i64, end: i64, fraction: i64, step: i64) -> Option<Period> {
    let from = start.checked_mul(Timestamp::SECOND)?.checked_add(fraction)?;
    let to = end.checked_mul(Timestamp::SECOND)?.checked_add(fraction)?.checked_add(step)?;
    Some(Period { from: Timestamp(from), to: Timestamp(to - 1) })
}

fn number(text: &str, len: usize) -> Option<i64> {
    if text.len() == len && text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// First and last day since the epoch.
fn days(text: &str) -> Option<(i64, i64)> {
    let year = number(text.get(..4)?, 4).filter(|y| *y > 0)?;
    let Some(rest) = text.get(4..).filter(|r| !r.is_empty()) else {
        return Some((day_number(year, 1, 1), day_number(year, 12, 31)));
    };
    let rest = rest.strip_prefix('-')?;
    let month = number(rest.get(..2)?, 2).filter(|m| (1..=12).contains(m))?;
    let last = month_length(year, month);
    match rest.get(2..).filter(|r| !r.is_empty()) {
        None => Some((day_number(year, month, 1), day_number(year, month, last))),
        Some(rest) => {
            let day = number(rest.strip_prefix('-')?, 2).filter(|d| (1..=last).contains(d))?;
            let number = day_number(year, month, day);
            Some((number, number))
        }
    }
}

fn month_length(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar, years counted from March.
fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + (153 * month + 2) / 5 + day
        - 719_469
}

/// Seconds, microseconds and the length of the stretch in microseconds.
fn time_of_day(text: &str) -> Option<(i64, i64, i64)> {
    let (clock, fraction) = text.split_once('.').map_or((text, None), |(c, f)| (c, Some(f)));
    let mut parts = clock.split(':');
    let hour = number(parts.next()?, 2).filter(|h| *h < 24)?;
    let minute = number(parts.next()?, 2).filter(|m| *m < 60)?;
    // 60 is a leap second; it is the first of the next minute here.
    let second = number(parts.next()?, 2).filter(|s| *s <= 60)?;
    if parts.next().is_some() {
        return None;
    }
    let seconds = hour * 3600 + minute * 60 + second;
    let Some(fraction) = fraction else { return Some((seconds, 0, Timestamp::SECOND)) };
    if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (mut micros, mut step) = (0, Timestamp::SECOND);
    for digit in fraction.bytes().take(6) {
        step /= 10;
        micros += i64::from(digit - b'0') * step;
    }
    Some((seconds, micros, step))
}

/// Seconds east of UTC.
fn zone(text: &str) -> Option<i64> {
    if text == "Z" {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let (hour, minute) = text.get(1..)?.split_once(':')?;
    let (hour, minute) = (number(hour, 2)?, number(minute, 2)?);
    // The standard's pattern ends at 14:00.
    (hour <= 13 && minute < 60 || hour == 14 && minute == 0).then_some(sign * (hour * 3600 + minute * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partial_dates_stand_for_their_whole_length() {
        let at = |t: &str| Timestamp::from_rfc3339(t).unwrap().0;
        for (text, from, next) in [
            ("2024", "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"),
            ("2024-02", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"),
            ("2024-02-29", "2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z"),
            ("2024-12-31T23:59:60Z", "2025-01-01T00:00:00Z", "2025-01-01T00:00:01Z"),
            ("1582-10-10T00:00:00+01:30", "1582-10-09T22:30:00Z", "1582-10-09T22:30:01Z"),
            ("2024-01-01T00:00:00.25-02:00", "2024-01-01T02:00:00.25Z", "2024-01-01T02:00:00.26Z"),
        ] {
            let p = date_time(text).unwrap();
            assert_eq!((p.from.0, p.to.0), (at(from), at(next) - 1), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_refused_and_nothing_panics() {
        for bad in [
            "",
            "0000",
            "24",
            "2024-13",
            "2023-02-29",
            "2024-1-1",
            "2024-01-01T24:00:00Z",
            "2024-01-01T10:00:00",
            "2024-01-01T10:00Z",
            "2024-01T10:00:00Z",
            "2024-01-01T10:00:00+14:30",
            "2024-01-01T10:00:00.Z",
            "２０２４",
            "2024-",
            "2024-01-01T10:00:00+1:00",
            "2024-01-01T",
            "-2024",
        ] {
            assert_eq!(date_time(bad), None, "{bad}");
        }
        assert!(date_time("9999-12-31T23:59:60+14:00").is_some());
        assert!(instant("2024-01-01").is_none() && date("2024-01-01T10:00:00Z").is_none());
    }

    #[test]
    fn a_search_may_name_a_minute() {
        let p = searched("2024-01-01T10:30").unwrap();
        assert_eq!(p.to.0 - p.from.0, 60_000_000 - 1);
        assert!(searched("2024-01-01T10:30:15").is_some() && searched("2024-13").is_none());
    }
}
