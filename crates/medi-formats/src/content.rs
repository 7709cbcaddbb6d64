//! What a file holds, told from its first bytes.
//!
//! Names lie and get lost, so no reader asks for an extension. A reader that is given another format says what the
//! file is instead ("this is a BAM file"), for the formats that lie about next to health data and the wrappers
//! people put around them.

use std::{fmt, path::Path};

use crate::{
    error::{ErrorKind, FormatError},
    source::Source,
};

/// A kind of file content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Content {
    /// No bytes at all.
    Empty,
    /// JSON; FHIR resources and bundles look like this.
    Json,
    /// A table in text with a header line: OMOP CDM tables look like this.
    Table,
    /// Sequences.
    Fasta,
    /// Reads with qualities.
    Fastq,
    /// Aligned reads in text.
    Sam,
    /// Aligned reads.
    Bam,
    /// Aligned reads against a reference that is kept elsewhere.
    Cram,
    /// Variants in text.
    Vcf,
    /// Variants.
    Bcf,
    /// A medical image or waveform.
    Dicom,
    /// A brain image.
    Nifti,
    /// A signal recording, EDF or BDF.
    Edf,
    /// A scientific container.
    Hdf5,
    /// A columnar table.
    Parquet,
    /// A database file.
    Sqlite,
    /// A database file.
    DuckDb,
    /// gzip inside what was already decompressed.
    Gzip,
    /// An archive.
    Zip,
    /// A compressed file of a kind that is not opened here.
    Bzip2,
    /// A compressed file of a kind that is not opened here.
    Xz,
    /// A compressed file of a kind that is not opened here.
    Zstd,
    /// A document.
    Pdf,
    /// XML or HTML.
    Xml,
    /// Text in UTF-16.
    Utf16,
    /// Text of no format known here.
    Text,
    /// Bytes of no format known here.
    Binary,
}

/// Says what the file at `path` holds, looking through gzip and bgzip.
///
/// ```no_run
/// # fn main() -> Result<(), medi_formats::FormatError> {
/// use medi_formats::{Content, detect};
/// assert_eq!(detect("reads.bam".as_ref())?, Content::Bam);
/// # Ok(())
/// # }
/// ```
pub fn detect(path: &Path) -> Result<Content, FormatError> {
    Source::open(path).map(|source| source.content())
}

