//! BAM records.
//!
//! The frame (a length, then that many bytes) is read here, because noodles reserves whatever the length says and takes
//! a length of 0 for the end; the fields are read through noodles' borrowed record, after the lengths in it have been
//! held against the frame, which it asks of its callers.

use std::io::{BufRead, Read};

use noodles::bam::RecordRef;

use super::{Alignment, CigarOp, header::Header};
use crate::{
    error::{ErrorKind, FormatError},
    source::{MAX_RECORD_BYTES, Source},
    trail::Trail,
};

/// Fixed part of a record, before the name.
const FIXED: usize = 32;

/// No assembly has more sequences than this; a larger number is damage.
const MAX_REFERENCES: u32 = 1 << 24;

pub(super) struct Decoder {
    source: Source,
    frame: Vec<u8>,
}

impl Decoder {
    pub fn open(mut source: Source, trail: &Trail) -> Result<(Self, Header), FormatError> {
        source.begin_record();
        let mut frame = Vec::new();
        let mut header = Header::default();
        let mut input = Input { source: &mut source, trail };
        input.fixed::<4>()?;
        let text_length = input.length("header text", MAX_RECORD_BYTES as u32)?;
        input.bytes(text_length, &mut frame)?;
        // The binary list behind the text is what counts for references; the text has the sample.
        let text = String::from_utf8_lossy(&frame);
        for line in text.lines().filter(|line| line.starts_with("@RG")) {
            header.read_line(line).map_err(|reason| trail.corrupt(reason))?;
        }
        let count = input.length("number of references", MAX_REFERENCES)?;
        for _ in 0..count {
            input.source.begin_record();
            let name_length = input.length("name of a reference", 1 << 16)?;
            input.bytes(name_length, &mut frame)?;
            let name = std::str::from_utf8(frame.strip_suffix(b"\0").unwrap_or(&frame))
                .map_err(|_| trail.corrupt("the name of a reference is not UTF-8"))?;
            let length = input.length("length of a reference", i32::MAX as u32)?;
            if header.add(name, length.into()).is_none() {
                return Err(trail.corrupt(format!("the reference {name} is named twice")));
            }
        }
        Ok((Self { source, frame }, header))
    }

    pub fn source(&self) -> &Source {
        &self.source
    }

    pub fn read(
        &mut self,
        header: &Header,
        record: &mut Alignment,
        trail: &mut Trail,
    ) -> Result<bool, FormatError> {
        self.source.begin_record();
        trail.offset = Some(self.source.offset());
        if self.source.fill_buf().map_err(|e| trail.io(&e))?.is_empty() {
            return Ok(false);
        }
        let mut input = Input { source: &mut self.source, trail };
        let length = u32::from_le_bytes(input.fixed()?);
        if u64::from(length) > MAX_RECORD_BYTES {
            return Err(trail.error(
                ErrorKind::TooLarge,
                format!("the record claims to be {length} bytes long, which no read is"),
                "the file is damaged there: copy or download it again",
            ));
        }
        input.bytes(length, &mut self.frame)?;
        decode(&self.frame, header, record).map_err(|reason| trail.corrupt(reason))?;
        Ok(true)
    }
}

/// Reads the little pieces that BAM is made of.
struct Input<'a> {
    source: &'a mut Source,
    trail: &'a Trail,
}

impl Input<'_> {
    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        let mut bytes = [0; N];
        match self.source.read_exact(&mut bytes) {
            Ok(()) => Ok(bytes),
            Err(error) => Err(self.trail.io(&error)),
        }
    }

    /// A length, which BAM stores signed.
    fn length(&mut self, of: &str, most: u32) -> Result<u32, FormatError> {
        let length = i32::from_le_bytes(self.fixed()?);
        u32::try_from(length)
            .ok()
            .filter(|&n| n <= most)
            .ok_or_else(|| self.trail.corrupt(format!("the header gives {length} for the {of}")))
    }

    /// Reads without believing the length: memory grows with what is there.
    fn bytes(&mut self, length: u32, into: &mut Vec<u8>) -> Result<(), FormatError> {
        into.clear();
        let read = self.source.by_ref().take(length.into()).read_to_end(into);
        match read {
            Ok(n) if n as u64 == u64::from(length) => Ok(()),
            Ok(_) => Err(self.trail.truncated("the file ends in the middle of a record")),
            Err(error) => Err(self.trail.io(&error)),
        }
    }
}

