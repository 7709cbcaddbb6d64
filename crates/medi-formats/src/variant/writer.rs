//! VCF out: a header made from what is known, then one line a call.
//!
//! The file appears under its name only when [`VariantWriter::finish`] has closed it; until then it lies beside it
//! with `.partial` behind the name. A program that stops in the middle leaves an older file as it was.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use noodles::bgzf;

use super::{Contig, header::COLUMNS};
use crate::error::{ErrorKind, FormatError};

/// A variant to be written.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The chromosome or other sequence, as the contigs name it.
    pub chromosome: &'a str,
    /// The position of the first reference base, counted from 1.
    pub position: u64,
    /// The variant's name, or empty.
    pub id: &'a str,
    /// The reference allele.
    pub reference: &'a str,
    /// The other alleles.
    pub alternates: &'a [&'a str],
    /// The Phred quality, NaN if not known.
    pub quality: f64,
    /// `PASS`, or the filters that failed, separated by `;`, or empty.
    pub filter: &'a str,
    /// The read depth over all samples.
    pub depth: Option<u64>,
    /// The frequency of each alternate allele among the reads, or empty.
    pub allele_frequencies: &'a [f64],
    /// One for each sample of the header.
    pub samples: &'a [SampleCall<'a>],
}

/// What is known of one sample at a variant.
#[derive(Clone, Copy, Debug)]
pub struct SampleCall<'a> {
    /// Such as `0/1`.
    pub genotype: &'a str,
    /// The Phred quality of the genotype.
    pub quality: Option<u32>,
    /// The read depth.
    pub depth: Option<u64>,
    /// The depth of each allele, the reference first, or empty.
    pub allele_depths: &'a [u64],
}

/// Writes a VCF file, compressed with bgzip if its name ends in `.gz` or `.bgz`.
pub struct VariantWriter {
    output: Option<Output>,
    path: PathBuf,
    /// Where the lines go until the file is finished; `None` for what is no regular file.
    partial: Option<PathBuf>,
    samples: usize,
    line: String,
    records: u64,
}

enum Output {
    Plain(BufWriter<File>),
    Bgzip(bgzf::io::Writer<BufWriter<File>>),
}

impl VariantWriter {
    /// Begins a file: the header with its contigs, samples, and the INFO and FORMAT fields that [`Call`] has. `more`
    /// are further lines for the header, each beginning with `##`.
    ///
    /// # Errors
    /// When the file cannot be made, or a name has characters that VCF cannot hold.
    pub fn create(
        path: impl AsRef<Path>,
        contigs: &[Contig],
        samples: &[&str],
        more: &[&str],
    ) -> Result<Self, FormatError> {
        let path = path.as_ref();
        let regular = fs::metadata(path).map_or(true, |m| m.is_file());
        let partial = regular.then(|| {
            let mut name = path.as_os_str().to_owned();
            name.push(".partial");
            PathBuf::from(name)
        });
        let file = File::create(partial.as_deref().unwrap_or(path))
            .map_err(|error| unwritable(path, &error))?;
        let file = BufWriter::with_capacity(128 << 10, file);
        let zipped = path.extension().is_some_and(|e| e == "gz" || e == "bgz");
        let output =
            if zipped { Output::Bgzip(bgzf::io::Writer::new(file)) } else { Output::Plain(file) };
        let mut writer = Self {
            output: Some(output),
            path: path.to_owned(),
            partial,
            samples: samples.len(),
            line: String::new(),
            records: 0,
        };
        writer.write_header(contigs, samples, more)?;
        Ok(writer)
    }

    fn write_header(
        &mut self,
        contigs: &[Contig],
        samples: &[&str],
        more: &[&str],
    ) -> Result<(), FormatError> {
        self.line.push_str(
            "##fileformat=VCFv4.3\n\
             ##source=medi\n\
             ##FILTER=<ID=PASS,Description=\"All filters passed\">\n\
             ##INFO=<ID=DP,Number=1,Type=Integer,Description=\"Read depth over all samples\">\n\
             ##INFO=<ID=AF,Number=A,Type=Float,Description=\"Share of the reads with each alternate allele\">\n\
             ##FORMAT=<ID=GT,Number=1,Type=String,Description=\"Genotype\">\n\
             ##FORMAT=<ID=GQ,Number=1,Type=Integer,Description=\"Phred quality of the genotype\">\n\
             ##FORMAT=<ID=DP,Number=1,Type=Integer,Description=\"Read depth\">\n\
             ##FORMAT=<ID=AD,Number=R,Type=Integer,Description=\"Read depth of each allele\">\n",
        );
        for line in more {
            if !line.starts_with("##") || line.contains('\n') {
                return Err(
                    self.refuse(format!("`{line}` is no header line; these begin with `##`"))
                );
            }
            self.line.push_str(line);
            self.line.push('\n');
        }
        for contig in contigs {
            self.demand(&contig.name, "contig", ",<>\"")?;
            _ = write!(self.line, "##contig=<ID={}", contig.name);
            if let Some(length) = contig.length {
                _ = write!(self.line, ",length={length}");
            }
            self.line.push_str(">\n");
        }
        let columns = if samples.is_empty() { &COLUMNS[..8] } else { &COLUMNS[..] };
        self.line.push_str(&columns.join("\t"));
        for sample in samples {
            if sample.is_empty() || sample.contains(['\t', '\n', '\r']) {
                return Err(self.refuse(format!("`{sample}` cannot be the name of a sample")));
            }
            self.line.push('\t');
            self.line.push_str(sample);
        }
        self.send()
    }

