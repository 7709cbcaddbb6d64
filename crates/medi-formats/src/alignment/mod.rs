//! Aligned reads from SAM and BAM.
//!
//! A record is decoded whole into buffers that are used again, and checked as it is: after `next` said true, a
//! program may index reference, bases and qualities by what CIGAR and position say, without looking out for files
//! that lie. What is checked: the reference exists, the position lies on it, and the CIGAR covers as many bases as the
//! read has.

mod bam;
mod header;
mod sam;

use std::path::Path;

pub use header::Reference;

use crate::{content::Content, error::FormatError, source::Source, trail::Trail};

/// One operation of a CIGAR; the numbers are BAM's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum CigarOp {
    /// `M`: bases lie on the reference, alike or not.
    Match = 0,
    /// `I`: bases that the reference does not have.
    Insertion = 1,
    /// `D`: reference bases that the read does not have.
    Deletion = 2,
    /// `N`: a stretch of reference that is not looked at (an intron).
    Skip = 3,
    /// `S`: bases of the read that are not aligned.
    SoftClip = 4,
    /// `H`: bases that were not even kept in the read.
    HardClip = 5,
    /// `P`: padding against other reads.
    Padding = 6,
    /// `=`: bases like those of the reference.
    SequenceMatch = 7,
    /// `X`: bases unlike those of the reference.
    SequenceMismatch = 8,
}

impl CigarOp {
    const ALL: [Self; 9] = [
        Self::Match,
        Self::Insertion,
        Self::Deletion,
        Self::Skip,
        Self::SoftClip,
        Self::HardClip,
        Self::Padding,
        Self::SequenceMatch,
        Self::SequenceMismatch,
    ];

    fn from_code(code: u32) -> Option<Self> {
        Self::ALL.get(code as usize).copied()
    }

    fn from_letter(letter: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|op| op.letter() == letter)
    }

    /// The letter that SAM writes.
    pub fn letter(self) -> u8 {
        b"MIDNSHP=X"[self as usize]
    }

    /// Whether the operation moves along the bases of the read.
    pub fn consumes_read(self) -> bool {
        use CigarOp::*;
        matches!(self, Match | Insertion | SoftClip | SequenceMatch | SequenceMismatch)
    }

    /// Whether the operation moves along the reference.
    pub fn consumes_reference(self) -> bool {
        use CigarOp::*;
        matches!(self, Match | Deletion | Skip | SequenceMatch | SequenceMismatch)
    }
}

/// The fields of a record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Alignment {
    /// The read's name, or empty.
    pub name: String,
    /// The bits of SAM's FLAG (4: unmapped, 16: reverse strand, 1024: duplicate, …).
    pub flags: u16,
    /// The reference the read lies on: an index into [`AlignmentReader::references`].
    pub reference: Option<usize>,
    /// The position of the first aligned base on the reference, counted from 1; 0 if the read has none.
    pub position: u64,
    /// The Phred mapping quality, 255 if unknown.
    pub mapping_quality: u8,
    /// The CIGAR, empty if unknown.
    pub cigar: Vec<(CigarOp, u32)>,
    /// The bases as letters, empty if not kept.
    pub bases: Vec<u8>,
    /// The Phred quality of each base as a number, empty if not kept, else as long as `bases`.
    pub qualities: Vec<u8>,
}

impl Alignment {
    /// Whether the read is not aligned (FLAG 4).
    pub fn is_unmapped(&self) -> bool {
        self.flags & 4 != 0
    }

    /// Whether the bases are those of the reverse strand (FLAG 16).
    pub fn is_reverse(&self) -> bool {
        self.flags & 16 != 0
    }

    /// How many reference bases the alignment spans.
    pub fn reference_span(&self) -> u64 {
        let span = |&(op, length): &(CigarOp, u32)| {
            if op.consumes_reference() { length.into() } else { 0 }
        };
        self.cigar.iter().map(span).sum()
    }

