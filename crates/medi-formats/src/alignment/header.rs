//! What is needed of a SAM header: the references and the sample.
//!
//! Read by hand and leniently, for headers pass through many programs and few of them keep to the letter of the
//! specification; an odd @PG line is no reason not to read the alignments.

use std::collections::HashMap;

/// A reference sequence that reads are aligned to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Its name.
    pub name: String,
    /// Its length in bases; 0 if the file does not say.
    pub length: u64,
}

#[derive(Debug, Default)]
pub(super) struct Header {
    pub references: Vec<Reference>,
    pub sample: Option<String>,
    ids: HashMap<String, usize>,
}

impl Header {
    /// Takes what is needed of one line, without its end.
    pub fn read_line(&mut self, line: &str) -> Result<(), String> {
        let mut fields = line.split('\t');
        match fields.next() {
            Some("@SQ") => {
                let name = tag(line, "SN").ok_or("the @SQ line has no name (SN)")?;
                let length = tag(line, "LN").ok_or("the @SQ line has no length (LN)")?;
                let length = length
                    .parse()
                    .ok()
                    .filter(|&n: &u64| n > 0 && n <= i32::MAX as u64)
                    .ok_or_else(|| {
                    format!("`{length}` is no length of a reference (1 to 2147483647)")
                })?;
                if self.add(name, length).is_none() {
                    return Err(format!("the reference {name} is named twice"));
                }
            }
            Some("@RG") if self.sample.is_none() => {
                self.sample = tag(line, "SM").map(str::to_owned)
            }
            _ => {}
        }
        Ok(())
    }

    /// Adds a reference; `None` if one of that name is there.
    pub fn add(&mut self, name: &str, length: u64) -> Option<usize> {
        let id = self.references.len();
        if self.ids.contains_key(name) {
            return None;
        }
        self.ids.insert(name.to_owned(), id);
        self.references.push(Reference { name: name.to_owned(), length });
        Some(id)
    }

    pub fn id(&self, name: &str) -> Option<usize> {
        self.ids.get(name).copied()
    }
}

fn tag<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let value = |field: &'a str| field.strip_prefix(name)?.strip_prefix(':');
    line.split('\t').skip(1).find_map(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_and_the_first_sample_are_taken_and_the_rest_is_left() {
        let mut header = Header::default();
        for line in [
            "@HD\tVN:9",
            "@SQ\tSN:chr1\tLN:100\tM5:x",
            "@PG\todd",
            "@RG\tID:a\tSM:donor",
            "@RG\tID:b\tSM:other",
        ] {
            header.read_line(line).unwrap();
        }
        assert_eq!(header.references, [Reference { name: "chr1".into(), length: 100 }]);
        assert_eq!(header.sample.as_deref(), Some("donor"));
        assert_eq!(header.id("chr1"), Some(0));
    }

    #[test]
    fn a_reference_needs_one_name_and_a_possible_length() {
        let mut header = Header::default();
        for line in [
            "@SQ\tLN:1",
            "@SQ\tSN:a",
            "@SQ\tSN:a\tLN:0",
            "@SQ\tSN:a\tLN:-5",
            "@SQ\tSN:a\tLN:99999999999",
        ] {
            assert!(header.read_line(line).is_err(), "{line}");
        }
        header.read_line("@SQ\tSN:a\tLN:5").unwrap();
        assert!(header.read_line("@SQ\tSN:a\tLN:5").is_err());
    }
}
