//! An ELF object in memory, as small as a debugger accepts: where the code is, what its functions are called,
//! and whatever other sections the caller has.

use super::Symbol;

const HEADER: usize = 64;
const SECTION_HEADER: usize = 64;
const SYMBOL: usize = 24;

const PROGBITS: u32 = 1;
const SYMTAB: u32 = 2;
const STRTAB: u32 = 3;
const NOBITS: u32 = 8;

const ALLOC: u64 = 2;
const EXECINSTR: u64 = 4;

struct Section {
    name: &'static str,
    kind: u32,
    flags: u64,
    address: u64,
    /// Of a section without bytes in the file.
    size: u64,
    link: u32,
    info: u32,
    align: u64,
    entry_size: u64,
    data: Vec<u8>,
}

impl Section {
    fn new(name: &'static str, kind: u32, data: Vec<u8>) -> Section {
        let size = data.len() as u64;
        Section {
            name,
            kind,
            flags: 0,
            address: 0,
            size,
            link: 0,
            info: 0,
            align: 1,
            entry_size: 0,
            data,
        }
    }
}

/// The object file for code at its final addresses.
pub fn object(symbols: &[Symbol], extra: Vec<(&'static str, Vec<u8>)>) -> Vec<u8> {
    let start = symbols.iter().map(|symbol| symbol.space.address).min().unwrap_or(0);
    let end = symbols.iter().map(|symbol| symbol.space.address + symbol.space.len).max();
    let text = Section {
        flags: ALLOC | EXECINSTR,
        address: start as u64,
        size: (end.unwrap_or(start) - start) as u64,
        align: 16,
        ..Section::new(".text", NOBITS, vec![])
    };
    let (names, table) = symbol_table(symbols);
    let mut sections = vec![Section::new("", 0, vec![]), text];
    sections.push(Section {
        link: 3,
        info: 1,
        align: 8,
        entry_size: SYMBOL as u64,
        ..Section::new(".symtab", SYMTAB, table)
    });
    sections.push(Section::new(".strtab", STRTAB, names));
    for (name, data) in extra {
        let frames = name == ".eh_frame";
        sections.push(Section {
            flags: if frames { ALLOC } else { 0 },
            align: if frames { 8 } else { 1 },
            ..Section::new(name, PROGBITS, data)
        });
    }
    sections.push(Section::new(".shstrtab", STRTAB, vec![]));
    write(sections)
}

/// String table and symbol table of functions in section 1.
fn symbol_table(symbols: &[Symbol]) -> (Vec<u8>, Vec<u8>) {
    const GLOBAL_FUNCTION: u8 = 0x12;
    let mut names = vec![0];
    let mut table = vec![0; SYMBOL];
    for symbol in symbols.iter().filter(|symbol| symbol.space.len > 0) {
        table.extend((names.len() as u32).to_le_bytes());
        table.extend([GLOBAL_FUNCTION, 0]);
        table.extend(1u16.to_le_bytes());
        table.extend((symbol.space.address as u64).to_le_bytes());
        table.extend((symbol.space.len as u64).to_le_bytes());
        names.extend(symbol.name.bytes());
        names.push(0);
    }
    (names, table)
}

fn write(mut sections: Vec<Section>) -> Vec<u8> {
    let mut names = vec![];
    let mut name_offsets = vec![];
    for section in &sections {
        name_offsets.push(names.len() as u32);
        names.extend(section.name.bytes());
        names.push(0);
    }
    let last = sections.last_mut().expect("at least the section of names");
    (last.size, last.data) = (names.len() as u64, names);
    let mut file = vec![0; HEADER];
    let mut headers = vec![];
    for (section, name) in sections.iter().zip(name_offsets) {
        file.resize(file.len().next_multiple_of(8), 0);
        headers.extend(name.to_le_bytes());
        headers.extend(section.kind.to_le_bytes());
        for word in [section.flags, section.address, file.len() as u64, section.size] {
            headers.extend(word.to_le_bytes());
        }
        headers.extend(section.link.to_le_bytes());
        headers.extend(section.info.to_le_bytes());
        headers.extend(section.align.to_le_bytes());
        headers.extend(section.entry_size.to_le_bytes());
        file.extend(&section.data);
    }
    file.resize(file.len().next_multiple_of(8), 0);
    let table = file.len() as u64;
    file.extend(headers);
    file[..HEADER].copy_from_slice(&header(table, sections.len() as u16));
    file
}

fn header(section_table: u64, sections: u16) -> [u8; HEADER] {
    const SHARED: u16 = 3;
    const X86_64: u16 = 62;
    let mut header = vec![0x7f, b'E', b'L', b'F', 2, 1, 1];
    header.resize(16, 0);
    header.extend(SHARED.to_le_bytes());
    header.extend(X86_64.to_le_bytes());
    header.extend(1u32.to_le_bytes());
    for word in [0, 0, section_table] {
        header.extend(word.to_le_bytes());
    }
    header.extend(0u32.to_le_bytes());
    for half in [HEADER as u16, 0, 0, SECTION_HEADER as u16, sections, sections - 1] {
        header.extend(half.to_le_bytes());
    }
    header.try_into().expect("an ELF header has 64 bytes")
}
