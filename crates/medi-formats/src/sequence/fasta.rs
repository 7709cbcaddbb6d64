//! FASTA: a title line, then bases over any number of lines, until the next title or the end.
//!
//! A chromosome has 250 million bases, so bases are never held here: they go to the caller as they come out of the
//! read buffer. This reader is our own, because noodles' sequence reader takes a `>` that happens to come first in a
//! buffer for a new title, even in the middle of a line.

use std::{io::BufRead, path::Path};

use memchr::memchr;

use super::{is_base, split_title};
use crate::{content::Content, error::FormatError, source::Source, trail::Trail};

/// A cursor over the sequences of a FASTA file.
///
/// ```no_run
/// # fn main() -> Result<(), medi_formats::FormatError> {
/// use medi_formats::sequence::FastaReader;
/// let mut reader = FastaReader::open("reference.fa.gz")?;
/// let mut bases = Vec::new();
/// while reader.next()? {
///     bases.clear();
///     let length = reader.read_bases(&mut bases)?;
///     println!("{} has {length} bases", reader.name());
/// }
/// # Ok(())
/// # }
/// ```
pub struct FastaReader {
    source: Source,
    trail: Trail,
    title: Vec<u8>,
    name: String,
    description: String,
    length: u64,
    /// The read position is inside the bases of a record, and there at the start of a line.
    in_bases: bool,
    at_line_start: bool,
}

impl FastaReader {
    /// Opens a FASTA file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, FormatError> {
        let mut source = Source::open(path.as_ref())?;
        if source.content() != Content::Fasta {
            return Err(source.wrong_format("sequences (FASTA)"));
        }
        source.skip_byte_order_mark();
        let mut trail = Trail::new(source.path());
        trail.line = 1;
        Ok(Self {
            source,
            trail,
            title: Vec::new(),
            name: String::new(),
            description: String::new(),
            length: 0,
            in_bases: false,
            at_line_start: true,
        })
    }

    /// Moves to the next sequence, passing over bases that were not asked for; false after the last.
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
        while self.step(&mut |_| ())? {}
        self.source.begin_record();
        self.title.clear();
        let read = self.source.read_until(b'\n', &mut self.title);
        let read = read.map_err(|e| self.trail.io(&e))?;
        if read == 0 {
            if self.length == 0 {
                return Err(self
                    .trail
                    .truncated("the file ends after the title of a sequence, before its bases"));
            }
            return Ok(false);
        }
        self.trail.record += 1;
        let Some(title) = self.title.strip_prefix(b">") else {
            return Err(self
                .trail
                .corrupt("a sequence must begin with a title line that starts with `>`"));
        };
        let title = std::str::from_utf8(title.trim_ascii_end())
            .map_err(|_| self.trail.corrupt("the title is not UTF-8"))?;
        let (name, description) = split_title(title);
        if name.is_empty() {
            return Err(self
                .trail
                .corrupt("the sequence has no name; it belongs right behind the `>`"));
        }
        name.clone_into(&mut self.name);
        description.clone_into(&mut self.description);
        self.length = 0;
        self.in_bases = true;
        self.at_line_start = true;
        self.trail.line += 1;
        Ok(true)
    }

    /// Gives the bases up to the end of the line or buffer; false at the end of the sequence.
    fn step(&mut self, give: &mut dyn FnMut(&[u8])) -> Result<bool, FormatError> {
        if !self.in_bases {
            // White space may lead the file, and only there.
            while let [b' ' | b'\t' | b'\r' | b'\n', ..] =
                self.source.fill_buf().map_err(|e| self.trail.io(&e))?
            {
                self.source.consume(1);
            }
            return Ok(false);
        }
        self.source.begin_record();
        let chunk = match self.source.fill_buf() {
            Ok(chunk) => chunk,
            Err(error) => return Err(self.trail.io(&error)),
        };
        if chunk.is_empty() || (self.at_line_start && chunk[0] == b'>') {
            self.in_bases = false;
            return Ok(false);
        }
        let (line, ended) = match memchr(b'\n', chunk) {
            Some(end) => (&chunk[..end], true),
            None => (chunk, false),
        };
        let bases = line.trim_ascii();
        if let Some(odd) = bases.iter().find(|&&b| !is_base(b)) {
            return Err(self.trail.corrupt(format!("`{}` is no base", odd.escape_ascii())));
        }
        give(bases);
        self.length += bases.len() as u64;
        let taken = line.len() + usize::from(ended);
        self.source.consume(taken);
        self.at_line_start = ended;
        self.trail.line += u64::from(ended);
        Ok(true)
    }

    /// Appends the bases that are left of this sequence and returns how many these are.
    ///
    /// Reserve the space beforehand if the length is known: a chromosome does not like to be moved.
    ///
    /// # Errors
    /// As for [`FastaReader::next`]; what was read before the error has been appended.
    pub fn read_bases(&mut self, into: &mut Vec<u8>) -> Result<u64, FormatError> {
        self.for_each_chunk(|chunk| into.extend_from_slice(chunk))
    }

    /// Gives the bases that are left of this sequence, piece by piece (a line or less), and returns how many these
    /// were.
    ///
    /// # Errors
    /// As for [`FastaReader::next`]; pieces before the error have been given.
    pub fn for_each_chunk(&mut self, mut give: impl FnMut(&[u8])) -> Result<u64, FormatError> {
        self.trail.check()?;
        let before = self.length;
        let end = loop {
            if !self.in_bases {
                break Ok(());
            }
            if let Err(error) = self.step(&mut give) {
                break Err(error);
            }
        };
        self.trail.latch(end)?;
        Ok(self.length - before)
    }

    /// The name: the title up to its first space.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The rest of the title.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Bases of this sequence read so far; all of them once they have been read.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Bytes of the file read so far, and in all.
    pub fn progress(&self) -> (u64, u64) {
        self.source.progress()
    }

    /// The name of the format.
    pub fn describe(&self) -> &'static str {
        "FASTA"
    }
}
