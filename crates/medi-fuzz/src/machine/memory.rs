//! Tagged scope memory: what each allocation is, who owns it, and whether it is still there.

use super::value::{Tag, Value, View};
use super::{Fault, Stop};

/// What ended an allocation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    Freed,
    ScopeExited,
    /// Nobody shares the object any more.
    Unshared,
}

enum Content {
    Bytes(Vec<u8>),
    Fields(Vec<Value>),
}

struct Allocation {
    /// Memory of no scope, that somebody must free.
    owned: bool,
    /// How many share it, of a shared object.
    count: u32,
    end: Option<Ending>,
    content: Content,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccessKind {
    Read,
    Atomic,
    Write,
    /// Of all of it.
    Free,
}

/// What one arm of a `parallel` did to which bytes, or fields.
#[derive(Clone, Copy, Debug)]
struct Access {
    tag: Tag,
    from: u32,
    to: u32,
    kind: AccessKind,
    arm: u32,
}

/// The arms of a `parallel` that is running.
struct Region {
    arm: u32,
    accesses: Vec<Access>,
}

#[derive(Default)]
pub struct Memory {
    allocations: Vec<Allocation>,
    regions: Vec<Region>,
    unordered: bool,
}

impl Memory {
    fn add(&mut self, owned: bool, content: Content) -> Tag {
        self.allocations.push(Allocation { owned, count: 1, end: None, content });
        self.allocations.len() as Tag - 1
    }

    pub fn buffer(&mut self, bytes: i64, owned: bool) -> Result<Tag, Stop> {
        const MOST: i64 = 1 << 20;
        if !(0..=MOST).contains(&bytes) {
            return Err(Stop::Trap("allocation"));
        }
        Ok(self.add(owned, Content::Bytes(vec![0; bytes as usize])))
    }

    pub fn object(&mut self, fields: Vec<Value>) -> Tag {
        self.add(false, Content::Fields(fields))
    }

    /// The allocation, if it is still there; using it is a fault if not.
    fn live(&mut self, tag: Tag) -> Result<&mut Allocation, Stop> {
        let allocation = &mut self.allocations[tag as usize];
        match allocation.end {
            None => Ok(allocation),
            // How many share an object is a question of the run.
            Some(Ending::Unshared) => Err(Stop::Trap("unshared")),
            Some(end) => Err(Stop::Fault(Fault::Gone { tag, end })),
        }
    }

    pub fn is_there(&self, tag: Tag) -> bool {
        self.allocations[tag as usize].end.is_none()
    }

    pub fn is_owned(&self, tag: Tag) -> bool {
        self.allocations[tag as usize].owned
    }

    pub fn check(&mut self, tag: Tag) -> Result<(), Stop> {
        self.live(tag).map(drop)
    }

    pub fn count(&mut self, tag: Tag) -> Result<&mut u32, Stop> {
        self.live(tag).map(|allocation| &mut allocation.count)
    }

    /// One less shares the object.
    pub fn unshare(&mut self, tag: Tag) -> Result<(), Stop> {
        let allocation = self.live(tag)?;
        allocation.count -= 1;
        if allocation.count == 0 {
            allocation.end = Some(Ending::Unshared);
        }
        Ok(())
    }

    pub fn free(&mut self, tag: Tag) -> Result<(), Stop> {
        let allocation = &mut self.allocations[tag as usize];
        if let Some(end) = allocation.end {
            return Err(Stop::Fault(Fault::FreedAgain { tag, end }));
        }
        allocation.end = Some(Ending::Freed);
        self.note(tag, 0, u32::MAX, AccessKind::Free);
        Ok(())
    }

    pub fn exit(&mut self, tag: Tag) {
        self.allocations[tag as usize].end.get_or_insert(Ending::ScopeExited);
    }

    /// Owned memory that nobody freed.
    pub fn leaked(&self) -> Option<Tag> {
        let at = self.allocations.iter().position(|a| a.owned && a.end.is_none())?;
        Some(at as Tag)
    }

