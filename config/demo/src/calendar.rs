//! Days, as the country's people know them.

/// The day on which the country stands still: nothing in it happens later, whenever it is made.
pub const TODAY: Day = Day { year: 2026, month: 6, day: 30 };

/// A day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day {
    pub year: i32,
    pub month: i32,
    pub day: i32,
}

impl Day {
    /// As an integer of eight digits, as COBOL programs and their heirs keep days.
    #[must_use]
    pub const fn number(self) -> i64 {
        (self.year * 10_000 + self.month * 100 + self.day) as i64
    }

    /// `2026-06-30`.
    #[must_use]
    pub fn iso(self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }

    /// `30.06.2026`.
    #[must_use]
    pub fn dotted(self) -> String {
        format!("{:02}.{:02}.{:04}", self.day, self.month, self.year)
    }

    /// The same day so many years later; the 28th where the month would be too short.
    #[must_use]
    pub fn years_later(self, years: i32) -> Self {
        let year = self.year + years;
        Self { year, day: self.day.min(month_length(year, self.month)), ..self }
    }
}

/// How many days a month has.
#[must_use]
pub const fn month_length(year: i32, month: i32) -> i32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_written_in_each_era_s_way() {
        let day = Day { year: 1978, month: 3, day: 9 };
        assert_eq!((day.number(), day.iso(), day.dotted()), (19_780_309, "1978-03-09".into(), "09.03.1978".into()));
        assert_eq!(Day { year: 2024, month: 2, day: 29 }.years_later(1).iso(), "2025-02-28");
    }
}