impl Content {
    /// What this content is, with an article, to follow "this is".
    fn phrase(self) -> &'static str {
        match self {
            Content::Empty => "an empty file",
            Content::Json => "JSON",
            Content::Table => "a table in text (CSV)",
            Content::Fasta => "a FASTA file (sequences)",
            Content::Fastq => "a FASTQ file (reads with qualities)",
            Content::Sam => "a SAM file (aligned reads)",
            Content::Bam => "a BAM file (aligned reads)",
            Content::Cram => "a CRAM file (aligned reads)",
            Content::Vcf => "a VCF file (variants)",
            Content::Bcf => "a BCF file (variants)",
            Content::Dicom => "a DICOM file (a medical image or waveform)",
            Content::Nifti => "a NIfTI file (a brain image)",
            Content::Edf => "an EDF or BDF file (a signal recording)",
            Content::Hdf5 => "an HDF5 file",
            Content::Parquet => "a Parquet file",
            Content::Sqlite => "an SQLite database",
            Content::DuckDb => "a DuckDB database",
            Content::Gzip => "a gzip file inside a gzip file",
            Content::Zip => "a ZIP archive",
            Content::Bzip2 => "a bzip2 file",
            Content::Xz => "an xz file",
            Content::Zstd => "a zstd file",
            Content::Pdf => "a PDF document",
            Content::Xml => "XML or HTML",
            Content::Utf16 => "text in UTF-16",
            Content::Text => "text of no format known here",
            Content::Binary => "binary data of no format known here",
        }
    }

    fn help(self) -> &'static str {
        match self {
            Content::Fasta => "open it as sequences",
            Content::Fastq => "open it as reads",
            Content::Sam | Content::Bam => "open it as aligned reads",
            Content::Vcf | Content::Bcf => "open it as variants",
            Content::Json | Content::Table => {
                "health records are FHIR R4 JSON with a \"resourceType\", or OMOP CDM tables with their header line"
            }
            Content::Cram => {
                "turn it into BAM: `samtools view -b -T REFERENCE.fa FILE -o FILE.bam`"
            }
            Content::Gzip => "it was compressed twice: run `gunzip` on it once",
            Content::Zip => "unpack it with `unzip` and give a file or the directory inside",
            Content::Bzip2 => "unpack it with `bunzip2`; gzip and bgzip open by themselves",
            Content::Xz => "unpack it with `unxz`; gzip and bgzip open by themselves",
            Content::Zstd => "unpack it with `unzstd`; gzip and bgzip open by themselves",
            Content::Xml => {
                "FHIR is read as JSON; if this came from a server by download, it may be its error page"
            }
            Content::Utf16 => "turn it into UTF-8: `iconv -f UTF-16 -t UTF-8 FILE`",
            Content::Parquet | Content::Sqlite | Content::DuckDb => "export its tables as CSV",
            _ => "check that the path names the file you mean",
        }
    }

    /// The error for this content where `wanted` was needed.
    pub(crate) fn refuse(self, path: &Path, wanted: &str) -> FormatError {
        match self {
            Content::Empty => FormatError::new(
                ErrorKind::Empty,
                path,
                format!("the file is empty; {wanted} should be here"),
                "check that the program that wrote it came to its end",
            ),
            _ => FormatError::new(
                ErrorKind::WrongFormat,
                path,
                format!("this is {self}, not {wanted}"),
                self.help(),
            ),
        }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.phrase())
    }
}

/// Tells the content from its first bytes, decompressed.
pub(crate) fn sniff(head: &[u8]) -> Content {
    const MAGIC: &[(&[u8], Content)] = &[
        (b"BAM\x01", Content::Bam),
        (b"BCF\x02", Content::Bcf),
        (b"CRAM", Content::Cram),
        (b"\x1f\x8b", Content::Gzip),
        (b"PK\x03\x04", Content::Zip),
        (b"BZh", Content::Bzip2),
        (b"\xfd7zXZ\0", Content::Xz),
        (b"\x28\xb5\x2f\xfd", Content::Zstd),
        (b"%PDF", Content::Pdf),
        (b"\x89HDF\r\n\x1a\n", Content::Hdf5),
        (b"PAR1", Content::Parquet),
        (b"SQLite format 3\0", Content::Sqlite),
        (b"\xff\xfe", Content::Utf16),
        (b"\xfe\xff", Content::Utf16),
        (b"\xffBIOSEMI", Content::Edf),
        (b"0       ", Content::Edf),
        (b"##fileformat=VCF", Content::Vcf),
        (b"#CHROM\tPOS\t", Content::Vcf),
    ];
    const PLACED: &[(usize, &[u8], Content)] = &[
        (128, b"DICM", Content::Dicom),
        (8, b"DUCK", Content::DuckDb),
        (344, b"n+1\0", Content::Nifti),
        (344, b"ni1\0", Content::Nifti),
        (4, b"n+2\0", Content::Nifti),
        (4, b"ni2\0", Content::Nifti),
    ];
    if head.is_empty() {
        return Content::Empty;
    }
    if let Some(&(.., content)) = MAGIC.iter().find(|(magic, _)| head.starts_with(magic)) {
        return content;
    }
    let placed = |&&(at, magic, _): &&(usize, &[u8], Content)| {
        head.get(at..).is_some_and(|rest| rest.starts_with(magic))
    };
    if let Some(&(.., content)) = PLACED.iter().find(placed) {
        return content;
    }
    sniff_text(head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head))
}

