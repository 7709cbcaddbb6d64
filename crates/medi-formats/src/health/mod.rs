//! Patients, measurements, diagnoses and visits from FHIR R4 and OMOP CDM, as one stream of events.
//!
//! Both formats say the same things in different shapes: FHIR as JSON resources that point at each other, OMOP as
//! tables that share a patient number. [`HealthReader`] gives events in the order of the files, which means that
//! **a measurement may come before its patient**; the patient's id, which every event carries, joins them.
//!
//! What is told apart here and nowhere else, so that programs need not:
//!
//! * A number that is not there is NaN; an answer that is no number (FHIR `valueCodeableConcept` and the like, OMOP
//!   `value_source_value`) is in [`Measurement::text`].
//! * An Observation with components (blood pressure) is one measurement for each component.
//! * Resources that their source calls mistaken (`entered-in-error`, refuted conditions) are not events;
//!   [`HealthReader::withdrawn`] counts them.
//! * A patient is known by one id. Within a bundle that is the UUID that its entries refer to (`urn:uuid:…`), else
//!   the resource's id; `Patient/123` and `https://…/Patient/123` are `123`.

mod fhir;
mod omop;
mod split;

use std::{
    collections::VecDeque,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    content::Content,
    error::{ErrorKind, FormatError},
    source::Source,
};

/// The sort of event that [`HealthReader::next`] came to, and so which getter has its fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// See [`HealthReader::patient`].
    #[default]
    Patient,
    /// See [`HealthReader::measurement`].
    Measurement,
    /// A diagnosis or problem; see [`HealthReader::coded`].
    Condition,
    /// Something that was done; see [`HealthReader::coded`].
    Procedure,
    /// A visit or stay; see [`HealthReader::coded`].
    Encounter,
    /// The time during which a source would have recorded events of a patient (OMOP only); see
    /// [`HealthReader::coded`], where only the patient and the two dates are filled.
    ObservationPeriod,
}

/// Administrative sex, with FHIR's four values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Sex {
    /// `male`
    Male,
    /// `female`
    Female,
    /// `other`
    Other,
    /// `unknown`, also where the file says nothing.
    #[default]
    Unknown,
}

impl Sex {
    /// FHIR's code: `male`, `female`, `other` or `unknown`.
    pub fn as_str(self) -> &'static str {
        match self {
            Sex::Male => "male",
            Sex::Female => "female",
            Sex::Other => "other",
            Sex::Unknown => "unknown",
        }
    }
}

/// A date of which the day, the month and even the year may be unknown; unknown parts are 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartialDate {
    /// 1 to 9999.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31, and no more than the month has.
    pub day: u8,
}

impl PartialDate {
    /// Makes a date from numbers that a file gives; `None` if there is no such day.
    fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let leap =
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days = match month {
            0 => 0,
            2 => 28 + u8::from(leap),
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        let known = year > 0 || (month == 0 && day == 0);
        (known && year <= 9999 && day <= days).then_some(Self { year, month, day })
    }

    /// Reads `YYYY`, `YYYY-MM` or `YYYY-MM-DD`; a time behind the day is passed over.
    fn parse(text: &str) -> Option<Self> {
        let date = text.split(['T', ' ']).next().unwrap_or_default();
        let mut parts = date.split('-');
        let mut part = |width| match parts.next() {
            None => Some(0),
            Some(p) if p.len() == width && p.bytes().all(|b| b.is_ascii_digit()) => {
                p.parse::<u16>().ok()
            }
            Some(_) => None,
        };
        let (year, month, day) = (part(4)?, part(2)?, part(2)?);
        let real = year > 0
            && parts.next().is_none()
            && (month > 0 || date.len() == 4)
            && (day > 0 || date.len() < 10);
        if !real {
            None
        } else {
            Self::new(year, u8::try_from(month).ok()?, u8::try_from(day).ok()?)
        }
    }
}