fn decode(frame: &[u8], header: &Header, record: &mut Alignment) -> Result<(), String> {
    let fields = checked(frame)?;
    record.name.clear();
    if let Some(name) = fields.name() {
        let name = std::str::from_utf8(name).map_err(|_| "the read's name is not UTF-8")?;
        record.name.push_str(name);
    }
    record.flags = fields.flags().bits();
    record.reference = match fields.reference_sequence_id() {
        None => None,
        Some(Ok(id)) if id < header.references.len() => Some(id),
        Some(_) => {
            let count = header.references.len();
            return Err(format!(
                "the record names a reference that the header, which has {count}, does not"
            ));
        }
    };
    record.position = match fields.alignment_start() {
        None => 0,
        Some(Ok(position)) => position.get() as u64,
        Some(Err(_)) => return Err("the record's position is negative".into()),
    };
    record.mapping_quality = fields.mapping_quality().map_or(255, u8::from);
    record.cigar.clear();
    for &word in fields.cigar().as_bytes().as_chunks::<4>().0 {
        let word = u32::from_le_bytes(word);
        let op = CigarOp::from_code(word & 15).ok_or_else(|| {
            format!("the CIGAR has an operation {}, which there is not", word & 15)
        })?;
        record.cigar.push((op, word >> 4));
    }
    let bases = fields.sequence();
    unpack(bases.as_bytes(), bases.len(), &mut record.bases);
    record.qualities.clear();
    record.qualities.extend_from_slice(fields.quality_scores().as_bytes());
    if let Some(odd) = record.qualities.iter().find(|&&q| q > 93) {
        return Err(format!("{odd} is no quality of a base (0 to 93)"));
    }
    Ok(())
}

/// The record, if the lengths in it stay within the frame.
fn checked(frame: &[u8]) -> Result<RecordRef<'_>, String> {
    let short =
        || format!("the record is {} bytes long, too short for what it says it holds", frame.len());
    let fields = RecordRef::new(frame).ok_or_else(short)?;
    let word =
        |at: usize| u32::from_le_bytes([frame[at], frame[at + 1], frame[at + 2], frame[at + 3]]);
    let name = u64::from(frame[8]);
    let operations = u64::from(word(12) & 0xffff);
    let bases = u64::from(word(16));
    let needed = FIXED as u64 + name + 4 * operations + bases.div_ceil(2) + bases;
    if needed > frame.len() as u64 { Err(short()) } else { Ok(fields) }
}

/// Turns 4-bit bases into letters, two at a time.
fn unpack(packed: &[u8], count: usize, letters: &mut Vec<u8>) {
    const PAIRS: [[u8; 2]; 256] = {
        let letters = b"=ACMGRSVTWYHKDBN";
        let mut pairs = [[0; 2]; 256];
        let mut i = 0;
        while i < 256 {
            pairs[i] = [letters[i >> 4], letters[i & 15]];
            i += 1;
        }
        pairs
    };
    letters.clear();
    letters.extend(packed.iter().flat_map(|&byte| PAIRS[usize::from(byte)]));
    letters.truncate(count);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_odd_number_of_bases_leaves_the_last_half_byte() {
        let mut letters = Vec::new();
        unpack(&[0x12, 0x48, 0xf0], 5, &mut letters);
        assert_eq!(letters, b"ACGTN");
    }

    #[test]
    fn lengths_that_leave_the_frame_are_refused() {
        let mut frame = [0; 40];
        frame[8] = 4;
        assert!(checked(&frame).is_ok());
        frame[16..20].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(checked(&frame).is_err());
        assert!(checked(&frame[..31]).is_err());
    }

    #[test]
    fn a_cigar_too_long_for_its_place_is_found_in_the_cg_tag() {
        let mut header = Header::default();
        header.add("chr1", 100);
        let mut frame = Vec::new();
        for word in [0, 9, 2 | 60 << 8, 2, 3, -1, -1, 0] {
            frame.extend_from_slice(&i32::to_le_bytes(word));
        }
        frame.extend_from_slice(b"r\0");
        // In its place: all bases clipped, then the span on the reference as a skip.
        for operation in [3 << 4 | 4, 5 << 4 | 3] {
            frame.extend_from_slice(&u32::to_le_bytes(operation));
        }
        frame.extend_from_slice(&[0x12, 0x40, 30, 31, 32]);
        frame.extend_from_slice(b"CGBI\x03\0\0\0");
        for operation in [2 << 4, 2 << 4 | 2, 1 << 4] {
            frame.extend_from_slice(&u32::to_le_bytes(operation));
        }
        let mut record = Alignment::default();
        decode(&frame, &header, &mut record).unwrap();
        use CigarOp::{Deletion, Match};
        assert_eq!(record.cigar, [(Match, 2), (Deletion, 2), (Match, 1)]);
        assert_eq!((record.position, record.reference_span()), (10, 5));
        assert_eq!(
            (&*record.name, &*record.bases, &*record.qualities),
            ("r", &b"ACG"[..], &[30, 31, 32][..])
        );
        assert_eq!(record.contradiction(&header.references), None);
    }
}
