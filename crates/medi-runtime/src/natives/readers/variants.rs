//! VCF in and out, for lib/genome.medi.

use medi_formats::variant::{Call, Contig, SampleCall, VariantReader, VariantWriter};

use super::progress::Progress;

/// A text of a variant; the numbers are those of lib/genome.medi.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Text {
    Contig,
    Id,
    Reference,
    /// Several are separated by commas; `.` if there is none.
    Alternate,
    Filter,
    /// Of the first sample.
    Genotype,
}

impl Text {
    const ALL: [Text; 6] =
        [Text::Contig, Text::Id, Text::Reference, Text::Alternate, Text::Filter, Text::Genotype];

    /// The field with lib/genome.medi's number.
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }
}

/// A number of a variant that may be NaN.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Number {
    Quality,
    Frequency,
    GenotypeQuality,
}

impl Number {
    const ALL: [Number; 3] = [Number::Quality, Number::Frequency, Number::GenotypeQuality];

    /// The field with lib/genome.medi's number.
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }
}

/// A count of a variant, -1 if the file does not give it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Count {
    Position,
    Depth,
    /// Of the first alternate allele, in the first sample.
    AlternateDepth,
    /// Alleles called over all samples.
    Alleles,
    /// Those of them that are not the reference's.
    AlternateAlleles,
    Samples,
    Contigs,
}

impl Count {
    const ALL: [Count; 7] = [
        Count::Position,
        Count::Depth,
        Count::AlternateDepth,
        Count::Alleles,
        Count::AlternateAlleles,
        Count::Samples,
        Count::Contigs,
    ];

    /// The field with lib/genome.medi's number.
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }
}

/// A VCF or BCF file that is being read.
pub struct VariantFile {
    reader: VariantReader,
    /// Alleles called, and those that differ from the reference, of the record.
    alleles: (i64, i64),
    progress: Progress,
}

impl VariantFile {
    /// Opens a VCF or BCF file.
    pub fn open(path: &str) -> Result<Self, String> {
        let reader = VariantReader::open(path).map_err(|error| error.to_string())?;
        Ok(Self { reader, alleles: (0, 0), progress: Progress::new(path) })
    }

    /// Moves to the next variant; false after the last.
    pub fn next(&mut self) -> Result<bool, String> {
        self.progress.step(|| self.reader.progress());
        let more = self.reader.next().map_err(|error| error.to_string())?;
        if more {
            let genotypes = self.reader.record().genotypes().flatten();
            let called = genotypes.flat_map(|genotype| genotype.alleles()).flatten();
            self.alleles = called
                .fold((0, 0), |(all, other), allele| (all + 1, other + i64::from(allele > 0)));
        }
        Ok(more)
    }

    /// A text of the variant; empty if it has none.
    pub fn text(&self, field: Text, give: impl FnOnce(&str)) {
        let record = self.reader.record();
        match field {
            Text::Contig => give(record.chromosome()),
            Text::Id => give(record.id()),
            Text::Reference => give(record.reference()),
            Text::Alternate => {
                let mut alleles = record.alternates();
                match (alleles.next(), alleles.next()) {
                    (None, _) => give("."),
                    (Some(only), None) => give(only),
                    (Some(_), Some(_)) => {
                        let all: Vec<&str> = record.alternates().collect();
                        give(&all.join(","));
                    }
                }
            }
            Text::Filter => give(record.filter()),
            Text::Genotype => {
                give(record.genotype(0).map_or("", |genotype| genotype.as_str()));
            }
        }
    }

    /// A number of the variant, NaN if not given.
    pub fn number(&self, field: Number) -> f64 {
        let record = self.reader.record();
        match field {
            Number::Quality => record.quality(),
            Number::Frequency => record.allele_frequency(),
            Number::GenotypeQuality => {
                let text = record.sample_field(0, "GQ");
                text.and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
            }
        }
    }