/// The fields of a [`EventKind::Patient`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Patient {
    /// The id that the other events carry.
    pub id: String,
    /// Birth date; OMOP may know the year alone.
    pub birth: PartialDate,
    /// Administrative sex.
    pub sex: Sex,
    /// Given names and family name, or empty.
    pub name: String,
}

/// The fields of a [`EventKind::Measurement`].
#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    /// The id of the patient, or empty if the file does not say.
    pub patient: String,
    /// What was measured: a LOINC code where there is one, else the first code; in OMOP the concept id.
    pub code: String,
    /// The system the code is from: a URL, or `OMOP`.
    pub system: String,
    /// The code in words; in OMOP the code in the source's own system.
    pub display: String,
    /// The number, NaN if there is none.
    pub value: f64,
    /// `<`, `<=`, `>=`, `>` or `ad` if the number is a bound, else empty.
    pub comparator: String,
    /// The unit as written; in OMOP, if nothing is written, the concept id of the unit.
    pub unit: String,
    /// The answer, if it is not a number.
    pub text: String,
    /// When it was measured, as the file has it: `YYYY-MM-DD`, mostly with a time behind.
    pub date: String,
}

impl Default for Measurement {
    fn default() -> Self {
        Self {
            patient: String::new(),
            code: String::new(),
            system: String::new(),
            display: String::new(),
            value: f64::NAN,
            comparator: String::new(),
            unit: String::new(),
            text: String::new(),
            date: String::new(),
        }
    }
}

/// The fields of a condition, a procedure, an encounter or an observation period.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Coded {
    /// The id of the patient, or empty if the file does not say.
    pub patient: String,
    /// The first code; in OMOP the concept id.
    pub code: String,
    /// The system the code is from: a URL, or `OMOP`.
    pub system: String,
    /// The code in words; in OMOP the code in the source's own system.
    pub display: String,
    /// The start, as the file has it: `YYYY-MM-DD`, mostly with a time behind.
    pub date: String,
    /// The end in the same form, or empty.
    pub end: String,
}

/// Events that one record gave, in order. The slots are used again, so a steady stream allocates nothing.
#[derive(Default)]
struct Queue {
    slots: Vec<Slot>,
    filled: usize,
    taken: usize,
}

#[derive(Default)]
struct Slot {
    kind: EventKind,
    patient: Patient,
    measurement: Measurement,
    coded: Coded,
}

impl Queue {
    fn clear(&mut self) {
        self.filled = 0;
        self.taken = 0;
    }

    /// A slot for one more event. Its fields hold an older event, to be overwritten each.
    fn push(&mut self, kind: EventKind) -> &mut Slot {
        if self.filled == self.slots.len() {
            self.slots.push(Slot::default());
        }
        let slot = &mut self.slots[self.filled];
        self.filled += 1;
        slot.kind = kind;
        slot
    }

    fn take(&mut self) -> Option<EventKind> {
        let slot = self.slots[..self.filled].get(self.taken)?;
        self.taken += 1;
        Some(slot.kind)
    }
}

fn set(field: &mut String, value: &str) {
    field.clear();
    field.push_str(value);
}

/// A cursor over health events.
///
/// ```no_run
/// # fn main() -> Result<(), medi_formats::FormatError> {
/// use medi_formats::health::{EventKind, HealthReader};
/// let mut reader = HealthReader::open("bundle.json")?;
/// while let Some(kind) = reader.next()? {
///     if kind == EventKind::Measurement {
///         let m = reader.measurement();
///         println!("{} {} {} {}", m.patient, m.code, m.value, m.unit);
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct HealthReader {
    current: File,
    rest: VecDeque<PathBuf>,
    queue: Queue,
    format: Format,
    total: u64,
    done: u64,
    records: u64,
    withdrawn: u64,
    failure: Option<FormatError>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Fhir,
    Omop,
}

