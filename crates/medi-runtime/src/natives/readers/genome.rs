//! References, reads and variants, for lib/genome.medi.

use medi_formats::alignment::AlignmentReader;
use medi_formats::sequence::{FastaReader, FastqReader};
use medi_formats::{Content, detect};

use super::progress::Progress;

/// A FASTA file that is being read.
pub struct FastaFile {
    reader: FastaReader,
    /// The bases of the sequence, between [`FastaFile::load`] and [`FastaFile::take_bases`].
    bases: Vec<u8>,
    progress: Progress,
}

impl FastaFile {
    /// Opens a FASTA file.
    pub fn open(path: &str) -> Result<Self, String> {
        let reader = FastaReader::open(path).map_err(|error| error.to_string())?;
        Ok(Self { reader, bases: vec![], progress: Progress::new(path) })
    }

    /// Moves to the next sequence; false after the last.
    pub fn next(&mut self) -> Result<bool, String> {
        self.bases.clear();
        self.reader.next().map_err(|error| error.to_string())
    }

    /// The name of the sequence.
    pub fn name(&self) -> &str {
        self.reader.name()
    }

    /// Reads the sequence and gives its length in bases.
    pub fn load(&mut self) -> Result<i64, String> {
        // A chromosome is read in one go: the bar moves with its pieces, not with sequences.
        let (bases, progress) = (&mut self.bases, &mut self.progress);
        let mut read = 0;
        let (start, total) = self.reader.progress();
        let length = self.reader.for_each_chunk(|piece| {
            bases.extend(piece.iter().map(|&base| letter(base)));
            read += piece.len() as u64;
            progress.step(|| (start + read, total));
        });
        length.map(|length| length as i64).map_err(|error| error.to_string())
    }

    /// Gives the bases and forgets them.
    pub fn take_bases(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bases)
    }
}

/// Upper case, and N for whatever is not A, C, G or T.
pub fn letter(base: u8) -> u8 {
    match base.to_ascii_uppercase() {
        base @ (b'A' | b'C' | b'G' | b'T') => base,
        _ => b'N',
    }
}

/// A SAM, BAM or FASTQ file that is being read.
pub struct ReadsFile {
    reader: Reader,
    progress: Progress,
}

enum Reader {
    Aligned(Box<AlignmentReader>),
    Plain(Box<FastqReader>),
}

/// A number of the read; the numbers are those of lib/genome.medi.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadField {
    Flags,
    /// -1 for a read that is not aligned.
    Contig,
    /// Counted from 0; -1 if unknown.
    Start,
    MappingQuality,
    CigarLength,
    BaseCount,
}

impl ReadField {
    const ALL: [ReadField; 6] = [
        ReadField::Flags,
        ReadField::Contig,
        ReadField::Start,
        ReadField::MappingQuality,
        ReadField::CigarLength,
        ReadField::BaseCount,
    ];

    /// The field with lib/genome.medi's number.
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }
}

/// SAM's FLAG of a read that is not aligned.
const UNALIGNED: i64 = 4;

/// A quality or mapping quality that the file does not give.
const UNKNOWN_QUALITY: u8 = 255;

impl ReadsFile {
    /// Opens a SAM, BAM or FASTQ file.
    pub fn open(path: &str) -> Result<Self, String> {
        let content = detect(path.as_ref()).map_err(|error| error.to_string())?;
        let reader = match content {
            Content::Fastq => FastqReader::open(path).map(|reader| Reader::Plain(Box::new(reader))),
            _ => AlignmentReader::open(path).map(|reader| Reader::Aligned(Box::new(reader))),
        };
        let reader = reader.map_err(|error| error.to_string())?;
        Ok(Self { reader, progress: Progress::new(path) })
    }

    /// Moves to the next read; false after the last.
    pub fn next(&mut self) -> Result<bool, String> {
        let moved = match &mut self.reader {
            Reader::Aligned(reader) => {
                self.progress.step(|| reader.progress());
                reader.next()
            }
            Reader::Plain(reader) => {
                self.progress.step(|| reader.progress());
                reader.next()
            }
        };
        moved.map_err(|error| error.to_string())
    }

    /// The sample, or "sample".
    pub fn sample(&self) -> &str {
        match &self.reader {
            Reader::Aligned(reader) => reader.sample().filter(|name| !name.is_empty()),
            Reader::Plain(_) => None,
        }
        .unwrap_or("sample")
    }

