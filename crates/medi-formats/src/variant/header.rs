//! VCF headers, read leniently: what is not understood is kept and passed over.

/// A sequence that positions refer to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contig {
    /// Its name.
    pub name: String,
    /// Its length in bases, if the header says it.
    pub length: Option<u64>,
}

/// The header of a variant file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VariantHeader {
    /// The version behind `##fileformat=`, such as `VCFv4.2`.
    pub version: String,
    /// The sequences that the header names, in its order.
    pub contigs: Vec<Contig>,
    /// The names of the samples.
    pub samples: Vec<String>,
    /// All lines that begin with `##`, as they stand in the file.
    pub lines: Vec<String>,
}

/// The columns before the samples. Files without samples have the first eight.
pub(super) const COLUMNS: [&str; 9] =
    ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT"];

impl VariantHeader {
    /// Takes a line, without its end; true if it was the last of the header.
    pub(super) fn read_line(&mut self, line: &str) -> Result<bool, String> {
        if let Some(meta) = line.strip_prefix("##") {
            if let Some(version) = meta.strip_prefix("fileformat=") {
                version.clone_into(&mut self.version);
            } else if let Some(fields) = structured(meta, "contig")
                && let Some(name) = value(fields, "ID")
            {
                let length = value(fields, "length").and_then(|text| text.parse().ok());
                self.contigs.push(Contig { name: name.to_owned(), length });
            }
            self.lines.push(line.to_owned());
            return Ok(false);
        }
        if !line.starts_with('#') {
            return Err("the header has no line that names the columns (#CHROM, POS, …)".into());
        }
        let mut columns = line.split('\t');
        for (at, &wanted) in COLUMNS.iter().enumerate() {
            match columns.next() {
                Some(name) if name == wanted => {}
                None if at == 8 => return Ok(true),
                other => {
                    let found = other.unwrap_or("nothing");
                    return Err(format!("column {} must be {wanted}, but it is {found}", at + 1));
                }
            }
        }
        self.samples = columns.map(str::to_owned).collect();
        Ok(true)
    }
}

/// What stands between the angle brackets of `KEY=<…>`.
pub(super) fn structured<'a>(meta: &'a str, key: &str) -> Option<&'a str> {
    let fields = meta.strip_prefix(key)?.strip_prefix("=<")?.trim_end();
    Some(fields.strip_suffix('>').unwrap_or(fields))
}

/// The value of a key among `A=1,B="x, y",C=2`.
pub(super) fn value<'a>(fields: &'a str, key: &str) -> Option<&'a str> {
    let mut rest = fields;
    loop {
        let (name, after) = rest.split_once('=')?;
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => {
                let end = closing_quote(quoted)?;
                (&quoted[..end], &quoted[end + 1..])
            }
            None => after.split_at(after.find(',').unwrap_or(after.len())),
        };
        if name.trim() == key {
            return Some(value);
        }
        rest = next.strip_prefix(',')?;
    }
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_behind_quoted_commas() {
        let fields = r#"ID=DP,Number=1,Description="Depth, \"raw\"",Source="x",length=5"#;
        assert_eq!(value(fields, "ID"), Some("DP"));
        assert_eq!(value(fields, "Description"), Some(r#"Depth, \"raw\""#));
        assert_eq!(value(fields, "length"), Some("5"));
        assert_eq!(value(fields, "Type"), None);
        assert_eq!(value("ID", "ID"), None);
        assert_eq!(value("A=\"open", "B"), None);
    }

    #[test]
    fn lines_that_share_an_id_are_both_kept() {
        let mut header = VariantHeader::default();
        for line in [
            "##fileformat=VCFv4.1",
            "##GATKCommandLine=<ID=X,a=1>",
            "##GATKCommandLine=<ID=X,a=2>",
            "##contig=<ID=22,length=51304566>",
        ] {
            assert_eq!(header.read_line(line), Ok(false));
        }
        let columns = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tdonor1\tdonor2";
        assert_eq!(header.read_line(columns), Ok(true));
        assert_eq!(header.lines.len(), 4);
        assert_eq!(header.samples, ["donor1", "donor2"]);
        assert_eq!(header.contigs, [Contig { name: "22".into(), length: Some(51304566) }]);
    }

    #[test]
    fn the_column_line_must_name_the_columns() {
        let mut header = VariantHeader::default();
        assert_eq!(header.read_line("#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"), Ok(true));
        for bad in [
            "22\t1",
            "#CHROM\tPOS",
            "#CHROM POS ID",
            "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tX",
        ] {
            assert!(header.read_line(bad).is_err(), "{bad}");
        }
    }
}