enum File {
    Fhir(Box<fhir::FhirFile>),
    Omop(Box<omop::OmopFile>),
}

const WANTED: &str = "health records (FHIR R4 JSON or OMOP CDM tables)";

impl HealthReader {
    /// Opens a FHIR file (a bundle, or resources and bundles one after the other), an OMOP table, or a directory of
    /// either.
    ///
    /// In a directory, OMOP tables are known by their names, with or without a common prefix (`person.csv`,
    /// `eunomia_person.csv.gz`), and come persons first; FHIR files by `.json`, `.ndjson` and `.jsonl`, files whose
    /// name begins with `Patient` first. Other files and directories inside are left alone.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, FormatError> {
        let path = path.as_ref();
        let (mut rest, total) = match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => list(path)?,
            Ok(metadata) => (VecDeque::from([path.to_owned()]), metadata.len()),
            Err(error) => return Err(FormatError::from_io(path, &error)),
        };
        let first = rest.pop_front().unwrap_or_else(|| path.to_owned());
        let current = File::open(&first)?;
        let format = current.format();
        Ok(Self {
            current,
            rest,
            queue: Queue::default(),
            format,
            total,
            done: 0,
            records: 0,
            withdrawn: 0,
            failure: None,
        })
    }

    /// Moves to the next event; `None` after the last.
    ///
    /// # Errors
    /// When a file is cut, damaged or not what it should be. The same error comes again on each later call.
    #[expect(clippy::should_implement_trait, reason = "a lending cursor cannot be an Iterator")]
    pub fn next(&mut self) -> Result<Option<EventKind>, FormatError> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        let event = self.advance();
        if let Err(error) = &event {
            self.failure = Some(error.clone());
        }
        event
    }

    fn advance(&mut self) -> Result<Option<EventKind>, FormatError> {
        loop {
            if let Some(kind) = self.queue.take() {
                return Ok(Some(kind));
            }
            self.queue.clear();
            let more = match &mut self.current {
                File::Fhir(file) => file.read_into(&mut self.queue, &mut self.withdrawn)?,
                File::Omop(file) => file.read_into(&mut self.queue)?,
            };
            if more {
                self.records += 1;
                continue;
            }
            let Some(path) = self.rest.pop_front() else { return Ok(None) };
            self.done += self.current.progress().0;
            self.current = File::open(&path)?;
            if self.current.format() != self.format {
                return Err(mixed(&path));
            }
        }
    }

    fn slot(&self) -> &Slot {
        static BLANK: std::sync::LazyLock<Slot> = std::sync::LazyLock::new(Slot::default);
        self.queue.taken.checked_sub(1).and_then(|at| self.queue.slots.get(at)).unwrap_or(&BLANK)
    }

    /// The fields of the event, after `next` gave [`EventKind::Patient`].
    pub fn patient(&self) -> &Patient {
        &self.slot().patient
    }

    /// The fields of the event, after `next` gave [`EventKind::Measurement`].
    pub fn measurement(&self) -> &Measurement {
        &self.slot().measurement
    }

    /// The fields of the event, after `next` gave any other kind.
    pub fn coded(&self) -> &Coded {
        &self.slot().coded
    }

    /// The fields of the event, after `next` gave [`EventKind::Condition`].
    pub fn condition(&self) -> &Coded {
        self.coded()
    }

    /// Resources, bundle entries and rows read so far, whether or not they were events.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Records passed over because their source marks them as mistaken.
    pub fn withdrawn(&self) -> u64 {
        self.withdrawn
    }

    /// Bytes read so far, and in all.
    pub fn progress(&self) -> (u64, u64) {
        (self.done + self.current.progress().0, self.total)
    }

    /// The name of the format.
    pub fn describe(&self) -> &'static str {
        match self.format {
            Format::Fhir => "FHIR R4 JSON",
            Format::Omop => "OMOP CDM table",
        }
    }
}

