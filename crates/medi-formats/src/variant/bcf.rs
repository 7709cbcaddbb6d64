//! BCF records, turned into lines of VCF.
//!
//! BCF is VCF with numbers for names: a dictionary that the header implies, then typed values. Reading it into the text
//! form costs a little time and spares a second set of getters. After the BCF 2.2 part of the VCF specification.

use std::{
    fmt::Write as _,
    io::{BufRead, Read},
};

use super::{
    VariantHeader,
    header::{structured, value},
};
use crate::{
    error::{ErrorKind, FormatError},
    source::{MAX_RECORD_BYTES, Source},
    trail::Trail,
};

pub(super) struct Decoder {
    /// Names of filters and of INFO and FORMAT fields by number.
    names: Vec<Option<String>>,
    /// Names of contigs by number.
    contigs: Vec<Option<String>>,
    shared: Vec<u8>,
    individual: Vec<u8>,
}

/// Numbers beyond this in a header are damage; dictionaries have at most some thousand entries.
const MAX_DICTIONARY: usize = 1 << 24;

impl Decoder {
    pub fn open(
        mut source: Source,
        trail: &mut Trail,
    ) -> Result<(Source, Self, VariantHeader), FormatError> {
        source.begin_record();
        let mut magic = [0; 5];
        source.read_exact(&mut magic).map_err(|e| trail.io(&e))?;
        if !matches!(magic[4], 1 | 2) {
            return Err(trail.error(
                ErrorKind::Unsupported,
                format!("this is BCF 2.{}, but only 2.1 and 2.2 are known here", magic[4]),
                "turn it into VCF: `bcftools view FILE`",
            ));
        }
        let length = read_u32(&mut source, trail)?;
        let mut bytes = Vec::new();
        read_bytes(&mut source, length, &mut bytes, trail)?;
        let text =
            std::str::from_utf8(&bytes).map_err(|_| trail.corrupt("the header is not UTF-8"))?;
        let mut header = VariantHeader::default();
        let mut complete = false;
        for line in text.trim_end_matches('\0').lines() {
            complete = header.read_line(line).map_err(|reason| trail.corrupt(reason))?;
            if complete {
                break;
            }
        }
        if !complete {
            return Err(
                trail.corrupt("the header has no line that names the columns (#CHROM, POS, …)")
            );
        }
        let mut decoder = Self {
            names: vec![Some("PASS".to_owned())],
            contigs: Vec::new(),
            shared: Vec::new(),
            individual: Vec::new(),
        };
        decoder.learn(&header).map_err(|reason| trail.corrupt(reason))?;
        Ok((source, decoder, header))
    }

    /// Builds the dictionaries: by `IDX` where given, else in order of appearance, each name once.
    fn learn(&mut self, header: &VariantHeader) -> Result<(), String> {
        let keys =
            |meta| ["FILTER", "INFO", "FORMAT"].into_iter().find_map(|key| structured(meta, key));
        for line in &header.lines {
            let meta = line.strip_prefix("##").unwrap_or(line);
            let (fields, dictionary) = match (keys(meta), structured(meta, "contig")) {
                (Some(fields), _) => (fields, &mut self.names),
                (None, Some(fields)) => (fields, &mut self.contigs),
                (None, None) => continue,
            };
            let Some(id) = value(fields, "ID") else { continue };
            if dictionary.iter().flatten().any(|known| known == id) {
                continue;
            }
            let at = match value(fields, "IDX") {
                Some(text) => {
                    text.parse().ok().filter(|&at| at < MAX_DICTIONARY).ok_or_else(|| {
                        format!("`{text}` is no number for an entry of the header (IDX)")
                    })?
                }
                None => dictionary.len(),
            };
            if dictionary.len() <= at {
                dictionary.resize(at + 1, None);
            }
            dictionary[at] = Some(id.to_owned());
        }
        Ok(())
    }

    /// Appends the next record as a line; false at the end of the file.
    pub fn read_line(
        &mut self,
        source: &mut Source,
        header: &VariantHeader,
        line: &mut String,
        trail: &mut Trail,
    ) -> Result<bool, FormatError> {
        trail.offset = Some(source.offset());
        if source.fill_buf().map_err(|e| trail.io(&e))?.is_empty() {
            return Ok(false);
        }
        let shared = read_u32(source, trail)?;
        let individual = read_u32(source, trail)?;
        if u64::from(shared) + u64::from(individual) > MAX_RECORD_BYTES {
            return Err(trail.error(
                ErrorKind::TooLarge,
                format!(
                    "the record claims to be {} bytes long",
                    u64::from(shared) + u64::from(individual)
                ),
                "the file is damaged there: copy or download it again",
            ));
        }
        read_bytes(source, shared, &mut self.shared, trail)?;
        read_bytes(source, individual, &mut self.individual, trail)?;
        self.write(header, line).map_err(|reason| trail.corrupt(reason))?;
        Ok(true)
    }

