//! OMOP CDM tables (CSV) to events.
//!
//! A table is known by its columns, whatever the file is called; columns are found by name in any order and case.
//! Exports through data frames write whole numbers as `974.0`; ids and concept ids lose that tail, so that the
//! tables still join. The CSV grammar is the `csv` crate's; what it lets pass, a quoted field that the end of the
//! file cuts, is caught by [`Quotes`].

use std::io::{self, BufRead, Read};

use csv::ByteRecord;

use super::{EventKind, PartialDate, Queue, Sex, set};
use crate::{
    error::{ErrorKind, FormatError},
    source::Source,
    trail::Trail,
};

/// The tables in the order in which a directory is read: persons before what happened to them.
const TABLES: [&str; 6] = [
    "person",
    "observation_period",
    "visit_occurrence",
    "condition_occurrence",
    "procedure_occurrence",
    "measurement",
];

/// The place in the reading order of the table that a file is named after (without `.csv`), with any prefix.
pub(super) fn table_order(stem: &str) -> Option<usize> {
    TABLES.iter().position(|table| {
        stem.strip_suffix(table)
            .is_some_and(|prefix| prefix.is_empty() || prefix.ends_with(['_', '-', '.']))
    })
}

pub(super) struct OmopFile {
    reader: csv::Reader<Quotes>,
    row: ByteRecord,
    table: Table,
    trail: Trail,
}

impl OmopFile {
    pub fn new(mut source: Source) -> Result<Self, FormatError> {
        source.skip_byte_order_mark();
        let mut trail = Trail::new(source.path());
        trail.line = 1;
        let delimiter = delimiter_of(source.head());
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .buffer_capacity(64 << 10)
            .from_reader(Quotes::new(source, delimiter));
        let names = match reader.byte_headers() {
            Ok(header) => header
                .iter()
                .map(|name| String::from_utf8_lossy(name.trim_ascii()).to_ascii_lowercase())
                .collect(),
            Err(error) => return Err(unreadable(error, &trail, false)),
        };
        let table = Table::find(&Header { names, trail: &trail })?;
        Ok(Self { reader, row: ByteRecord::new(), table, trail })
    }

    pub fn source(&self) -> &Source {
        &self.reader.get_ref().source
    }

    /// Reads one row and queues its event; false at the end of the file.
    pub fn read_into(&mut self, queue: &mut Queue) -> Result<bool, FormatError> {
        self.trail.record += 1;
        self.trail.line = self.reader.position().line();
        self.reader.get_mut().source.begin_record();
        let more = self.reader.read_byte_record(&mut self.row);
        let cut = self.reader.get_ref().cut();
        if cut {
            return Err(self.trail.truncated("the file ends in the middle of a field in quotes"));
        }
        let at_end = self.reader.get_ref().ended;
        if !more.map_err(|error| unreadable(error, &self.trail, at_end))? {
            return Ok(false);
        }
        // The csv crate's position is before the line breaks that it skips in front of a row.
        self.trail.line = self.row.position().map_or(self.trail.line, csv::Position::line);
        let row =
            Row { fields: &self.row, header: self.reader.byte_headers().ok(), trail: &self.trail };
        self.table.event(&row, queue)?;
        Ok(true)
    }
}

fn delimiter_of(head: &[u8]) -> u8 {
    let line = head.split(|&b| b == b'\n').next().unwrap_or_default();
    let count = |byte: u8| line.iter().filter(|&&b| b == byte).count();
    [b',', b'\t', b';', b'|'].into_iter().rev().max_by_key(|&byte| count(byte)).unwrap_or(b',')
}

fn unreadable(error: csv::Error, trail: &Trail, at_end: bool) -> FormatError {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => trail.io(&error),
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let reason = format!("the row has {len} columns, but the header has {expected_len}");
            let error = if at_end && len < expected_len {
                trail.truncated(format!("{reason}, and the file ends there"))
            } else {
                trail.corrupt(reason).with_help(
                    "a text with a comma or line break in it must stand in double quotes; export the table again",
                )
            };
            error.at_line(pos.map_or(trail.line, |p| p.line()))
        }
        other => trail.corrupt(format!("the table cannot be read ({other:?})")),
    }
}

/// The names of the columns.
struct Header<'a> {
    names: Vec<String>,
    trail: &'a Trail,
}

