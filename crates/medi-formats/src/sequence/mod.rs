//! Sequences (FASTA) and reads with qualities (FASTQ).

mod fasta;
mod fastq;

pub use fasta::FastaReader;
pub use fastq::FastqReader;

/// Bases of nucleotide or protein sequences: letters, gap (`-`, `.`) and stop (`*`).
fn is_base(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'*' | b'.')
}

/// The name is what comes before the first space or tab, the description what comes behind.
fn split_title(title: &str) -> (&str, &str) {
    match title.split_once([' ', '\t']) {
        Some((name, description)) => (name, description.trim()),
        None => (title.trim_end(), ""),
    }
}