    /// Name and length (0: not known) of each reference.
    pub fn references(&self) -> impl ExactSizeIterator<Item = (&str, i64)> {
        let references = match &self.reader {
            Reader::Aligned(reader) => reader.references(),
            Reader::Plain(_) => &[],
        };
        references.iter().map(|reference| (reference.name.as_str(), reference.length as i64))
    }

    /// A number of the read.
    pub fn number(&self, field: ReadField) -> i64 {
        match &self.reader {
            Reader::Aligned(reader) => {
                let read = reader.record();
                match field {
                    ReadField::Flags => read.flags.into(),
                    ReadField::Contig if read.is_unmapped() => -1,
                    ReadField::Contig => read.reference.map_or(-1, |index| index as i64),
                    ReadField::Start if read.is_unmapped() => -1,
                    ReadField::Start => read.position as i64 - 1,
                    ReadField::MappingQuality => read.mapping_quality.into(),
                    ReadField::CigarLength => read.cigar.len() as i64,
                    ReadField::BaseCount => read.bases.len() as i64,
                }
            }
            Reader::Plain(reader) => match field {
                ReadField::Flags => UNALIGNED,
                ReadField::Contig | ReadField::Start => -1,
                ReadField::MappingQuality => UNKNOWN_QUALITY.into(),
                ReadField::CigarLength => 0,
                ReadField::BaseCount => reader.bases().len() as i64,
            },
        }
    }

    /// The bases as the file has them.
    pub fn bases(&self) -> &[u8] {
        match &self.reader {
            Reader::Aligned(reader) => &reader.record().bases,
            Reader::Plain(reader) => reader.bases(),
        }
    }

    /// The quality of each base; none if the file gives none.
    pub fn qualities(&self) -> impl Iterator<Item = u8> {
        let known = match &self.reader {
            Reader::Aligned(reader) => &reader.record().qualities,
            Reader::Plain(reader) => reader.qualities(),
        };
        let count = self.bases().len();
        known.iter().copied().chain(std::iter::repeat(UNKNOWN_QUALITY)).take(count)
    }

    /// The operations: length * 16 + code.
    pub fn cigar(&self) -> impl ExactSizeIterator<Item = i64> {
        let cigar = match &self.reader {
            Reader::Aligned(reader) => reader.record().cigar.as_slice(),
            Reader::Plain(_) => &[],
        };
        cigar.iter().map(|&(op, length)| i64::from(length) * 16 + op as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::data;
    use super::*;

    #[test]
    fn bases_are_upper_case_and_n_stands_for_all_else() {
        assert_eq!(b"acgtNnRyK-".map(letter), *b"ACGTNNNNNN");
    }

    #[test]
    fn a_reference_is_loaded_whole() {
        let mut file = FastaFile::open(&data("chr20/reference.fa.gz")).expect("it opens");
        assert_eq!(file.next(), Ok(true));
        assert_eq!(file.name(), "chr20_slice");
        assert_eq!(file.load(), Ok(60_000));
        let bases = file.take_bases();
        assert_eq!(bases.len(), 60_000);
        assert!(bases.iter().all(|base| b"ACGT".contains(base)));
        assert_eq!(file.next(), Ok(false));
    }

    #[test]
    fn aligned_reads_give_their_place_cigar_and_qualities() {
        let mut file = ReadsFile::open(&data("chr20/reads.bam")).expect("it opens");
        assert_eq!(file.sample(), "sim");
        assert_eq!(file.references().collect::<Vec<_>>(), [("chr20_slice", 60_000)]);
        let mut count = 0;
        while file.next().expect("it is sound") {
            if count == 0 {
                // samtools view reads.bam | head -1
                let fields = ReadField::ALL.map(|field| file.number(field));
                assert_eq!(fields, [163, 0, 0, 60, 1, 100]);
                assert_eq!(file.cigar().collect::<Vec<_>>(), [1600]);
                assert_eq!(&file.bases()[..10], b"TGTGATCCAG");
                assert!(file.qualities().all(|quality| quality == 17));
            }
            count += 1;
        }
        assert_eq!(count, 18_000);
    }

    #[test]
    fn a_file_that_is_neither_reads_nor_sequences_is_named_for_what_it_is() {
        let error =
            ReadsFile::open(&data("expected/bcftools.vcf")).err().expect("it is a VCF file");
        assert!(error.contains("this is a VCF file"), "{error}");
        let error = FastaFile::open(&data("chr20/reads.bam")).err().expect("it is a BAM file");
        assert!(error.contains("this is a BAM file"), "{error}");
    }
}