    /// A count of the variant or the file.
    pub fn count(&self, field: Count) -> i64 {
        let record = self.reader.record();
        match field {
            Count::Position => record.position() as i64,
            Count::Depth => record.depth().and_then(|depth| depth.try_into().ok()).unwrap_or(-1),
            Count::AlternateDepth => {
                let depths = record.sample_field(0, "AD");
                let first = depths.and_then(|depths| depths.split(',').nth(1));
                first.and_then(|depth| depth.parse().ok()).unwrap_or(-1)
            }
            Count::Alleles => self.alleles.0,
            Count::AlternateAlleles => self.alleles.1,
            Count::Samples => self.reader.samples().len() as i64,
            Count::Contigs => self.contigs().len() as i64,
        }
    }

    /// The names of the samples.
    pub fn samples(&self) -> &[String] {
        self.reader.samples()
    }

    /// The sequences that the header names.
    pub fn contigs(&self) -> &[Contig] {
        &self.reader.header().contigs
    }
}

/// A VCF file that is being written: first samples and contigs, then variants. The header is written with the first
/// variant, or at the end.
pub struct VariantOutput {
    path: String,
    samples: Vec<String>,
    contigs: Vec<Contig>,
    writer: Option<VariantWriter>,
    texts: [String; Text::ALL.len()],
    numbers: [f64; Number::ALL.len()],
    counts: [i64; Count::ALL.len()],
}

impl VariantOutput {
    /// Writing to `path`; nothing is done yet.
    pub fn new(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            samples: vec![],
            contigs: vec![],
            writer: None,
            texts: Default::default(),
            numbers: [f64::NAN; Number::ALL.len()],
            counts: [-1; Count::ALL.len()],
        }
    }

    /// Names a sample, before the first variant.
    pub fn add_sample(&mut self, name: &str) {
        self.samples.push(name.to_owned());
    }

    /// Names a sequence, before the first variant; a length of 0 is not known.
    pub fn add_contig(&mut self, name: &str, length: i64) {
        let length = u64::try_from(length).ok().filter(|&length| length > 0);
        self.contigs.push(Contig { name: name.to_owned(), length });
    }

    /// Sets a text of the next variant.
    pub fn set_text(&mut self, field: Text, text: &str) {
        text.clone_into(&mut self.texts[field as usize]);
    }

    /// Sets a number of the next variant; NaN for not known.
    pub fn set_number(&mut self, field: Number, number: f64) {
        self.numbers[field as usize] = number;
    }

    /// Sets a count of the next variant; negative for not known.
    pub fn set_count(&mut self, field: Count, count: i64) {
        self.counts[field as usize] = count;
    }

    /// Writes the variant whose fields were set.
    pub fn write(&mut self) -> Result<(), String> {
        let count = |field: Count| u64::try_from(self.counts[field as usize]).ok();
        let position = count(Count::Position).unwrap_or(0);
        let (depth, with) = (count(Count::Depth), count(Count::AlternateDepth));
        let number = |field: Number| self.numbers[field as usize];
        let text = |field: Text| self.texts[field as usize].as_str();
        let alternates: Vec<&str> = text(Text::Alternate)
            .split(',')
            .filter(|allele| !allele.is_empty() && *allele != ".")
            .collect();
        let frequency = Some(number(Number::Frequency)).filter(|share| !share.is_nan());
        let frequencies: Vec<f64> = frequency.into_iter().collect();
        let depths: Vec<u64> = match (depth, with) {
            (Some(depth), Some(with)) if alternates.len() == 1 => {
                vec![depth.saturating_sub(with), with]
            }
            _ => vec![],
        };
        let quality = number(Number::GenotypeQuality);
        let genotype = if text(Text::Genotype).is_empty() { "./." } else { text(Text::Genotype) };
        let sample = SampleCall {
            genotype,
            quality: (!quality.is_nan()).then_some(quality.round() as u32),
            depth,
            allele_depths: &depths,
        };
        let samples = vec![sample; self.samples.len()];
        let call = Call {
            chromosome: text(Text::Contig),
            position,
            id: text(Text::Id),
            reference: text(Text::Reference),
            alternates: &alternates,
            quality: number(Number::Quality),
            filter: text(Text::Filter),
            depth,
            allele_frequencies: if frequencies.len() == alternates.len() {
                &frequencies
            } else {
                &[]
            },
            samples: &samples,
        };
        if self.writer.is_none() {
            self.writer = Some(begin(&self.path, &self.contigs, &self.samples)?);
        }
        match &mut self.writer {
            Some(writer) => writer.write(&call).map_err(|error| error.to_string()),
            None => Ok(()),
        }
    }

    /// Completes the file; a file without variants is a header.
    pub fn finish(&mut self) -> Result<(), String> {
        let writer = match self.writer.take() {
            Some(writer) => writer,
            None => begin(&self.path, &self.contigs, &self.samples)?,
        };
        writer.finish().map_err(|error| error.to_string())
    }
}