    fn write(&self, header: &VariantHeader, line: &mut String) -> Result<(), String> {
        let mut input = Input(&self.shared);
        let chromosome = input.i32()?;
        let position = i64::from(input.i32()?) + 1;
        input.i32()?;
        let quality = input.u32()?;
        let counts = input.u32()?;
        let (alleles, infos) = (counts >> 16, counts & 0xffff);
        let counts = input.u32()?;
        let (formats, samples) = (counts >> 24, (counts & 0xff_ffff) as usize);
        if formats > 0 && samples != header.samples.len() {
            return Err(format!(
                "the record has {samples} samples, but the header has {}",
                header.samples.len()
            ));
        }

        let chromosome = lookup(&self.contigs, i64::from(chromosome), "contig")?;
        _ = write!(line, "{chromosome}\t{position}\t");
        input.typed()?.write(line)?;
        for allele in 0..alleles.max(2) {
            line.push(if allele < 2 { '\t' } else { ',' });
            if allele < alleles {
                input.typed()?.write(line)?;
            } else {
                line.push('.');
            }
        }
        line.push('\t');
        write_float(line, quality);
        line.push('\t');
        let filters = input.typed()?;
        if filters.length == 0 {
            line.push('.');
        }
        for (at, filter) in filters.integers()?.into_iter().enumerate() {
            if at > 0 {
                line.push(';');
            }
            line.push_str(lookup(&self.names, filter, "filter")?);
        }
        line.push('\t');
        if infos == 0 {
            line.push('.');
        }
        for at in 0..infos {
            if at > 0 {
                line.push(';');
            }
            line.push_str(lookup(&self.names, input.typed()?.integer()?, "INFO field")?);
            let field = input.typed()?;
            if field.length > 0 {
                line.push('=');
                field.write(line)?;
            }
        }
        if formats > 0 {
            self.write_samples(formats, samples, line)?;
        } else if !header.samples.is_empty() {
            line.push_str("\t.");
            header.samples.iter().for_each(|_| line.push_str("\t."));
        }
        Ok(())
    }

    /// BCF has all samples of a field together, VCF all fields of a sample.
    fn write_samples(&self, formats: u32, samples: usize, line: &mut String) -> Result<(), String> {
        let mut input = Input(&self.individual);
        let mut fields = Vec::new();
        for at in 0..formats {
            line.push(if at == 0 { '\t' } else { ':' });
            let name = lookup(&self.names, input.typed()?.integer()?, "FORMAT field")?;
            line.push_str(name);
            let (kind, length) = input.descriptor()?;
            let bytes = length.checked_mul(kind.size()).ok_or("a FORMAT field is too long")?;
            let all =
                input.take(bytes.checked_mul(samples).ok_or("a FORMAT field is too long")?)?;
            fields.push((name == "GT", kind, length, bytes, all));
        }
        for sample in 0..samples {
            for (at, &(genotype, kind, length, bytes, all)) in fields.iter().enumerate() {
                line.push(if at == 0 { '\t' } else { ':' });
                let typed = Typed { kind, length, bytes: &all[sample * bytes..][..bytes] };
                if genotype { typed.write_genotype(line)? } else { typed.write(line)? }
            }
        }
        Ok(())
    }
}

fn read_u32(source: &mut Source, trail: &Trail) -> Result<u32, FormatError> {
    let mut bytes = [0; 4];
    source.read_exact(&mut bytes).map_err(|e| trail.io(&e))?;
    Ok(u32::from_le_bytes(bytes))
}

fn read_bytes(
    source: &mut Source,
    length: u32,
    into: &mut Vec<u8>,
    trail: &Trail,
) -> Result<(), FormatError> {
    into.clear();
    match source.by_ref().take(length.into()).read_to_end(into) {
        Ok(n) if n as u64 == u64::from(length) => Ok(()),
        Ok(_) => Err(trail.truncated("the file ends in the middle of a record")),
        Err(error) => Err(trail.io(&error)),
    }
}