impl Header<'_> {
    fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|n| n == name)
    }

    fn need(&self, table: &str, name: &str) -> Result<usize, FormatError> {
        self.find(name).ok_or_else(|| {
            self.trail.error(
                ErrorKind::Corrupt,
                format!("the OMOP table `{table}` has no column `{name}`; its columns are {}", self.shown()),
                "export the table with the column names of the OMOP CDM (5.3 or 5.4) in its first line",
            )
        })
    }

    /// The columns for a message, as many as one can take in.
    fn shown(&self) -> String {
        let mut shown = String::new();
        for name in &self.names {
            if shown.len() + name.len() > 200 {
                return shown + ", …";
            }
            if !shown.is_empty() {
                shown.push_str(", ");
            }
            shown.push_str(name);
        }
        shown
    }
}

/// Where the columns of a known table are.
enum Table {
    Person {
        id: usize,
        gender: usize,
        gender_source: Option<usize>,
        year: usize,
        month: Option<usize>,
        day: Option<usize>,
        birth: Option<usize>,
    },
    Measurement {
        patient: usize,
        code: usize,
        source_code: Option<usize>,
        value: usize,
        operator: Option<usize>,
        unit: Option<usize>,
        unit_source: Option<usize>,
        value_concept: Option<usize>,
        value_source: Option<usize>,
        date: usize,
        date_time: Option<usize>,
    },
    Coded {
        kind: EventKind,
        patient: usize,
        code: Option<usize>,
        source_code: Option<usize>,
        start: usize,
        start_time: Option<usize>,
        end: Option<usize>,
        end_time: Option<usize>,
    },
}

impl Table {
    fn find(header: &Header<'_>) -> Result<Self, FormatError> {
        if header.has("measurement_concept_id") {
            let need = |name| header.need("measurement", name);
            return Ok(Table::Measurement {
                patient: need("person_id")?,
                code: need("measurement_concept_id")?,
                source_code: header.find("measurement_source_value"),
                value: need("value_as_number")?,
                operator: header.find("operator_concept_id"),
                unit: header.find("unit_concept_id"),
                unit_source: header.find("unit_source_value"),
                value_concept: header.find("value_as_concept_id"),
                value_source: header.find("value_source_value"),
                date: need("measurement_date")?,
                date_time: header.find("measurement_datetime"),
            });
        }
        if header.has("year_of_birth") || header.has("gender_concept_id") {
            let need = |name| header.need("person", name);
            return Ok(Table::Person {
                id: need("person_id")?,
                gender: need("gender_concept_id")?,
                gender_source: header.find("gender_source_value"),
                year: need("year_of_birth")?,
                month: header.find("month_of_birth"),
                day: header.find("day_of_birth"),
                birth: header.find("birth_datetime"),
            });
        }
        let coded = |kind, table, code: &str, source: &str, dates: [&str; 4]| {
            Ok(Table::Coded {
                kind,
                patient: header.need(table, "person_id")?,
                code: Some(header.need(table, code)?),
                source_code: header.find(source),
                start: header.need(table, dates[0])?,
                start_time: header.find(dates[1]),
                end: header.find(dates[2]),
                end_time: header.find(dates[3]),
            })
        };
        if header.has("condition_concept_id") {
            return coded(
                EventKind::Condition,
                "condition_occurrence",
                "condition_concept_id",
                "condition_source_value",
                [
                    "condition_start_date",
                    "condition_start_datetime",
                    "condition_end_date",
                    "condition_end_datetime",
                ],
            );
        }
        if header.has("procedure_concept_id") {
            return coded(
                EventKind::Procedure,
                "procedure_occurrence",
                "procedure_concept_id",
                "procedure_source_value",
                [
                    "procedure_date",
                    "procedure_datetime",
                    "procedure_end_date",
                    "procedure_end_datetime",
                ],
            );
        }
        if header.has("visit_concept_id") {
            return coded(
                EventKind::Encounter,
                "visit_occurrence",
                "visit_concept_id",
                "visit_source_value",
                [
                    "visit_start_date",
                    "visit_start_datetime",
                    "visit_end_date",
                    "visit_end_datetime",
                ],
            );
        }
        if header.has("observation_period_start_date") {
            return Ok(Table::Coded {
                kind: EventKind::ObservationPeriod,
                patient: header.need("observation_period", "person_id")?,
                code: None,
                source_code: None,
                start: header.need("observation_period", "observation_period_start_date")?,
                start_time: None,
                end: Some(header.need("observation_period", "observation_period_end_date")?),
                end_time: None,
            });
        }
        Err(header.trail.error(
            ErrorKind::WrongFormat,
            format!(
                "this table is none of the OMOP tables read here; its columns are {}",
                header.shown()
            ),
            format!("the tables are {}; the first line must name the columns", TABLES.join(", ")),
        ))
    }

