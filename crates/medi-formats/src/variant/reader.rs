//! The cursor over variant files.

use std::{io::BufRead, path::Path};

use super::{VariantHeader, VariantRecord, bcf};
use crate::{
    content::Content,
    error::{ErrorKind, FormatError},
    source::{MAX_RECORD_BYTES, Source},
    trail::Trail,
};

/// A cursor over the records of a VCF or BCF file.
///
/// ```no_run
/// # fn main() -> Result<(), medi_formats::FormatError> {
/// use medi_formats::variant::VariantReader;
/// let mut reader = VariantReader::open("calls.vcf.gz")?;
/// while reader.next()? {
///     let v = reader.record();
///     println!("{}:{} {} → {:?}", v.chromosome(), v.position(), v.reference(), v.alternates().next());
/// }
/// # Ok(())
/// # }
/// ```
pub struct VariantReader {
    source: Source,
    header: VariantHeader,
    record: VariantRecord,
    bcf: Option<bcf::Decoder>,
    trail: Trail,
}

impl VariantReader {
    /// Opens a VCF or BCF file and reads its header.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, FormatError> {
        let source = Source::open(path.as_ref())?;
        let mut trail = Trail::new(source.path());
        match source.content() {
            Content::Vcf => {
                let mut reader = Self {
                    source,
                    header: VariantHeader::default(),
                    record: VariantRecord::default(),
                    bcf: None,
                    trail,
                };
                reader.read_header()?;
                Ok(reader)
            }
            Content::Bcf => {
                let (source, decoder, header) = bcf::Decoder::open(source, &mut trail)?;
                Ok(Self {
                    source,
                    header,
                    record: VariantRecord::default(),
                    bcf: Some(decoder),
                    trail,
                })
            }
            _ => Err(source.wrong_format("variants (VCF or BCF)")),
        }
    }

    fn read_header(&mut self) -> Result<(), FormatError> {
        self.source.skip_byte_order_mark();
        self.source.begin_record();
        let mut kept = 0;
        loop {
            if !self.read_line()? {
                return Err(self.trail.truncated(
                    "the file ends before the line that names the columns (#CHROM, POS, …)",
                ));
            }
            let line = self.record.line_mut();
            kept += line.len() as u64;
            if kept > MAX_RECORD_BYTES {
                return Err(self.trail.error(
                    ErrorKind::TooLarge,
                    "the header is larger than 256 MiB",
                    "take out header lines with `bcftools reheader`",
                ));
            }
            if self.header.read_line(line).map_err(|reason| self.trail.corrupt(reason))? {
                return Ok(());
            }
        }
    }

    /// Moves to the next record; false after the last.
    ///
    /// # Errors
    /// When the file is cut or damaged. The same error comes again on each later call.
    #[expect(clippy::should_implement_trait, reason = "a lending cursor cannot be an Iterator")]
    pub fn next(&mut self) -> Result<bool, FormatError> {
        self.trail.check()?;
        let moved = self.advance();
        self.trail.latch(moved)
    }

    fn advance(&mut self) -> Result<bool, FormatError> {
        self.source.begin_record();
        self.trail.record += 1;
        if let Some(decoder) = &mut self.bcf {
            let line = self.record.line_mut();
            line.clear();
            if !decoder.read_line(&mut self.source, &self.header, line, &mut self.trail)? {
                return Ok(false);
            }
        } else {
            // Blank lines end many files that were edited by hand.
            loop {
                if !self.read_line()? {
                    return Ok(false);
                }
                if !self.record.line_mut().is_empty() {
                    break;
                }
            }
        }
        match self.record.index(self.header.samples.len()) {
            Ok(()) => Ok(true),
            Err(reason) => {
                let at_end = matches!(self.source.fill_buf(), Ok([]));
                Err(if at_end && self.bcf.is_none() {
                    self.trail.truncated(format!("{reason}, and the file ends there"))
                } else {
                    self.trail.corrupt(reason)
                })
            }
        }
    }

    /// Reads a line, without its end, into the record; false at the end of the file.
    fn read_line(&mut self) -> Result<bool, FormatError> {
        self.trail.line += 1;
        let line = self.record.line_mut();
        let mut bytes = std::mem::take(line).into_bytes();
        bytes.clear();
        let read = self.source.read_until(b'\n', &mut bytes).map_err(|e| self.trail.io(&e))?;
        if bytes.ends_with(b"\n") {
            bytes.pop();
        }
        if bytes.ends_with(b"\r") {
            bytes.pop();
        }
        *line = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to() as u64;
            let start = self.source.offset() - read as u64;
            self.trail.corrupt("the line is not UTF-8").at_offset(start + at)
        })?;
        Ok(read > 0)
    }

    /// The record that `next` came to.
    pub fn record(&self) -> &VariantRecord {
        &self.record
    }

    /// The header.
    pub fn header(&self) -> &VariantHeader {
        &self.header
    }

    /// The names of the samples.
    pub fn samples(&self) -> &[String] {
        &self.header.samples
    }

    /// Bytes of the file read so far, and in all.
    pub fn progress(&self) -> (u64, u64) {
        self.source.progress()
    }

    /// The name of the format.
    pub fn describe(&self) -> &'static str {
        if self.bcf.is_some() { "BCF" } else { "VCF" }
    }
}
