//! Patients and their measurements, for lib/health.medi.
//!
//! What repeats in every record (whose it is, what was measured) comes as a number, so that compiled code makes a
//! string once for each patient and each code and not once for each record. Numbers are given in the order in which
//! the texts are met, from 0.

use std::collections::HashMap;

use medi_formats::health::{EventKind, HealthReader, PartialDate};

use super::progress::Progress;

/// A health file, or a directory of them, that is being read.
pub struct HealthFile {
    reader: HealthReader,
    event: EventKind,
    patients: Keys,
    kinds: Keys,
    diagnoses: Keys,
    /// A key that is put together of several fields.
    scratch: String,
    progress: Progress,
}

/// A text of the record; the numbers are those of lib/health.medi.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Field {
    /// The patient's id.
    Id,
    System,
    Code,
    Name,
    Unit,
    Sex,
    /// System, code and unit together; only as a key.
    Kind,
}

impl Field {
    const ALL: [Field; 7] =
        [Field::Id, Field::System, Field::Code, Field::Name, Field::Unit, Field::Sex, Field::Kind];

    /// The field with lib/health.medi's number.
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }
}

impl HealthFile {
    /// Opens a file or a directory.
    pub fn open(path: &str) -> Result<Self, String> {
        let reader = HealthReader::open(path).map_err(|error| error.to_string())?;
        Ok(Self {
            reader,
            event: EventKind::Patient,
            patients: Keys::default(),
            kinds: Keys::default(),
            diagnoses: Keys::default(),
            scratch: String::new(),
            progress: Progress::new(path),
        })
    }

    /// Moves on: 0 at the end, 1 at a patient, 2 a measurement, 3 a condition, 4 at anything else.
    pub fn next(&mut self) -> Result<i64, String> {
        self.progress.step(|| self.reader.progress());
        let Some(event) = self.reader.next().map_err(|error| error.to_string())? else {
            return Ok(0);
        };
        self.event = event;
        Ok(match event {
            EventKind::Patient => 1,
            EventKind::Measurement => 2,
            EventKind::Condition => 3,
            _ => 4,
        })
    }

    /// A text of the record; empty if it has none.
    pub fn text(&self, field: Field) -> &str {
        let patient = self.reader.patient();
        let measurement = self.reader.measurement();
        let coded = self.reader.coded();
        match (self.event, field) {
            (EventKind::Patient, Field::Id) => &patient.id,
            (EventKind::Patient, Field::Name) => &patient.name,
            (EventKind::Patient, Field::Sex) => patient.sex.as_str(),
            (EventKind::Patient, _) => "",
            (EventKind::Measurement, Field::Id) => &measurement.patient,
            (EventKind::Measurement, Field::System) => &measurement.system,
            (EventKind::Measurement, Field::Code) => &measurement.code,
            (EventKind::Measurement, Field::Name) => &measurement.display,
            (EventKind::Measurement, Field::Unit) => &measurement.unit,
            (EventKind::Measurement, _) => "",
            (_, Field::Id) => &coded.patient,
            (_, Field::System) => &coded.system,
            (_, Field::Code) => &coded.code,
            (_, Field::Name) => &coded.display,
            (_, _) => "",
        }
    }

    /// The number of the record's patient, kind of measurement or diagnosis.
    pub fn key(&mut self, field: Field) -> i64 {
        let mut key = std::mem::take(&mut self.scratch);
        key.clear();
        match field {
            Field::Kind => {
                for part in [Field::System, Field::Code, Field::Unit] {
                    key.push_str(self.text(part));
                    key.push('\0');
                }
            }
            Field::Code => {
                key.push_str(self.text(Field::System));
                key.push('\0');
                key.push_str(self.text(Field::Code));
            }
            _ => key.push_str(self.text(field)),
        }
        let keys = match field {
            Field::Kind => &mut self.kinds,
            Field::Code => &mut self.diagnoses,
            _ => &mut self.patients,
        };
        let number = keys.number(&key);
        self.scratch = key;
        number
    }

    /// The measured value, NaN if there is none.
    pub fn value(&self) -> f64 {
        match self.event {
            EventKind::Measurement => self.reader.measurement().value,
            _ => f64::NAN,
        }
    }

    /// Whether a measurement has words for an answer and no number.
    pub fn is_answer(&self) -> bool {
        let measurement = self.reader.measurement();
        self.event == EventKind::Measurement
            && measurement.value.is_nan()
            && !measurement.text.is_empty()
    }

