//! The map file in which `perf` looks up names for addresses that no file on disk explains.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use super::Symbol;

/// Writes `/tmp/perf-PID.map`: a line with address, size and name for each symbol.
pub fn write_map(symbols: &[Symbol]) -> io::Result<()> {
    let path = format!("/tmp/perf-{}.map", std::process::id());
    let mut file = BufWriter::new(File::create(path)?);
    write_symbols(&mut file, symbols)?;
    file.flush()
}

fn write_symbols(out: &mut impl Write, symbols: &[Symbol]) -> io::Result<()> {
    for Symbol { name, space } in symbols {
        writeln!(out, "{:x} {:x} {name}", space.address, space.len)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code_memory::Space;

    #[test]
    fn a_line_is_address_size_and_name_in_hexadecimal() {
        let space = Space { address: 0xabc0, len: 0x20 };
        let mut text = vec![];
        write_symbols(&mut text, &[Symbol { name: "largest[int]".into(), space }]).unwrap();
        assert_eq!(text, b"abc0 20 largest[int]\n");
    }
}
