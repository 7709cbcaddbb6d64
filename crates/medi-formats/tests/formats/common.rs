//! Files to read, and a reader of any of them to its end.

use std::{
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
};

use medi_formats::{
    FormatError,
    alignment::AlignmentReader,
    health::HealthReader,
    sequence::{FastaReader, FastqReader},
    variant::VariantReader,
};

pub fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/data").join(name)
}

/// The content of an example, without gzip or bgzip over it.
pub fn plain(name: &str) -> Vec<u8> {
    let bytes = fs::read(example(name)).expect("the example file is there");
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return bytes;
    }
    let mut content = Vec::new();
    flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_end(&mut content).expect("it is whole");
    content
}

/// The readers, by what they are asked for.
#[derive(Clone, Copy, Debug)]
pub enum Reader {
    Health,
    Fasta,
    Fastq,
    Alignment,
    Variant,
}

pub const ALL: [Reader; 5] =
    [Reader::Health, Reader::Fasta, Reader::Fastq, Reader::Alignment, Reader::Variant];

impl Reader {
    /// Reads a file to its end, looks at every field of every record, and returns how many there were. After an error,
    /// asks once more: a cursor that failed must not say "end".
    pub fn drain(self, path: &Path) -> Result<u64, (u64, FormatError)> {
        let mut count = 0;
        match self {
            Reader::Health => {
                let mut reader = HealthReader::open(path).map_err(|e| (0, e))?;
                drain(&mut count, || {
                    let event = reader.next()?;
                    std::hint::black_box((reader.patient(), reader.measurement(), reader.coded()));
                    let (read, total) = reader.progress();
                    assert!(read <= total || total == 0);
                    Ok(event.is_some())
                })
            }
            Reader::Fasta => {
                let mut reader = FastaReader::open(path).map_err(|e| (0, e))?;
                drain(&mut count, || {
                    let more = reader.next()?;
                    if more {
                        let mut bases = 0;
                        reader.for_each_chunk(|chunk| bases += chunk.len() as u64)?;
                        assert_eq!(bases, reader.length());
                    }
                    Ok(more)
                })
            }
            Reader::Fastq => {
                let mut reader = FastqReader::open(path).map_err(|e| (0, e))?;
                drain(&mut count, || {
                    let more = reader.next()?;
                    if more {
                        assert_eq!(reader.bases().len(), reader.qualities().len());
                    }
                    Ok(more)
                })
            }
            Reader::Alignment => {
                let mut reader = AlignmentReader::open(path).map_err(|e| (0, e))?;
                drain(&mut count, || {
                    let more = reader.next()?;
                    let record = reader.record();
                    std::hint::black_box((record.reference_span(), reader.reference_name()));
                    Ok(more)
                })
            }
            Reader::Variant => {
                let mut reader = VariantReader::open(path).map_err(|e| (0, e))?;
                drain(&mut count, || {
                    let more = reader.next()?;
                    if more {
                        let record = reader.record();
                        assert!(record.sample_count() <= reader.samples().len());
                        let called =
                            record.genotypes().flatten().filter_map(|g| g.alternate_count());
                        std::hint::black_box(called.sum::<u32>());
                        std::hint::black_box((record.alternates().count(), record.quality()));
                        std::hint::black_box((record.depth(), record.allele_frequency()));
                    }
                    Ok(more)
                })
            }
        }
    }
}

fn drain(
    count: &mut u64,
    mut next: impl FnMut() -> Result<bool, FormatError>,
) -> Result<u64, (u64, FormatError)> {
    loop {
        match next() {
            Ok(true) => *count += 1,
            Ok(false) => {
                assert!(matches!(next(), Ok(false)), "the end stays the end");
                return Ok(*count);
            }
            Err(error) => {
                let again = next().expect_err("a cursor that failed keeps failing");
                assert_eq!(again.to_string(), error.to_string());
                return Err((*count, error));
            }
        }
    }
}

/// A file with the given content, deleted when it is dropped.
pub fn file(content: impl AsRef<[u8]>) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(file.path(), content).expect("it can be written");
    file
}

pub fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

pub fn bgzip(content: &[u8]) -> Vec<u8> {
    let mut writer = noodles::bgzf::io::Writer::new(Vec::new());
    writer.write_all(content).expect("memory takes it");
    writer.finish().expect("memory takes it")
}