    /// A patient's birth date, else the date of the event, as a number that reads like it: 19690720. Unknown parts
    /// are 0.
    pub fn date(&self) -> i64 {
        match self.event {
            EventKind::Patient => {
                let PartialDate { year, month, day } = self.reader.patient().birth;
                i64::from(year) * 10_000 + i64::from(month) * 100 + i64::from(day)
            }
            EventKind::Measurement => date_number(&self.reader.measurement().date),
            _ => date_number(&self.reader.coded().date),
        }
    }

    /// Records that their source marks as mistaken, so far.
    pub fn withdrawn(&self) -> i64 {
        self.reader.withdrawn().try_into().unwrap_or(i64::MAX)
    }

    /// The name of the format.
    pub fn format(&self) -> &'static str {
        self.reader.describe()
    }
}

/// The number for `YYYY`, `YYYY-MM` or `YYYY-MM-DD…`; 0 for anything else.
fn date_number(text: &str) -> i64 {
    let bytes = text.as_bytes();
    let digits = |from: usize, to: usize| {
        let part = bytes.get(from..to).filter(|part| part.iter().all(u8::is_ascii_digit))?;
        Some(part.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
    };
    let behind = |dash: usize| {
        (bytes.get(dash) == Some(&b'-')).then(|| digits(dash + 1, dash + 3)).flatten()
    };
    let Some(year) = digits(0, 4) else { return 0 };
    let month = behind(4).filter(|month| (1..=12).contains(month));
    let day = month.and(behind(7)).filter(|day| (1..=31).contains(day));
    year * 10_000 + month.unwrap_or(0) * 100 + day.unwrap_or(0)
}

/// Texts numbered in the order in which they were met.
#[derive(Default)]
struct Keys {
    numbers: HashMap<Box<str>, i64>,
    /// The text that was asked for last, and its number: records of one patient tend to stand together.
    last: (String, i64),
}

impl Keys {
    fn number(&mut self, text: &str) -> i64 {
        if !self.numbers.is_empty() && self.last.0 == text {
            return self.last.1;
        }
        let number = match self.numbers.get(text) {
            Some(&number) => number,
            None => {
                let number = self.numbers.len() as i64;
                self.numbers.insert(text.into(), number);
                number
            }
        };
        self.last.0.clear();
        self.last.0.push_str(text);
        self.last.1 = number;
        number
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::data;
    use super::*;

    #[test]
    fn keys_count_from_zero_in_order_of_appearance() {
        let mut keys = Keys::default();
        let numbers = ["", "a", "b", "b", "a", ""].map(|text| keys.number(text));
        assert_eq!(numbers, [0, 1, 2, 2, 1, 0]);
    }

    #[test]
    fn a_date_keeps_the_parts_that_are_known() {
        let numbers =
            ["1969-07-20T20:17:40Z", "1969-07", "1969", "", "July 1969", "1969-13-01", "1969-07-2"];
        assert_eq!(
            numbers.map(date_number),
            [19_690_720, 19_690_700, 19_690_000, 0, 0, 19_690_000, 19_690_700]
        );
    }

    #[test]
    fn patients_and_kinds_of_a_hospital_are_numbered() {
        let mut file = HealthFile::open(&data("hospital")).expect("the hospital opens");
        let (mut events, mut patients, mut kinds, mut missing) = ([0; 5], 0, 0, 0);
        loop {
            let event = file.next().expect("the hospital is sound");
            events[event as usize] += 1;
            match event {
                0 => break,
                1..=3 => patients = patients.max(file.key(Field::Id) + 1),
                _ => {}
            }
            if event == 2 {
                kinds = kinds.max(file.key(Field::Kind) + 1);
                missing += i32::from(file.value().is_nan());
                assert!(file.date() > 20_240_000, "{}", file.date());
                assert!(!file.is_answer());
            }
        }
        assert_eq!((events[0], events[1], patients), (1, 185, 185));
        // 15,818 observations, 1,615 of them with the two components of a blood pressure. A value that was taken
        // away took its unit with it, which makes a second kind of most codes.
        assert_eq!((events[2], missing), (15_818 + 1_615, 351));
        assert!((20..=40).contains(&kinds), "{kinds}");
    }

    #[test]
    fn an_error_names_the_file_and_says_what_to_do() {
        let error = HealthFile::open("no/such/file.json").err().expect("there is no such file");
        assert!(error.starts_with("no/such/file.json: there is no such file\nhelp: "), "{error}");
        let error = HealthFile::open(&data("chr20/reads.bam")).err().expect("it is a BAM file");
        assert!(error.contains("this is a BAM file"), "{error}");
    }
}
