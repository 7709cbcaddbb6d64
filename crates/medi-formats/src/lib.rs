//! Streaming readers of health data files.
//!
//! Every reader here is a *cursor*: `open` looks at what the file holds, `next` moves to the next record, and the
//! fields of the record are borrowed from buffers that the cursor uses again. Nothing here knows of the language
//! or its heap, so a caller decides what becomes an object.
//!
//! What all readers promise:
//!
//! * **Constant memory.** A file of any size is read through buffers that hold one record. A record may not be
//!   larger than [`MAX_RECORD_BYTES`]; only the bases of a FASTA sequence may, and these come in chunks.
//! * **Content, not names.** gzip and bgzip open by themselves, and a file of another format is named for what
//!   it is ([`Content`]).
//! * **No half results.** A file that is cut, damaged, empty or of another kind ends in a [`FormatError`] that
//!   names file, record and reason. A cursor that failed keeps failing with the same error; it never says "end".
//! * **Progress.** `progress()` is (bytes read, bytes in all) of the files as they lie on the disk, compressed
//!   or not; the total is 0 where it cannot be known (a pipe).
//!
//! | cursor | reads |
//! | --- | --- |
//! | [`health::HealthReader`] | FHIR R4 bundles and NDJSON, OMOP CDM tables, directories of either |
//! | [`sequence::FastaReader`], [`sequence::FastqReader`] | reference sequences, reads |
//! | [`alignment::AlignmentReader`] | SAM, BAM |
//! | [`variant::VariantReader`], [`variant::VariantWriter`] | VCF, BCF (reading) |
//!
//! The binary genome formats are decoded by the noodles crates through their lazy records; tables by `csv`; JSON
//! by `serde_json`, one bundle entry at a time. The parts written here are those where these crates are stricter
//! than real files (VCF headers), looser than our promise (ends of files), or hold whole documents (bundles).

pub mod alignment;
mod content;
mod error;
pub mod health;
pub mod sequence;
mod source;
mod trail;
pub mod variant;

pub use content::{Content, detect};
pub use error::{ErrorKind, FormatError};
pub use source::MAX_RECORD_BYTES;
