//! The file readers: any bytes are read to their end or rejected with an error that names the record.
//! The first byte of the input chooses the reader.

#![no_main]

use std::io::Write;

use libfuzzer_sys::fuzz_target;
use medi_formats::alignment::AlignmentReader;
use medi_formats::FormatError;
use medi_formats::health::HealthReader;
use medi_formats::sequence::{FastaReader, FastqReader};
use medi_formats::variant::VariantReader;

fuzz_target!(|data: &[u8]| {
    let Some((choice, bytes)) = data.split_first() else { return };
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("a temporary file can be written");
    let path = file.path();
    let ended: Result<(), FormatError> = (|| {
        match choice % 5 {
            0 => {
                let mut reader = HealthReader::open(path)?;
                while reader.next()?.is_some() {}
            }
            1 => {
                let mut reader = AlignmentReader::open(path)?;
                while reader.next()? {}
            }
            2 => {
                let mut reader = FastaReader::open(path)?;
                while reader.next()? {}
            }
            3 => {
                let mut reader = FastqReader::open(path)?;
                while reader.next()? {}
            }
            _ => {
                let mut reader = VariantReader::open(path)?;
                while reader.next()? {}
            }
        }
        Ok(())
    })();
    if let Err(error) = ended {
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
});