    /// Finds what makes the record unfit to be indexed by.
    fn contradiction(&self, references: &[Reference]) -> Option<String> {
        let covered: u64 = self
            .cigar
            .iter()
            .map(|&(op, length)| if op.consumes_read() { u64::from(length) } else { 0 })
            .sum();
        if !self.cigar.is_empty() && !self.bases.is_empty() && covered != self.bases.len() as u64 {
            return Some(format!(
                "the CIGAR covers {covered} bases, but the read has {}",
                self.bases.len()
            ));
        }
        if !self.qualities.is_empty() && self.qualities.len() != self.bases.len() {
            return Some(format!(
                "the read has {} bases, but {} qualities",
                self.bases.len(),
                self.qualities.len()
            ));
        }
        let reference = references.get(self.reference?)?;
        let length = reference.length;
        (length > 0 && self.position > length).then(|| {
            format!(
                "position {} lies behind the end of {} ({length} bases)",
                self.position, reference.name
            )
        })
    }
}

/// A cursor over the records of a SAM or BAM file.
///
/// ```no_run
/// # fn main() -> Result<(), medi_formats::FormatError> {
/// use medi_formats::alignment::AlignmentReader;
/// let mut reader = AlignmentReader::open("reads.bam")?;
/// while reader.next()? {
///     let read = reader.record();
///     println!("{} {}:{}", read.name, reader.reference_name(), read.position);
/// }
/// # Ok(())
/// # }
/// ```
pub struct AlignmentReader {
    reader: Decoder,
    header: header::Header,
    record: Alignment,
    trail: Trail,
}

enum Decoder {
    Sam(Box<sam::Decoder>),
    Bam(Box<bam::Decoder>),
}

impl AlignmentReader {
    /// Opens a SAM or BAM file and reads its header.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, FormatError> {
        let source = Source::open(path.as_ref())?;
        let mut trail = Trail::new(source.path());
        let (reader, header) = match source.content() {
            Content::Sam => {
                let (decoder, header) = sam::Decoder::open(source, &mut trail)?;
                (Decoder::Sam(Box::new(decoder)), header)
            }
            Content::Bam => {
                let (decoder, header) = bam::Decoder::open(source, &trail)?;
                (Decoder::Bam(Box::new(decoder)), header)
            }
            _ => return Err(source.wrong_format("aligned reads (SAM or BAM)")),
        };
        Ok(Self { reader, header, record: Alignment::default(), trail })
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
        self.trail.record += 1;
        let more = match &mut self.reader {
            Decoder::Sam(decoder) => {
                decoder.read(&mut self.header, &mut self.record, &mut self.trail)?
            }
            Decoder::Bam(decoder) => {
                decoder.read(&self.header, &mut self.record, &mut self.trail)?
            }
        };
        if more && let Some(reason) = self.record.contradiction(&self.header.references) {
            return Err(self.trail.corrupt(reason));
        }
        Ok(more)
    }

    /// The record that `next` came to.
    pub fn record(&self) -> &Alignment {
        &self.record
    }

    /// The reference sequences that the header names. A SAM file without a header gets them, without lengths, as its
    /// records name them.
    pub fn references(&self) -> &[Reference] {
        &self.header.references
    }

    /// The name of the reference that the record lies on, or empty.
    pub fn reference_name(&self) -> &str {
        let reference = self.record.reference.and_then(|id| self.header.references.get(id));
        reference.map_or("", |reference| &reference.name)
    }

    /// The sample that the first read group of the header names.
    pub fn sample(&self) -> Option<&str> {
        self.header.sample.as_deref()
    }

    /// Bytes of the file read so far, and in all.
    pub fn progress(&self) -> (u64, u64) {
        match &self.reader {
            Decoder::Sam(decoder) => decoder.source().progress(),
            Decoder::Bam(decoder) => decoder.source().progress(),
        }
    }

    /// The name of the format.
    pub fn describe(&self) -> &'static str {
        match self.reader {
            Decoder::Sam(_) => "SAM",
            Decoder::Bam(_) => "BAM",
        }
    }
}
