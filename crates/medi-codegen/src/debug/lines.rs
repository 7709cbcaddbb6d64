//! DWARF line tables of compiled code, so that a debugger shows source lines and sets breakpoints on them.

use std::collections::HashMap;

use gimli::write::{
    Address, AttributeValue, DwarfUnit, EndianVec, FileId, LineProgram, LineString, Sections,
};
use gimli::{Encoding, Format, LineEncoding, LittleEndian, constants};
use medi_runtime::code_map::{CodeMap, FunctionCode};

/// Name and bytes of each debugging section.
pub type DebugSections = Vec<(&'static str, Vec<u8>)>;

/// The debugging sections for all functions of a code map; `None` when they cannot be written.
pub fn sections(map: &CodeMap) -> Option<DebugSections> {
    let encoding = Encoding { address_size: 8, format: Format::Dwarf32, version: 4 };
    let directory = std::env::current_dir().unwrap_or_default();
    let directory = LineString::String(directory.into_os_string().into_encoded_bytes());
    let name = LineString::String(b"program.medi".to_vec());
    let program = LineProgram::new(encoding, LineEncoding::default(), directory, None, name, None);
    let mut unit = DwarfUnit::new(encoding);
    unit.unit.line_program = program;
    let mut files = HashMap::new();
    for function in map.functions() {
        function_lines(&mut unit.unit.line_program, &mut files, map, function);
    }
    let (first, last) = (map.functions().first()?, map.functions().last()?);
    let end = last.start + last.len as usize;
    let root = unit.unit.root();
    let root = unit.unit.get_mut(root);
    let mut set = |attribute, value| root.set(attribute, value);
    set(constants::DW_AT_name, AttributeValue::String(b"program.medi".to_vec()));
    set(constants::DW_AT_producer, AttributeValue::String(b"medi".to_vec()));
    set(constants::DW_AT_low_pc, AttributeValue::Address(Address::Constant(first.start as u64)));
    set(constants::DW_AT_high_pc, AttributeValue::Udata((end - first.start) as u64));
    set(constants::DW_AT_stmt_list, AttributeValue::LineProgramRef);
    let mut sections = Sections::new(EndianVec::new(LittleEndian));
    unit.write(&mut sections).ok()?;
    let mut written = vec![];
    let collected: Result<(), ()> = sections.for_each(|id, data| {
        if !data.slice().is_empty() {
            written.push((id.name(), data.slice().to_vec()));
        }
        Ok(())
    });
    collected.ok().map(|()| written)
}

fn function_lines(
    program: &mut LineProgram,
    files: &mut HashMap<String, FileId>,
    map: &CodeMap,
    function: &FunctionCode,
) {
    program.begin_sequence(Some(Address::Constant(function.start as u64)));
    for (offset, place) in &function.lines {
        let Some(place) = function.places.get(*place as usize) else { continue };
        let (path, line, column) = map.resolve(place.position);
        let file = *files.entry(path).or_insert_with_key(|path| {
            let directory = program.default_directory();
            program.add_file(LineString::String(path.as_bytes().to_vec()), directory, None)
        });
        let row = program.row();
        row.address_offset = u64::from(*offset);
        row.file = file;
        row.line = u64::from(line);
        row.column = u64::from(column);
        program.generate_row();
    }
    program.end_sequence(u64::from(function.len));
}
