//! The code map: what is known about an address inside compiled code.
//!
//! For each function its name and extent; for each call the frame slots that hold references while it is
//! under way; for each trapping instruction the reason; for each instruction the place in the source. The code
//! generator fills a [`CodeMapBuilder`]; afterwards the map never changes, so that a signal handler may
//! read it without a lock. Lookups take an address and never fail loudly: an address outside is `None`.

use std::collections::HashMap;
use std::fmt;

use crate::error::Frame;
use crate::trap::TrapCode;

/// Turns a byte offset of a source file into a path, a line and a column, both counted from 1. Called
/// only when a person is going to read the answer.
pub type ResolvePosition = Box<dyn Fn(Position) -> (String, u32, u32) + Send + Sync>;

/// A place in a source file, not yet resolved to a line.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Position {
    pub file: u32,
    pub offset: u32,
}

/// Where an instruction comes from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Place {
    pub position: Position,
    /// The inlined call it belongs to, in [`FunctionCode::inlined`].
    pub inlined: Option<u32>,
}

/// A call whose callee's code stands in the caller.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inlined {
    pub name: String,
    pub call: Position,
    /// The inlined call that holds this one.
    pub parent: Option<u32>,
}

/// A call in a function's code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallSite {
    /// Offset of the return address from the function's start.
    pub return_offset: u32,
    /// Byte offsets, relative to the frame pointer, of the slots that hold references during the call.
    pub roots: Vec<i32>,
}

/// A frame slot that holds references of one variable of the program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NamedSlot {
    /// From the frame pointer, in bytes.
    pub offset: i32,
    pub name: String,
    pub declared: Position,
    /// The variable is a pin.
    pub pin: bool,
}

/// One compiled function, as the code generator describes it.
#[derive(Clone, Debug, Default)]
pub struct FunctionCode {
    pub name: String,
    /// Address of its first instruction.
    pub start: usize,
    /// Bytes.
    pub len: u32,
    pub calls: Vec<CallSite>,
    /// (offset of the instruction, reason), ascending.
    pub traps: Vec<(u32, TrapCode)>,
    /// (offset, index in `places`): holds from that offset to the next entry's. Ascending.
    pub lines: Vec<(u32, u32)>,
    pub places: Vec<Place>,
    pub inlined: Vec<Inlined>,
    /// Empty unless the code was compiled for reports of leaks.
    pub slots: Vec<NamedSlot>,
}

impl FunctionCode {
    fn place(&self, offset: u32) -> Option<Place> {
        let after = self.lines.partition_point(|(start, _)| *start <= offset);
        let (_, place) = self.lines[..after].last()?;
        self.places.get(*place as usize).copied()
    }
}

/// A call in the map; its number identifies the call in reports.
#[derive(Clone, Copy, Debug)]
struct Site {
    return_address: usize,
    roots: (u32, u32),
}

/// Collects functions; [`CodeMapBuilder::finish`] makes them searchable.
#[derive(Default)]
pub struct CodeMapBuilder {
    functions: Vec<FunctionCode>,
}

impl CodeMapBuilder {
    pub fn add(&mut self, function: FunctionCode) {
        self.functions.push(function);
    }

    /// The finished map; `resolve` is asked when a call stack is shown.
    pub fn finish(mut self, resolve: ResolvePosition) -> CodeMap {
        self.functions.sort_by_key(|function| function.start);
        let count = self.functions.iter().map(|function| function.calls.len()).sum();
        let mut sites = Vec::with_capacity(count);
        let mut by_address = HashMap::with_capacity_and_hasher(count, AddressHash::default());
        let mut roots = vec![];
        for function in &self.functions {
            for call in &function.calls {
                let return_address = function.start + call.return_offset as usize;
                let first = roots.len() as u32;
                roots.extend_from_slice(&call.roots);
                by_address.insert(return_address, sites.len() as u32);
                sites.push(Site { return_address, roots: (first, roots.len() as u32) });
            }
        }
        let start = self.functions.first().map_or(0, |function| function.start);
        let end = self.functions.last().map_or(0, |last| last.start + last.len as usize);
        CodeMap { functions: self.functions, start, end, sites, by_address, roots, resolve }
    }
}

/// Return addresses are spread well enough by one multiplication.
#[derive(Clone, Copy, Default)]
struct AddressHash(u64);

impl std::hash::BuildHasher for AddressHash {
    type Hasher = AddressHash;

    fn build_hasher(&self) -> AddressHash {
        AddressHash(0)
    }
}

impl std::hash::Hasher for AddressHash {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }

    fn write_usize(&mut self, address: usize) {
        let product = (address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = product ^ (product >> 32);
    }
}

/// Everything known about one program's compiled code.
pub struct CodeMap {
    functions: Vec<FunctionCode>,
    start: usize,
    end: usize,
    sites: Vec<Site>,
    by_address: HashMap<usize, u32, AddressHash>,
    roots: Vec<i32>,
    resolve: ResolvePosition,
}

impl fmt::Debug for CodeMap {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "CodeMap({} functions, {} calls)", self.functions.len(), self.sites.len())
    }
}

impl CodeMap {
    /// A map of no code at all.
    pub fn empty() -> CodeMap {
        CodeMapBuilder::default().finish(Box::new(|_| (String::new(), 0, 0)))
    }

    /// Ascending by address.
    pub fn functions(&self) -> &[FunctionCode] {
        &self.functions
    }

    /// Whether the address is that of an instruction of a compiled function.
    pub fn contains(&self, address: usize) -> bool {
        self.function_at(address).is_some()
    }