    fn event(&self, row: &Row<'_>, queue: &mut Queue) -> Result<(), FormatError> {
        match *self {
            Table::Person { id, gender, gender_source, year, month, day, birth } => {
                let id = row.id(id)?;
                let sex = match row.whole(gender)? {
                    Some(8507) => Sex::Male,
                    Some(8532) => Sex::Female,
                    Some(8521) => Sex::Other,
                    Some(0) | None => match row.text_of(gender_source)? {
                        "M" | "m" | "male" | "Male" | "MALE" => Sex::Male,
                        "F" | "f" | "female" | "Female" | "FEMALE" => Sex::Female,
                        _ => Sex::Unknown,
                    },
                    Some(_) => Sex::Unknown,
                };
                let birth = row.birth(year, month, day, birth)?;
                let slot = &mut queue.push(EventKind::Patient).patient;
                set(&mut slot.id, id);
                slot.birth = birth;
                slot.sex = sex;
                slot.name.clear();
            }
            Table::Measurement {
                patient,
                code,
                source_code,
                value,
                operator,
                unit,
                unit_source,
                value_concept,
                value_source,
                date,
                date_time,
            } => {
                let slot = &mut queue.push(EventKind::Measurement).measurement;
                set(&mut slot.patient, row.id(patient)?);
                set(&mut slot.code, without_fraction(row.text(code)?));
                set(&mut slot.system, "OMOP");
                set(&mut slot.display, row.text_of(source_code)?);
                slot.value = row.number(value)?;
                set(&mut slot.comparator, comparator(row.text_of(operator)?));
                let units = [row.text_of(unit_source)?, concept(row.text_of(unit)?)];
                set(&mut slot.unit, filled(units));
                let answers = [row.text_of(value_source)?, concept(row.text_of(value_concept)?)];
                set(&mut slot.text, if slot.value.is_nan() { filled(answers) } else { "" });
                set(&mut slot.date, filled([row.text_of(date_time)?, row.text(date)?]));
            }
            Table::Coded { kind, patient, code, source_code, start, start_time, end, end_time } => {
                let slot = &mut queue.push(kind).coded;
                set(&mut slot.patient, row.id(patient)?);
                set(&mut slot.code, without_fraction(row.text_of(code)?));
                set(&mut slot.system, if code.is_some() { "OMOP" } else { "" });
                set(&mut slot.display, row.text_of(source_code)?);
                set(&mut slot.date, filled([row.text_of(start_time)?, row.text(start)?]));
                set(&mut slot.end, filled([row.text_of(end_time)?, row.text_of(end)?]));
            }
        }
        Ok(())
    }
}

/// A row, and what its errors need.
struct Row<'a> {
    fields: &'a ByteRecord,
    header: Option<&'a ByteRecord>,
    trail: &'a Trail,
}

impl<'a> Row<'a> {
    fn name(&self, column: usize) -> String {
        let name = self.header.and_then(|header| header.get(column)).unwrap_or_default();
        String::from_utf8_lossy(name).to_ascii_lowercase()
    }

    fn text(&self, column: usize) -> Result<&'a str, FormatError> {
        let field = self.fields.get(column).unwrap_or_default().trim_ascii();
        let text = std::str::from_utf8(field).map_err(|_| {
            self.trail
                .corrupt(format!("the text in column `{}` is not UTF-8", self.name(column)))
                .with_help("turn the table into UTF-8: `iconv -f LATIN1 -t UTF-8 FILE`")
        })?;
        Ok(if matches!(text, "NULL" | "\\N" | "NA" | "NaN" | "nan") { "" } else { text })
    }

    /// The text of a column that a table need not have.
    fn text_of(&self, column: Option<usize>) -> Result<&'a str, FormatError> {
        column.map_or(Ok(""), |column| self.text(column))
    }

    fn id(&self, column: usize) -> Result<&'a str, FormatError> {
        match without_fraction(self.text(column)?) {
            "" => Err(self.trail.corrupt(format!("column `{}` is empty", self.name(column)))),
            id => Ok(id),
        }
    }

    fn number(&self, column: usize) -> Result<f64, FormatError> {
        let text = self.text(column)?;
        if text.is_empty() {
            return Ok(f64::NAN);
        }
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => Err(self
                .trail
                .corrupt(format!("`{text}` in column `{}` is not a number", self.name(column)))),
        }
    }

    fn whole(&self, column: usize) -> Result<Option<i64>, FormatError> {
        let text = without_fraction(self.text(column)?);
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|_| {
            self.trail.corrupt(format!(
                "`{text}` in column `{}` is not a whole number",
                self.name(column)
            ))
        })
    }

    fn birth(
        &self,
        year: usize,
        month: Option<usize>,
        day: Option<usize>,
        full: Option<usize>,
    ) -> Result<PartialDate, FormatError> {
        let part = |column: Option<usize>| column.map_or(Ok(None), |column| self.whole(column));
        let full = self.text_of(full)?;
        let (Some(y), m, d) = (self.whole(year)?, part(month)?, part(day)?) else {
            if full.is_empty() {
                return Ok(PartialDate::default());
            }
            return PartialDate::parse(full).ok_or_else(|| {
                self.trail.corrupt(format!("`{full}` is not a date (birth_datetime)"))
            });
        };
        let (m, d) = (m.unwrap_or(0), if m.is_some() { d.unwrap_or(0) } else { 0 });
        let date = (u16::try_from(y).ok())
            .zip(u8::try_from(m).ok().zip(u8::try_from(d).ok()))
            .and_then(|(y, (m, d))| PartialDate::new(y, m, d));
        date.ok_or_else(|| {
            self.trail.corrupt(format!(
                "there is no day {y}-{m:02}-{d:02} (year, month and day of birth)"
            ))
        })
    }
}