impl File {
    fn open(path: &Path) -> Result<Self, FormatError> {
        let source = Source::open(path)?;
        match source.content() {
            Content::Json => Ok(File::Fhir(Box::new(fhir::FhirFile::new(source)))),
            Content::Table => omop::OmopFile::new(source).map(|file| File::Omop(Box::new(file))),
            _ => Err(source.wrong_format(WANTED)),
        }
    }

    fn format(&self) -> Format {
        match self {
            File::Fhir(_) => Format::Fhir,
            File::Omop(_) => Format::Omop,
        }
    }

    fn progress(&self) -> (u64, u64) {
        match self {
            File::Fhir(file) => file.source().progress(),
            File::Omop(file) => file.source().progress(),
        }
    }
}

/// The files of a directory in the order in which they are read, and their size in bytes.
fn list(directory: &Path) -> Result<(VecDeque<PathBuf>, u64), FormatError> {
    let fail = |error: &std::io::Error| FormatError::from_io(directory, error);
    let mut tables = Vec::new();
    let mut fhir = Vec::new();
    for entry in fs::read_dir(directory).map_err(|e| fail(&e))? {
        let path = entry.map_err(|e| fail(&e))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        if name.starts_with('.') || path.is_dir() {
            continue;
        }
        let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".bgz")).unwrap_or(&name);
        if let Some((stem, "json" | "ndjson" | "jsonl")) = name.rsplit_once('.') {
            fhir.push((!stem.starts_with("patient"), path));
        } else if let Some(order) = name.strip_suffix(".csv").and_then(omop::table_order) {
            tables.push((order, path));
        }
    }
    if !fhir.is_empty() && !tables.is_empty() {
        return Err(mixed(directory));
    }
    tables.sort();
    fhir.sort();
    if let Some(pair) = tables.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(FormatError::new(
            ErrorKind::WrongFormat,
            directory,
            format!(
                "the same OMOP table is there twice: {} and {}",
                pair[0].1.display(),
                pair[1].1.display()
            ),
            "keep one of them, so that no patient is counted twice",
        ));
    }
    let files: VecDeque<PathBuf> = tables
        .into_iter()
        .map(|(_, path)| path)
        .chain(fhir.into_iter().map(|(_, path)| path))
        .collect();
    if files.is_empty() {
        return Err(FormatError::new(
            ErrorKind::Empty,
            directory,
            "the directory holds neither FHIR files (.json, .ndjson) nor OMOP tables (person.csv, measurement.csv, …)",
            "give the directory that the files lie in directly; directories inside are not searched",
        ));
    }
    let total = files.iter().filter_map(|path| fs::metadata(path).ok()).map(|m| m.len()).sum();
    Ok((files, total))
}

fn mixed(path: &Path) -> FormatError {
    FormatError::new(
        ErrorKind::WrongFormat,
        path,
        "FHIR files and OMOP tables lie side by side",
        "their patient numbers do not belong together: read each from a directory of its own, or one file at a time",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_keep_what_is_known_and_refuse_what_no_calendar_has() {
        let date = |year, month, day| Some(PartialDate { year, month, day });
        assert_eq!(PartialDate::parse("2009-03-20"), date(2009, 3, 20));
        assert_eq!(PartialDate::parse("1963-12-31T00:00:00Z"), date(1963, 12, 31));
        assert_eq!(PartialDate::parse("2009-03"), date(2009, 3, 0));
        assert_eq!(PartialDate::parse("2009"), date(2009, 0, 0));
        assert_eq!(PartialDate::parse("2024-02-29"), date(2024, 2, 29));
        for bad in [
            "",
            "2023-02-29",
            "2009-13",
            "2009-3-1",
            "09-03-20",
            "2009-00-01",
            "0000",
            "2009-03-20-1",
            "x",
        ] {
            assert_eq!(PartialDate::parse(bad), None, "{bad}");
        }
    }
}