    pub fn bytes(&mut self, tag: Tag) -> Result<&mut Vec<u8>, Stop> {
        match &mut self.live(tag)?.content {
            Content::Bytes(bytes) => Ok(bytes),
            Content::Fields(_) => panic!("an object has no bytes"),
        }
    }

    fn fields(&mut self, tag: Tag) -> Result<&mut Vec<Value>, Stop> {
        match &mut self.live(tag)?.content {
            Content::Fields(fields) => Ok(fields),
            Content::Bytes(_) => panic!("a buffer has no fields"),
        }
    }

    pub fn field(&mut self, tag: Tag, field: u32) -> Result<Value, Stop> {
        let value = self.fields(tag)?[field as usize].clone();
        self.note(tag, field, field + 1, AccessKind::Read);
        Ok(value)
    }

    pub fn set_field(&mut self, tag: Tag, field: u32, value: Value) -> Result<(), Stop> {
        self.fields(tag)?[field as usize] = value;
        self.note(tag, field, field + 1, AccessKind::Write);
        Ok(())
    }

    /// The bytes of an element, which is there and inside.
    fn element(&mut self, view: View, index: i64, kind: AccessKind) -> Result<&mut [u8], Stop> {
        self.live(view.tag)?;
        if !(0..i64::from(view.len)).contains(&index) {
            return Err(Stop::Trap("bounds"));
        }
        let from = view.start + index as u32 * u32::from(view.size);
        let to = from + u32::from(view.size);
        self.note(view.tag, from, to, kind);
        Ok(&mut self.bytes(view.tag)?[from as usize..to as usize])
    }

    pub fn load(&mut self, view: View, index: i64, kind: AccessKind) -> Result<i64, Stop> {
        let bytes = self.element(view, index, kind)?;
        Ok(match <[u8; 8]>::try_from(&*bytes) {
            Ok(eight) => i64::from_le_bytes(eight),
            Err(_) => bytes[0].into(),
        })
    }

    pub fn store(
        &mut self,
        view: View,
        index: i64,
        bits: i64,
        kind: AccessKind,
    ) -> Result<(), Stop> {
        let bytes = self.element(view, index, kind)?;
        let len = bytes.len();
        bytes.copy_from_slice(&bits.to_le_bytes()[..len]);
        Ok(())
    }

    // Races.

    /// Whether what an arm of a `parallel` read depends on the order of the arms.
    pub fn is_unordered(&self) -> bool {
        self.unordered
    }

    fn note(&mut self, tag: Tag, from: u32, to: u32, kind: AccessKind) {
        if let Some(region) = self.regions.last_mut() {
            let arm = region.arm;
            region.accesses.push(Access { tag, from, to, kind, arm });
        }
    }

    /// The statements of a `parallel` start.
    pub fn fork(&mut self) {
        self.regions.push(Region { arm: 0, accesses: vec![] });
    }

    pub fn next_arm(&mut self) {
        if let Some(region) = self.regions.last_mut() {
            region.arm += 1;
        }
    }

    /// All of them have ended: two of them must not have written, or used and freed, the same memory. A read beside
    /// a write is no fault here: fences and atomics may order them.
    pub fn join(&mut self) -> Result<(), Stop> {
        let mut accesses = self.regions.pop().expect("a `parallel` is running").accesses;
        accesses.sort_by_key(|access| (access.tag, access.from));
        for (at, first) in accesses.iter().enumerate() {
            for second in &accesses[at + 1..] {
                if second.tag != first.tag || second.from >= first.to {
                    break;
                }
                let kinds = [first.kind, second.kind];
                let clash = kinds.contains(&AccessKind::Free) || kinds == [AccessKind::Write; 2];
                let reads = kinds == [AccessKind::Read; 2];
                self.unordered |= first.arm != second.arm && !reads;
                if first.arm != second.arm && clash {
                    return Err(Stop::Fault(Fault::Race { tag: first.tag }));
                }
            }
        }
        if let Some(around) = self.regions.last_mut() {
            let arm = around.arm;
            around.accesses.extend(accesses.into_iter().map(|access| Access { arm, ..access }));
        }
        Ok(())
    }
}