fn begin(path: &str, contigs: &[Contig], samples: &[String]) -> Result<VariantWriter, String> {
    let samples: Vec<&str> = samples.iter().map(String::as_str).collect();
    VariantWriter::create(path, contigs, &samples, &[]).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::tests::data;
    use super::*;

    fn text(file: &VariantFile, field: Text) -> String {
        let mut found = String::new();
        file.text(field, |text| found.push_str(text));
        found
    }

    #[test]
    fn calls_of_another_program_are_read() {
        let mut file = VariantFile::open(&data("expected/bcftools.vcf")).expect("it opens");
        assert_eq!(file.samples(), ["sim"]);
        assert_eq!(
            (file.contigs()[0].name.as_str(), file.contigs()[0].length),
            ("chr20_slice", Some(60_000))
        );
        let mut variants = 0;
        while file.next().expect("it is sound") {
            variants += 1;
            if variants == 3 {
                let texts = Text::ALL.map(|field| text(&file, field));
                assert_eq!(texts, ["chr20_slice", "", "A", "G", "", "1/1"]);
                let counts =
                    [Count::Position, Count::Depth, Count::Alleles, Count::AlternateAlleles];
                assert_eq!(counts.map(|field| file.count(field)), [1208, 20, 2, 2]);
                assert!((file.number(Number::Quality) - 120.415).abs() < 1e-9);
            }
        }
        assert_eq!(variants, 102);
    }

    #[test]
    fn what_was_written_is_read_again() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("out.vcf.gz");
        let path = path.to_str().expect("a path in UTF-8");
        let mut output = VariantOutput::new(path);
        output.add_sample("sim");
        output.add_contig("20", 1000);
        for (field, value) in Text::ALL.into_iter().zip(["20", "rs1", "A", "AT", "PASS", "0/1"]) {
            output.set_text(field, value);
        }
        output.set_number(Number::Quality, 50.0);
        output.set_number(Number::Frequency, 0.5);
        output.set_count(Count::Position, 17);
        output.set_count(Count::Depth, 30);
        output.set_count(Count::AlternateDepth, 15);
        output.write().expect("it is written");
        output.finish().expect("it is complete");
        let mut file = VariantFile::open(path).expect("it opens");
        assert_eq!(file.next(), Ok(true));
        assert_eq!(
            Text::ALL.map(|field| text(&file, field)),
            ["20", "rs1", "A", "AT", "PASS", "0/1"]
        );
        let counts = [Count::Position, Count::Depth, Count::AlternateDepth, Count::Alleles];
        assert_eq!(counts.map(|field| file.count(field)), [17, 30, 15, 2]);
        assert_eq!(file.number(Number::Frequency), 0.5);
        assert_eq!(file.next(), Ok(false));
    }

    #[test]
    fn no_variants_make_a_file_with_a_header() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("none.vcf");
        let path = path.to_str().expect("a path in UTF-8");
        let mut output = VariantOutput::new(path);
        output.add_contig("20", 0);
        output.finish().expect("it is complete");
        let mut file = VariantFile::open(path).expect("it opens");
        assert_eq!(file.next(), Ok(false));
        assert_eq!(file.contigs()[0].length, None);
    }
}
