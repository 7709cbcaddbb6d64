//! FASTQ: four lines a read (title, bases, `+`, qualities), read by noodles.
//!
//! noodles does not compare the lengths of bases and qualities, which is how a cut shows, nor look at what they are
//! made of; this module does.

use std::{
    io::{self, BufRead},
    path::Path,
};

use noodles::fastq;

use super::is_base;
use crate::{content::Content, error::FormatError, source::Source, trail::Trail};

/// A cursor over the reads of a FASTQ file.
pub struct FastqReader {
    reader: fastq::io::Reader<Source>,
    record: fastq::Record,
    qualities: Vec<u8>,
    name: String,
    description: String,
    trail: Trail,
}

impl FastqReader {
    /// Opens a FASTQ file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, FormatError> {
        let source = Source::open(path.as_ref())?;
        if source.content() != Content::Fastq {
            return Err(source.wrong_format("reads with qualities (FASTQ)"));
        }
        let mut trail = Trail::new(source.path());
        trail.line = 1;
        Ok(Self {
            reader: fastq::io::Reader::new(source),
            record: fastq::Record::default(),
            qualities: Vec::new(),
            name: String::new(),
            description: String::new(),
            trail,
        })
    }

    /// Moves to the next read; false after the last.
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
        let blank = self.skip_blank_lines().map_err(|e| self.trail.io(&e))?;
        self.trail.line += blank + if self.trail.record > 0 { 4 } else { 0 };
        self.trail.record += 1;
        self.reader.get_mut().begin_record();
        match self.reader.read_record(&mut self.record) {
            Ok(0) => return Ok(false),
            Ok(_) => {}
            Err(error) => return Err(self.explain(&error)),
        }
        self.check()?;
        Ok(true)
    }

    fn skip_blank_lines(&mut self) -> io::Result<u64> {
        let source = self.reader.get_mut();
        let mut lines = 0;
        while let [byte @ (b'\r' | b'\n'), ..] = source.fill_buf()? {
            lines += u64::from(*byte == b'\n');
            source.consume(1);
        }
        Ok(lines)
    }

    fn explain(&self, error: &io::Error) -> FormatError {
        if error.kind() == io::ErrorKind::UnexpectedEof && self.ended() {
            return self.trail.truncated("the file ends in the middle of a read");
        }
        let help = "a read is four lines: title, bases, `+`, qualities; if bases run over several lines, rewrite the \
                    file with `seqtk seq -l0`";
        match error.to_string().as_str() {
            "invalid name prefix" => {
                self.trail.corrupt("the title of a read must start with `@`").with_help(help)
            }
            "invalid description prefix" => self
                .trail
                .corrupt("the third line of a read must start with `+`")
                .at_line(self.trail.line + 2)
                .with_help(help),
            _ => self.trail.io(error),
        }
    }

    fn ended(&self) -> bool {
        let (read, total) = self.progress();
        total == 0 || read >= total
    }

    fn check(&mut self) -> Result<(), FormatError> {
        let bases = self.record.sequence();
        let qualities = self.record.quality_scores();
        if bases.len() != qualities.len() {
            let reason =
                format!("the read has {} bases, but {} qualities", bases.len(), qualities.len());
            let at_end = matches!(self.reader.get_mut().fill_buf(), Ok([]));
            return Err(if at_end {
                self.trail.truncated(reason)
            } else {
                self.trail.corrupt(reason)
            });
        }
        if let Some(odd) = bases.iter().find(|&&b| !is_base(b)) {
            let reason = format!("`{}` is no base", odd.escape_ascii());
            return Err(self.trail.corrupt(reason).at_line(self.trail.line + 1));
        }
        self.qualities.clear();
        for &symbol in qualities {
            if !(b'!'..=b'~').contains(&symbol) {
                let reason = format!("`{}` is no quality (`!` to `~`)", symbol.escape_ascii());
                return Err(self.trail.corrupt(reason).at_line(self.trail.line + 3));
            }
            self.qualities.push(symbol - b'!');
        }
        let text = |bytes| {
            std::str::from_utf8(bytes).map_err(|_| self.trail.corrupt("the title is not UTF-8"))
        };
        // noodles leaves a carriage return that a buffer boundary parts from its line feed.
        let name = text(AsRef::<[u8]>::as_ref(self.record.name()).trim_ascii_end())?;
        let description = text(AsRef::<[u8]>::as_ref(self.record.description()).trim_ascii())?;
        name.clone_into(&mut self.name);
        description.clone_into(&mut self.description);
        Ok(())
    }

    /// The name: the title up to its first space.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The rest of the title.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The bases as letters.
    pub fn bases(&self) -> &[u8] {
        self.record.sequence()
    }

    /// The Phred quality of each base: a number of 0 to 93, not a letter.
    pub fn qualities(&self) -> &[u8] {
        &self.qualities
    }

    /// Bytes of the file read so far, and in all.
    pub fn progress(&self) -> (u64, u64) {
        self.reader.get_ref().progress()
    }

    /// The name of the format.
    pub fn describe(&self) -> &'static str {
        "FASTQ"
    }
}