    /// The function that holds the instruction at an address.
    pub fn function_at(&self, address: usize) -> Option<&FunctionCode> {
        if address < self.start || address >= self.end {
            return None;
        }
        let after = self.functions.partition_point(|function| function.start <= address);
        let function = self.functions[..after].last()?;
        (address < function.start + function.len as usize).then_some(function)
    }

    /// Offsets from the frame pointer of the slots that hold references while the call that returns to
    /// this address is under way. `None` for an address that no call returns to.
    pub fn roots(&self, return_address: usize) -> Option<&[i32]> {
        let (from, to) = self.sites[*self.by_address.get(&return_address)? as usize].roots;
        Some(&self.roots[from as usize..to as usize])
    }

    /// A number for the call that returns to this address; 0 for any other address.
    pub fn site(&self, return_address: usize) -> u32 {
        self.by_address.get(&return_address).map_or(0, |index| index + 1)
    }

    /// The frames of the call with that number, innermost first; empty for 0.
    pub fn site_frames(&self, site: u32) -> Vec<Frame> {
        let Some(site) = (site as usize).checked_sub(1).and_then(|index| self.sites.get(index))
        else {
            return vec![];
        };
        self.frames(site.return_address)
    }

    /// Why the instruction at this address traps, when it is one that does.
    pub fn trap(&self, address: usize) -> Option<TrapCode> {
        let function = self.function_at(address)?;
        let offset = (address - function.start) as u32;
        let index = function.traps.binary_search_by_key(&offset, |(at, _)| *at).ok()?;
        Some(function.traps[index].1)
    }

    /// The source frames of a return address, innermost first: more than one where calls were inlined.
    pub fn frames(&self, return_address: usize) -> Vec<Frame> {
        let frames = self.unresolved_frames(return_address).into_iter();
        frames.map(|(function, position)| self.frame(function, position)).collect()
    }

    /// The same as function names and positions, for who wants to count them or see some only.
    pub fn unresolved_frames(&self, return_address: usize) -> Vec<(&str, Option<Position>)> {
        let Some(function) = self.function_at(return_address.wrapping_sub(1)) else {
            return vec![];
        };
        let offset = (return_address - 1 - function.start) as u32;
        let Some(place) = function.place(offset) else {
            return vec![(&function.name, None)];
        };
        let mut frames: Vec<(&str, _)> = vec![];
        let (mut position, mut inlined) = (place.position, place.inlined);
        while let Some(call) = inlined.and_then(|index| function.inlined.get(index as usize)) {
            frames.push((&call.name, Some(position)));
            (position, inlined) = (call.call, call.parent);
        }
        frames.push((&function.name, Some(position)));
        frames
    }

    /// The function that a frame belongs to, and the variable of a slot of it, `offset` bytes from the frame pointer.
    pub fn variable(
        &self,
        return_address: usize,
        offset: i32,
    ) -> Option<(&str, Option<&NamedSlot>)> {
        let function = self.function_at(return_address.wrapping_sub(1))?;
        let slot = function.slots.iter().find(|slot| slot.offset == offset);
        Some((&function.name, slot))
    }

    /// Resolves a position to path, line and column.
    pub fn resolve(&self, position: Position) -> (String, u32, u32) {
        (self.resolve)(position)
    }

    /// A frame as a person reads it.
    pub fn frame(&self, function: &str, position: Option<Position>) -> Frame {
        let (file, line, column) =
            position.map_or((String::new(), 0, 0), |position| self.resolve(position));
        Frame { function: function.to_string(), file, line, column }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map() -> CodeMap {
        let at = |offset| Position { file: 0, offset };
        let mut builder = CodeMapBuilder::default();
        builder.add(FunctionCode {
            name: "late".into(),
            start: 0x2000,
            len: 0x40,
            calls: vec![CallSite { return_offset: 0x10, roots: vec![-8, -24] }],
            traps: vec![(0x20, TrapCode::Overflow)],
            lines: vec![(0, 0), (0x18, 1)],
            places: vec![
                Place { position: at(5), inlined: None },
                Place { position: at(7), inlined: Some(0) },
            ],
            slots: vec![],
            inlined: vec![Inlined { name: "small".into(), call: at(6), parent: None }],
        });
        builder.add(FunctionCode {
            name: "early".into(),
            start: 0x1000,
            len: 0x10,
            calls: vec![CallSite { return_offset: 0x10, roots: vec![] }],
            ..FunctionCode::default()
        });
        builder.finish(Box::new(|position| ("a.medi".into(), position.offset, 1)))
    }

    #[test]
    fn a_call_at_the_end_of_a_function_belongs_to_that_function() {
        let map = map();
        assert_eq!(map.frames(0x1010)[0].function, "early");
        assert_eq!(map.roots(0x1010), Some(&[][..]));
    }

    #[test]
    fn roots_and_traps_are_found_by_exact_address_only() {
        let map = map();
        assert_eq!(map.roots(0x2010), Some(&[-8, -24][..]));
        assert_eq!(map.roots(0x2011), None);
        assert_eq!(map.trap(0x2020), Some(TrapCode::Overflow));
        assert_eq!(map.trap(0x2021), None);
        assert_eq!(map.trap(0x3000), None);
    }

    #[test]
    fn an_inlined_call_shows_both_frames() {
        let frames = map().frames(0x2021);
        let shown: Vec<_> = frames.iter().map(|f| (f.function.as_str(), f.line)).collect();
        assert_eq!(shown, [("small", 7), ("late", 6)]);
    }

    #[test]
    fn a_site_number_leads_back_to_its_frames() {
        let map = map();
        assert_eq!(map.site_frames(map.site(0x2010))[0].line, 5);
        assert!(map.site_frames(map.site(0x2012)).is_empty());
    }
}