/// `974.0` → `974`.
fn without_fraction(text: &str) -> &str {
    match text.split_once('.') {
        Some((whole, zeros)) if !whole.is_empty() && zeros.bytes().all(|b| b == b'0') => whole,
        _ => text,
    }
}

/// A concept id, or nothing for OMOP's "no matching concept".
fn concept(text: &str) -> &str {
    match without_fraction(text) {
        "0" => "",
        id => id,
    }
}

/// The sign for OMOP's operator concepts.
fn comparator(text: &str) -> &'static str {
    match without_fraction(text) {
        "4171756" => "<",
        "4171754" => "<=",
        "4171755" => ">=",
        "4172704" => ">",
        _ => "",
    }
}

fn filled<const N: usize>(texts: [&str; N]) -> &str {
    texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
}

/// Passes the bytes of a table on and follows the quotes in them, to know whether the end is inside a field.
struct Quotes {
    source: Source,
    delimiter: u8,
    open: bool,
    ended: bool,
    previous: u8,
    /// The previous byte is a quote that closed a field, so another one opens it again.
    closed: bool,
}

impl Quotes {
    fn new(source: Source, delimiter: u8) -> Self {
        Self { source, delimiter, open: false, ended: false, previous: b'\n', closed: false }
    }

    /// The stream has ended, and a quoted field has not.
    fn cut(&self) -> bool {
        self.ended && self.open
    }

    /// A quote opens only at the start of a field. Inside, a doubled quote closes and opens again, which comes to
    /// the same.
    fn follow(&mut self, chunk: &[u8]) {
        let mut expected = 0;
        for at in memchr::memchr_iter(b'"', chunk) {
            let before = at.checked_sub(1).map_or(self.previous, |i| chunk[i]);
            let again = self.closed && at == expected;
            let starts = again || before == self.delimiter || before == b'\n' || before == b'\r';
            self.closed = self.open;
            self.open = !self.open && starts;
            expected = at + 1;
        }
        if let Some(&last) = chunk.last() {
            self.closed &= last == b'"';
            self.previous = last;
        }
    }
}

impl Read for Quotes {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let chunk = self.source.fill_buf()?;
        let n = chunk.len().min(into.len());
        into[..n].copy_from_slice(&chunk[..n]);
        self.source.consume(n);
        self.follow(&into[..n]);
        self.ended |= n == 0 && !into.is_empty();
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_known_with_and_without_a_prefix() {
        assert_eq!(table_order("person"), Some(0));
        assert_eq!(table_order("eunomia_person"), Some(0));
        assert_eq!(table_order("cdm-measurement"), Some(5));
        assert_eq!(table_order("salesperson"), None);
        assert_eq!(table_order("visit_detail"), None);
    }

    #[test]
    fn whole_numbers_written_as_floats_lose_their_tail() {
        assert_eq!(without_fraction("10204.0"), "10204");
        assert_eq!(without_fraction("974"), "974");
        assert_eq!(without_fraction("1.50"), "1.50");
        assert_eq!(without_fraction(".0"), ".0");
        assert_eq!(concept("0.0"), "");
    }

    #[test]
    fn the_commonest_separator_of_the_header_wins() {
        assert_eq!(delimiter_of(b"person_id,gender;x\n1\t2\t3\t4"), b',');
        assert_eq!(delimiter_of(b"a\tb\tc"), b'\t');
        assert_eq!(delimiter_of(b"a"), b',');
    }
}