fn sniff_text(head: &[u8]) -> Content {
    if head.contains(&0) {
        return Content::Binary;
    }
    let text = head.trim_ascii_start();
    let line = text.split(|&b| b == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let tabs = line.iter().filter(|&&b| b == b'\t').count();
    let separated = tabs > 0 || line.iter().any(|b| b",;|".contains(b));
    match text {
        [] => Content::Empty,
        [b'{' | b'[', ..] => Content::Json,
        [b'<', ..] => Content::Xml,
        [b'>', ..] => Content::Fasta,
        [b'@', a, b, b'\t', ..] if a.is_ascii_uppercase() && b.is_ascii_uppercase() => Content::Sam,
        _ if tabs >= 10 && looks_like_alignment(line) => Content::Sam,
        [b'@', ..] => Content::Fastq,
        _ if !mostly_text(head) => Content::Binary,
        _ if separated => Content::Table,
        _ => Content::Text,
    }
}

/// A SAM file need not have a header: flag, position and mapping quality of its first line are numbers.
fn looks_like_alignment(line: &[u8]) -> bool {
    let mut fields = line.split(|&b| b == b'\t');
    let number = |field: Option<&[u8]>| {
        field.is_some_and(|f| !f.is_empty() && f.iter().all(u8::is_ascii_digit))
    };
    number(fields.nth(1)) && number(fields.nth(1)) && number(fields.next())
}

/// Damaged text is still text, and its reader says where the damage is; what is control characters through and
/// through is not.
fn mostly_text(head: &[u8]) -> bool {
    let odd = head.iter().filter(|b| b.is_ascii_control() && !b"\t\r\n\x0c".contains(b)).count();
    let invalid = String::from_utf8_lossy(head).matches('\u{fffd}').count();
    (odd + invalid) * 10 < head.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_formats_are_told_apart_by_their_first_line() {
        assert_eq!(sniff(b"@HD\tVN:1.6\n"), Content::Sam);
        assert_eq!(sniff(b"r1\t0\tchr1\t100\t60\t4M\t*\t0\t0\tACGT\tIIII\n"), Content::Sam);
        assert_eq!(sniff(b"@r1 1:N:0\nACGT\n+\nIIII\n"), Content::Fastq);
        assert_eq!(sniff(b">chr20\nACGT\n"), Content::Fasta);
        assert_eq!(sniff(b"\xef\xbb\xbfperson_id,gender_concept_id\n"), Content::Table);
        assert_eq!(sniff(b"  \n{\"resourceType\":\"Bundle\"}"), Content::Json);
        assert_eq!(sniff(b"Dear all,\nplease find attached"), Content::Table);
        assert_eq!(sniff(b"hello\n"), Content::Text);
    }

    #[test]
    fn whitespace_alone_counts_as_empty() {
        assert_eq!(sniff(b"\n\n  \n"), Content::Empty);
        assert_eq!(sniff(b"\xef\xbb\xbf"), Content::Empty);
    }

    #[test]
    fn wrappers_and_neighbours_are_named() {
        assert_eq!(sniff(b"PK\x03\x04\x14\0"), Content::Zip);
        assert_eq!(sniff(b"\x1f\x8b\x08\0"), Content::Gzip);
        assert_eq!(sniff(b"\xff\xfep\0e\0"), Content::Utf16);
        let mut dicom = vec![0; 128];
        dicom.extend_from_slice(b"DICM");
        assert_eq!(sniff(&dicom), Content::Dicom);
        assert_eq!(sniff(&[1, 2, 3, 0, 9]), Content::Binary);
    }

    #[test]
    fn a_refusal_names_what_was_found_and_what_was_wanted() {
        let error = Content::Bam.refuse(Path::new("a.json"), "health records");
        assert_eq!(
            error.to_string(),
            "a.json: this is a BAM file (aligned reads), not health records\nhelp: open it as aligned reads"
        );
        assert_eq!(Content::Fastq.help(), "open it as reads");
    }
}
