//! SAM records, cut into fields by noodles' lazy record.

use std::io::{self, BufRead};

use noodles::sam;

use super::{Alignment, CigarOp, header::Header};
use crate::{error::FormatError, source::Source, trail::Trail};

/// BAM's largest CIGAR length; the same in both formats keeps programs from seeing a difference.
const MAX_OPERATION: u32 = (1 << 28) - 1;

pub(super) struct Decoder {
    reader: sam::io::Reader<Source>,
    fields: sam::Record,
    /// The header names no references, so records bring them.
    headerless: bool,
}

impl Decoder {
    pub fn open(mut source: Source, trail: &mut Trail) -> Result<(Self, Header), FormatError> {
        source.skip_byte_order_mark();
        let mut header = Header::default();
        let mut line = Vec::new();
        loop {
            source.begin_record();
            if !source.fill_buf().map_err(|e| trail.io(&e))?.starts_with(b"@") {
                break;
            }
            trail.line += 1;
            line.clear();
            source.read_until(b'\n', &mut line).map_err(|e| trail.io(&e))?;
            let text = std::str::from_utf8(line.trim_ascii_end())
                .map_err(|_| trail.corrupt("the header is not UTF-8"))?;
            header.read_line(text).map_err(|reason| trail.corrupt(reason))?;
        }
        let headerless = header.references.is_empty();
        let decoder = Self {
            reader: sam::io::Reader::new(source),
            fields: sam::Record::default(),
            headerless,
        };
        Ok((decoder, header))
    }

    pub fn source(&self) -> &Source {
        self.reader.get_ref()
    }

    pub fn read(
        &mut self,
        header: &mut Header,
        record: &mut Alignment,
        trail: &mut Trail,
    ) -> Result<bool, FormatError> {
        trail.line += 1;
        self.reader.get_mut().begin_record();
        match self.reader.read_record(&mut self.fields) {
            Ok(0) => return Ok(false),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(trail.truncated("the file ends in the middle of a line"));
            }
            Err(error) => {
                return Err(match error.to_string().as_str() {
                    "unexpected EOL" => {
                        trail.corrupt("the line has fewer than the 11 columns of a SAM record")
                    }
                    "missing field" => trail.corrupt("the line has an empty column"),
                    _ => trail.io(&error),
                });
            }
        }
        self.decode(header, record).map(|()| true).map_err(|reason| trail.corrupt(reason))
    }

    fn decode(&self, header: &mut Header, record: &mut Alignment) -> Result<(), String> {
        let fields = &self.fields;
        record.name.clear();
        if let Some(name) = fields.name() {
            record.name.push_str(utf8(name, "name")?);
        }
        record.flags =
            fields.flags().map_err(|_| "the FLAG (column 2) is not a number of 0 to 65535")?.bits();
        record.reference = match fields.reference_sequence_name() {
            None => None,
            Some(name) => Some(self.reference(utf8(name, "reference")?, header)?),
        };
        record.position = match fields.alignment_start() {
            None => 0,
            Some(Ok(position)) if position.get() <= i32::MAX as usize => position.get() as u64,
            Some(_) => {
                return Err("the position (column 4) is not a number of 0 to 2147483647".into());
            }
        };
        record.mapping_quality = match fields.mapping_quality() {
            None => 255,
            Some(Ok(quality)) => quality.into(),
            Some(Err(_)) => {
                return Err("the mapping quality (column 5) is not a number of 0 to 255".into());
            }
        };
        parse_cigar(fields.cigar().as_ref(), &mut record.cigar)?;
        record.bases.clear();
        record.bases.extend_from_slice(fields.sequence().as_ref());
        let base = |b: &u8| b.is_ascii_alphabetic() || matches!(b, b'=' | b'.');
        if let Some(odd) = record.bases.iter().find(|b| !base(b)) {
            return Err(format!("`{}` is no base (column 10)", odd.escape_ascii()));
        }
        record.qualities.clear();
        for &symbol in fields.quality_scores().as_ref() {
            if !(b'!'..=b'~').contains(&symbol) {
                return Err(format!("`{}` is no quality (column 11)", symbol.escape_ascii()));
            }
            record.qualities.push(symbol - b'!');
        }
        Ok(())
    }

    fn reference(&self, name: &str, header: &mut Header) -> Result<usize, String> {
        if let Some(id) = header.id(name) {
            return Ok(id);
        }
        let added = if self.headerless { header.add(name, 0) } else { None };
        added.ok_or_else(|| format!("the reference `{name}` (column 3) is not in the header"))
    }
}

fn utf8<'a>(bytes: &'a [u8], what: &str) -> Result<&'a str, String> {
    std::str::from_utf8(bytes).map_err(|_| format!("the {what} is not UTF-8"))
}

fn parse_cigar(text: &[u8], cigar: &mut Vec<(CigarOp, u32)>) -> Result<(), String> {
    cigar.clear();
    let wrong =
        || format!("`{}` is no CIGAR (column 6)", text[..text.len().min(60)].escape_ascii());
    let mut length: Option<u32> = None;
    for &byte in text {
        if byte.is_ascii_digit() {
            let longer = length
                .unwrap_or(0)
                .checked_mul(10)
                .and_then(|n| n.checked_add((byte - b'0').into()));
            length = Some(longer.filter(|&n| n <= MAX_OPERATION).ok_or_else(wrong)?);
        } else {
            let op = CigarOp::from_letter(byte).ok_or_else(wrong)?;
            cigar.push((op, length.take().ok_or_else(wrong)?));
        }
    }
    if length.is_some() { Err(wrong()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cigar_is_lengths_and_letters_in_turn() {
        let mut cigar = Vec::new();
        parse_cigar(b"3S10M2D1I4=", &mut cigar).unwrap();
        let letters: Vec<_> = cigar.iter().map(|&(op, n)| (op.letter(), n)).collect();
        assert_eq!(letters, [(b'S', 3), (b'M', 10), (b'D', 2), (b'I', 1), (b'=', 4)]);
        for bad in ["M", "10", "5Q", "999999999M", "4294967299M", "1M1"] {
            assert!(parse_cigar(bad.as_bytes(), &mut cigar).is_err(), "{bad}");
        }
    }
}