    /// Writes a call.
    ///
    /// # Errors
    /// When the disk is full and the like, when a text has characters that VCF cannot hold, or when the samples are
    /// not as many as the header's.
    pub fn write(&mut self, call: &Call<'_>) -> Result<(), FormatError> {
        self.records += 1;
        // A call that was refused half way has left its beginning.
        self.line.clear();
        self.demand(call.chromosome, "chromosome", "")?;
        self.demand(call.reference, "reference allele", ",;")?;
        for allele in call.alternates {
            self.demand(allele, "alternate allele", ",;")?;
        }
        for (text, what) in [(call.id, "id"), (call.filter, "filter")] {
            if !text.is_empty() {
                self.demand(text, what, "")?;
            }
        }
        if call.samples.len() != self.samples {
            return Err(self.refuse(format!(
                "the call has {} samples, but the header has {}",
                call.samples.len(),
                self.samples
            )));
        }
        let line = &mut self.line;
        _ = write!(
            line,
            "{}\t{}\t{}\t{}\t",
            call.chromosome,
            call.position,
            or_dot(call.id),
            call.reference
        );
        list(line, call.alternates);
        line.push('\t');
        number(line, call.quality);
        _ = write!(line, "\t{}\t", or_dot(call.filter));
        let info = line.len();
        if let Some(depth) = call.depth {
            _ = write!(line, "DP={depth}");
        }
        if !call.allele_frequencies.is_empty() {
            if line.len() > info {
                line.push(';');
            }
            line.push_str("AF=");
            for (at, &frequency) in call.allele_frequencies.iter().enumerate() {
                if at > 0 {
                    line.push(',');
                }
                number(line, frequency);
            }
        }
        if line.len() == info {
            line.push('.');
        }
        if !call.samples.is_empty() {
            line.push_str("\tGT:GQ:DP:AD");
        }
        for sample in call.samples {
            if sample.genotype.contains(|c: char| !c.is_ascii_digit() && !"./|".contains(c)) {
                return Err(self.refuse(format!("`{}` is no genotype", sample.genotype)));
            }
            let line = &mut self.line;
            _ = write!(line, "\t{}:", or_dot(sample.genotype));
            list(line, sample.quality.as_slice());
            line.push(':');
            list(line, sample.depth.as_slice());
            line.push(':');
            list(line, sample.allele_depths);
        }
        self.send()
    }

    fn send(&mut self) -> Result<(), FormatError> {
        self.line.push('\n');
        let written = match &mut self.output {
            Some(Output::Plain(file)) => file.write_all(self.line.as_bytes()),
            Some(Output::Bgzip(file)) => file.write_all(self.line.as_bytes()),
            None => Ok(()),
        };
        self.line.clear();
        written.map_err(|error| unwritable(&self.path, &error))
    }

    /// Closes the file and gives it its name.
    ///
    /// # Errors
    /// When the last bytes cannot be written; the file then does not appear.
    pub fn finish(mut self) -> Result<(), FormatError> {
        let closed = match self.output.take() {
            Some(Output::Plain(file)) => file.into_inner().map_err(io::IntoInnerError::into_error),
            Some(Output::Bgzip(file)) => file
                .finish()
                .and_then(|file| file.into_inner().map_err(io::IntoInnerError::into_error)),
            None => return Ok(()),
        };
        let named = closed.and_then(|_| match &self.partial {
            Some(partial) => fs::rename(partial, &self.path),
            None => Ok(()),
        });
        named.map_err(|error| unwritable(&self.path, &error))?;
        self.partial = None;
        Ok(())
    }

    fn demand(&self, text: &str, what: &str, but: &str) -> Result<(), FormatError> {
        if text.is_empty()
            || text.contains(|c: char| c.is_whitespace() || c.is_control() || but.contains(c))
        {
            return Err(self.refuse(format!("`{}` cannot be a {what}", text.escape_debug())));
        }
        Ok(())
    }

    fn refuse(&self, reason: String) -> FormatError {
        FormatError::new(
            ErrorKind::Unwritable,
            &self.path,
            reason,
            "VCF separates its columns by tabs and its lists by commas, so names may hold neither",
        )
        .at_record(self.records)
    }
}

impl Drop for VariantWriter {
    fn drop(&mut self) {
        // The writers below flush when they are dropped, so they go first.
        self.output = None;
        if let Some(partial) = &self.partial {
            _ = fs::remove_file(partial);
        }
    }
}

fn unwritable(path: &Path, error: &io::Error) -> FormatError {
    FormatError::new(
        ErrorKind::Unwritable,
        path,
        format!("the file cannot be written ({error})"),
        "check that its directory is there, that this user may write to it, and that the disk is not full",
    )
}

fn or_dot(text: &str) -> &str {
    if text.is_empty() { "." } else { text }
}

fn list<T: std::fmt::Display>(line: &mut String, items: &[T]) {
    if items.is_empty() {
        line.push('.');
    }
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            line.push(',');
        }
        _ = write!(line, "{item}");
    }
}

/// A number with at most four decimals, as many as callers mean.
fn number(line: &mut String, value: f64) {
    if value.is_nan() {
        line.push('.');
        return;
    }
    let rounded = (value * 1e4).round() / 1e4;
    _ = write!(line, "{}", if rounded.is_finite() { rounded } else { value });
}