fn lookup<'a>(dictionary: &'a [Option<String>], at: i64, what: &str) -> Result<&'a str, String> {
    let entry = usize::try_from(at).ok().and_then(|at| dictionary.get(at)?.as_deref());
    entry.ok_or_else(|| {
        format!("the record uses {what} number {at}, which the header does not have")
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Missing,
    Int8,
    Int16,
    Int32,
    Float,
    Char,
}

impl Kind {
    fn size(self) -> usize {
        match self {
            Kind::Missing => 0,
            Kind::Int8 | Kind::Char => 1,
            Kind::Int16 => 2,
            Kind::Int32 | Kind::Float => 4,
        }
    }
}

/// Bytes of a record that have not been read yet.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], String> {
        let (taken, rest) =
            self.0.split_at_checked(n).ok_or("the record is shorter than what it says it holds")?;
        self.0 = rest;
        Ok(taken)
    }

    fn u32(&mut self) -> Result<u32, String> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn i32(&mut self) -> Result<i32, String> {
        self.u32().map(u32::cast_signed)
    }

    fn descriptor(&mut self) -> Result<(Kind, usize), String> {
        let byte = self.take(1)?[0];
        let kind = match byte & 15 {
            0 => Kind::Missing,
            1 => Kind::Int8,
            2 => Kind::Int16,
            3 => Kind::Int32,
            5 => Kind::Float,
            7 => Kind::Char,
            other => {
                return Err(format!("the record has a value of type {other}, which there is not"));
            }
        };
        let length = match byte >> 4 {
            15 => {
                let (kind, length) = self.descriptor_of_length()?;
                let length = Typed { kind, length, bytes: self.take(kind.size())? }.integer()?;
                usize::try_from(length).map_err(|_| "the record has a value of negative length")?
            }
            short => usize::from(short),
        };
        Ok((kind, length))
    }

    /// The length of a long value is itself a value, of one integer.
    fn descriptor_of_length(&mut self) -> Result<(Kind, usize), String> {
        match self.take(1)?[0] {
            0x11 => Ok((Kind::Int8, 1)),
            0x12 => Ok((Kind::Int16, 1)),
            0x13 => Ok((Kind::Int32, 1)),
            _ => Err("the length of a value is not an integer".into()),
        }
    }

    fn typed(&mut self) -> Result<Typed<'a>, String> {
        let (kind, length) = self.descriptor()?;
        let bytes = self.take(length.checked_mul(kind.size()).ok_or("a value is too long")?)?;
        Ok(Typed { kind, length, bytes })
    }
}

/// A value with its type.
struct Typed<'a> {
    kind: Kind,
    length: usize,
    bytes: &'a [u8],
}

/// Values that stand for "missing" and "this sample has no more", of each integer type and of floats.
const MISSING: i64 = i64::MIN;
const END: i64 = i64::MIN + 1;
const FLOAT_MISSING: u32 = 0x7f80_0001;
const FLOAT_END: u32 = 0x7f80_0002;

impl Typed<'_> {
    fn integers(&self) -> Result<Vec<i64>, String> {
        let widen = |n: i64, least: i64| match n - least {
            0 => MISSING,
            1 => END,
            _ => n,
        };
        let bytes = self.bytes;
        Ok(match self.kind {
            Kind::Missing => Vec::new(),
            Kind::Int8 => {
                bytes.iter().map(|&b| widen(i64::from(b.cast_signed()), i8::MIN.into())).collect()
            }
            Kind::Int16 => (bytes.as_chunks().0.iter())
                .map(|&b| widen(i64::from(i16::from_le_bytes(b)), i16::MIN.into()))
                .collect(),
            Kind::Int32 => (bytes.as_chunks().0.iter())
                .map(|&b| widen(i64::from(i32::from_le_bytes(b)), i32::MIN.into()))
                .collect(),
            Kind::Float | Kind::Char => {
                return Err("the record has text or a float where an integer belongs".into());
            }
        })
    }

    fn integer(&self) -> Result<i64, String> {
        match self.integers()?[..] {
            [one] => Ok(one),
            _ => Err("the record has a list where one integer belongs".into()),
        }
    }

    fn write(&self, line: &mut String) -> Result<(), String> {
        let start = line.len();
        match self.kind {
            Kind::Missing => {}
            Kind::Char => {
                let text = std::str::from_utf8(self.bytes)
                    .map_err(|_| "the record has text that is not UTF-8")?;
                let text = text.trim_end_matches('\0');
                if text.contains(|c: char| c.is_control()) {
                    return Err("the record has control characters in its text".into());
                }
                line.push_str(text);
            }
            Kind::Float => {
                for &bytes in self.bytes.as_chunks().0 {
                    let bits = u32::from_le_bytes(bytes);
                    if bits == FLOAT_END {
                        break;
                    }
                    comma(line, start);
                    write_float(line, bits);
                }
            }
            _ => {
                for n in self.integers()? {
                    if n == END {
                        break;
                    }
                    comma(line, start);
                    if n == MISSING {
                        line.push('.');
                    } else {
                        _ = write!(line, "{n}");
                    }
                }
            }
        }
        if line.len() == start {
            line.push('.');
        }
        Ok(())
    }

    /// Alleles are stored as twice (number + 1), plus 1 if phased with the one before.
    fn write_genotype(&self, line: &mut String) -> Result<(), String> {
        let start = line.len();
        for n in self.integers()? {
            if n == END {
                break;
            }
            if line.len() > start {
                line.push(if n != MISSING && n & 1 == 1 { '|' } else { '/' });
            }
            if n == MISSING || n >> 1 == 0 {
                line.push('.');
            } else if n < 0 {
                return Err("a genotype has a negative allele".into());
            } else {
                _ = write!(line, "{}", (n >> 1) - 1);
            }
        }
        if line.len() == start {
            line.push('.');
        }
        Ok(())
    }
}

fn comma(line: &mut String, start: usize) {
    if line.len() > start {
        line.push(',');
    }
}

fn write_float(line: &mut String, bits: u32) {
    if bits == FLOAT_MISSING {
        line.push('.');
    } else {
        _ = write!(line, "{}", f32::from_bits(bits));
    }
}
