//! Variants: VCF and BCF in, VCF out.
//!
//! Both are read here and not by noodles, whose parser refuses headers that the most used tools write (two lines with
//! one ID) and that bcftools reads. A record is kept as its line, with the places of its columns; fields are
//! found in it when asked for. BCF records are turned into such lines.

mod bcf;
mod header;
mod reader;
mod record;
mod writer;

pub use header::{Contig, VariantHeader};
pub use reader::VariantReader;
pub use record::{Genotype, VariantRecord};
pub use writer::{Call, SampleCall, VariantWriter};
