//! Objects of 8 KiB and more: page spans, found through a table indexed by page.
//!
//! A span is a run of pages with one object at its start. Free spans are either *clean* (never used since
//! they were mapped or given back, so they read as zero) or *dirty*. Large free spans are given back at
//! once and are clean again; small ones stay dirty and are cleared when reused, which is cheaper than
//! faulting their pages in anew. A large array without references therefore is never cleared by us at all.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use crate::geometry::Geometry;
use crate::layout::{PAGE, SLAB};
use crate::os::{Os, Reservation};
use crate::poison;

/// Free spans of at least this many pages are given back to the system.
const GIVE_BACK_PAGES: u32 = (256 << 10) / PAGE as u32;
/// Pages committed at a time.
const COMMIT_PAGES: u32 = (SLAB / PAGE) as u32;

/// A span with an object in it.
#[derive(Clone, Debug)]
struct Span {
    start: u32,
    /// Zero: the entry is unused.
    pages: u32,
    /// The mark under which the object was last found live; zero before its first collection.
    mark: u8,
}

#[derive(Clone, Copy, Debug)]
struct FreeSpan {
    pages: u32,
    dirty: bool,
}

/// Memory for a large object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LargeAllocation {
    pub address: usize,
    /// Whether the caller has to clear it.
    pub dirty: bool,
}

/// All page spans of a heap.
pub(crate) struct LargeSpace {
    base: usize,
    pages: u32,
    /// For the first page of each used span, its index in `spans` plus one.
    table: Reservation,
    spans: Vec<Span>,
    unused: Vec<u32>,
    free: BTreeMap<u32, FreeSpan>,
    by_size: BTreeSet<(u32, u32)>,
    /// Pages below this one have been part of some span.
    top: u32,
    committed: u32,
    used_pages: u64,
    dirty_pages: u64,
    /// Spans that the moving mode emptied.
    retired: Vec<(u32, u32)>,
    poisoned: bool,
}

impl LargeSpace {
    pub fn new(geometry: &Geometry, os: &Os, poisoned: bool) -> io::Result<LargeSpace> {
        let pages = u32::try_from(geometry.large_bytes / PAGE).unwrap_or(u32::MAX);
        Ok(LargeSpace {
            base: geometry.large_base,
            pages,
            table: os.table(pages as usize * size_of::<u32>())?,
            spans: Vec::new(),
            unused: Vec::new(),
            free: BTreeMap::new(),
            by_size: BTreeSet::new(),
            top: 0,
            committed: 0,
            used_pages: 0,
            dirty_pages: 0,
            retired: Vec::new(),
            poisoned,
        })
    }

    fn entry(&self, page: u32) -> *mut u32 {
        debug_assert!(page < self.pages);
        (self.table.base() + page as usize * size_of::<u32>()) as *mut u32
    }

    fn address(&self, page: u32) -> usize {
        self.base + page as usize * PAGE
    }

    fn find(&self, address: usize) -> Option<usize> {
        let offset = address.wrapping_sub(self.base);
        if !offset.is_multiple_of(PAGE) || offset / PAGE >= self.top as usize {
            return None;
        }
        // SAFETY: the table has an entry for each page.
        let entry = unsafe { *self.entry((offset / PAGE) as u32) };
        (entry != 0).then(|| entry as usize - 1)
    }

    /// Bytes of spans in use.
    pub fn used_bytes(&self) -> u64 {
        self.used_pages * PAGE as u64
    }

    /// Bytes held from the system.
    pub fn resident_bytes(&self) -> u64 {
        (self.used_pages + self.dirty_pages) * PAGE as u64
    }

    /// Bytes held from the system that no object uses.
    pub fn dirty_bytes(&self) -> u64 {
        self.dirty_pages * PAGE as u64
    }

    /// How many bytes a span for `bytes` takes.
    pub fn span_bytes(bytes: usize) -> u64 {
        bytes.next_multiple_of(PAGE) as u64
    }

    /// Finds room for an object. `Ok(None)`: the address space is used up.
    pub fn allocate(&mut self, os: &Os, bytes: usize) -> io::Result<Option<LargeAllocation>> {
        let Ok(pages) = u32::try_from(bytes.div_ceil(PAGE)) else { return Ok(None) };
        let fit = self.by_size.range((pages, 0)..).next().copied();
        let (start, dirty) = match fit {
            Some((free_pages, start)) => {
                let dirty = self.remove_free(start).dirty;
                if free_pages > pages {
                    self.insert_free(start + pages, FreeSpan { pages: free_pages - pages, dirty });
                }
                (start, dirty)
            }
            None => {
                if pages > self.pages - self.top {
                    if self.retired.is_empty() {
                        return Ok(None);
                    }
                    self.reuse_retired(os)?;
                    return self.allocate(os, bytes);
                }
                self.commit_to(os, self.top + pages)?;
                let start = self.top;
                self.top += pages;
                (start, false)
            }
        };
        let span = Span { start, pages, mark: 0 };
        let id = match self.unused.pop() {
            Some(id) => {
                self.spans[id as usize] = span;
                id
            }
            None => {
                self.spans.push(span);
                self.spans.len() as u32 - 1
            }
        };
        // SAFETY: the table has an entry for each page, and only the holder of this lock writes it.
        unsafe { *self.entry(start) = id + 1 };
        self.used_pages += pages as u64;
        let address = self.address(start);
        if dirty && self.poisoned {
            // SAFETY: the span was free until now.
            unsafe { poison::check(address, pages as usize * PAGE) };
        }
        Ok(Some(LargeAllocation { address, dirty }))
    }

    fn commit_to(&mut self, os: &Os, pages: u32) -> io::Result<()> {
        if pages > self.committed {
            let to = pages.next_multiple_of(COMMIT_PAGES).min(self.pages);
            let bytes = (to - self.committed) as usize * PAGE;
            os.commit(self.address(self.committed), bytes)?;
            self.committed = to;
        }
        Ok(())
    }

    fn insert_free(&mut self, start: u32, span: FreeSpan) {
        if span.dirty {
            self.dirty_pages += span.pages as u64;
        }
        self.free.insert(start, span);
        self.by_size.insert((span.pages, start));
    }

    fn remove_free(&mut self, start: u32) -> FreeSpan {
        let span = self.free.remove(&start).expect("a free span starts here");
        self.by_size.remove(&(span.pages, start));
        if span.dirty {
            self.dirty_pages -= span.pages as u64;
        }
        span
    }

    /// Frees a span; returns how many bytes went back to the system.
    fn release(&mut self, os: &Os, id: usize) -> u64 {
        let Span { start, pages, .. } = self.spans[id];
        self.spans[id].pages = 0;
        self.unused.push(id as u32);
        // SAFETY: as in `allocate`.
        unsafe { *self.entry(start) = 0 };
        self.used_pages -= pages as u64;
        if self.poisoned {
            // SAFETY: the object in the span is dead.
            unsafe { poison::fill(self.address(start), pages as usize * PAGE) };
        }
        let mut first = start;
        let mut merged = FreeSpan { pages, dirty: true };
        let mut dirty_parts = vec![(start, pages)];
        let before = self.free.range(..start).next_back().map(|(s, f)| (*s, *f));
        if let Some((s, f)) = before.filter(|(s, f)| s + f.pages == start && self.mergeable(f)) {
            self.remove_free(s);
            first = s;
            merged.pages += f.pages;
            dirty_parts.extend(f.dirty.then_some((s, f.pages)));
        }
        let after = self.free.get(&(start + pages)).copied();
        if let Some(f) = after.filter(|f| self.mergeable(f)) {
            self.remove_free(start + pages);
            merged.pages += f.pages;
            dirty_parts.extend(f.dirty.then_some((start + pages, f.pages)));
        }
        let mut returned = 0;
        if merged.pages >= GIVE_BACK_PAGES && !self.poisoned {
            merged.dirty = false;
            for (s, p) in dirty_parts {
                os.give_back(self.address(s), p as usize * PAGE);
                returned += p as u64 * PAGE as u64;
            }
        }
        self.insert_free(first, merged);
        returned
    }

    /// Poisoned spans keep their pattern, so they merge only with their like.
    fn mergeable(&self, span: &FreeSpan) -> bool {
        span.dirty || !self.poisoned
    }

    /// Gives every dirty free span back; returns the bytes.
    pub fn give_back_dirty(&mut self, os: &Os) -> u64 {
        let dirty: Vec<_> =
            self.free.iter().filter(|(_, f)| f.dirty).map(|(s, f)| (*s, *f)).collect();
        let mut returned = 0;
        for (start, span) in dirty {
            let bytes = span.pages as usize * PAGE;
            os.give_back(self.address(start), bytes);
            self.remove_free(start);
            self.insert_free(start, FreeSpan { dirty: false, ..span });
            returned += bytes as u64;
        }
        returned
    }

    /// Marks the object at `address`; true when it was not marked yet. `None`: no object starts there.
    pub fn mark(&mut self, address: usize, mark: u8) -> Option<bool> {
        let id = self.find(address)?;
        let old = std::mem::replace(&mut self.spans[id].mark, mark);
        Some(old != mark)
    }

    /// The mark of the object that starts at `address`; zero when it has not seen a collection. `None`:
    /// no object starts there.
    pub fn mark_of(&self, address: usize) -> Option<u8> {
        self.find(address).map(|id| self.spans[id].mark)
    }

    /// Bytes of the span that starts at `address`, if there is one.
    pub fn bytes_at(&self, address: usize) -> Option<usize> {
        self.find(address).map(|id| self.spans[id].pages as usize * PAGE)
    }

    /// Frees every object that is not marked; returns how many bytes went back to the system.
    pub fn sweep(&mut self, os: &Os, mark: u8) -> u64 {
        let mut returned = 0;
        for id in 0..self.spans.len() {
            if self.spans[id].pages != 0 && self.spans[id].mark != mark {
                returned += self.release(os, id);
            }
        }
        returned
    }

    /// The addresses and span sizes of all objects marked with `mark`.
    pub fn marked(&self, mark: u8) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.spans
            .iter()
            .filter(move |span| span.pages != 0 && span.mark == mark)
            .map(|span| (self.address(span.start), span.pages as usize * PAGE))
    }

    /// Takes the object at `address` out for good: its pages are sealed or poisoned and not reused.
    pub fn retire(&mut self, os: &Os, address: usize) {
        let id = self.find(address).expect("a large object is here");
        let Span { start, pages, .. } = self.spans[id];
        self.spans[id].pages = 0;
        self.unused.push(id as u32);
        // SAFETY: as in `allocate`.
        unsafe { *self.entry(start) = 0 };
        self.used_pages -= pages as u64;
        if self.poisoned {
            // SAFETY: the object has moved away.
            unsafe { poison::fill(address, pages as usize * PAGE) };
        } else {
            os.seal(address, pages as usize * PAGE);
        }
        self.retired.push((start, pages));
    }

    /// The moving mode has used up the address space: all that it emptied becomes usable again.
    fn reuse_retired(&mut self, os: &Os) -> io::Result<()> {
        let mut retired = std::mem::take(&mut self.retired);
        retired.sort_unstable();
        let mut runs: Vec<(u32, u32)> = Vec::new();
        for (start, pages) in retired {
            match runs.last_mut() {
                Some((first, length)) if *first + *length == start => *length += pages,
                _ => runs.push((start, pages)),
            }
        }
        for (start, pages) in runs {
            if !self.poisoned {
                os.unseal(self.address(start), pages as usize * PAGE)?;
            }
            self.insert_free(start, FreeSpan { pages, dirty: self.poisoned });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(os: &Os, bytes: usize) -> (LargeSpace, Reservation) {
        let range = os.reserve(bytes, SLAB).unwrap();
        let geometry = Geometry {
            small_base: range.base(),
            small_bytes: 0,
            large_base: range.base(),
            large_bytes: bytes,
            touched: std::ptr::null_mut(),
        };
        (LargeSpace::new(&geometry, os, false).unwrap(), range)
    }

    #[test]
    fn neighbours_that_die_become_one_span_and_go_back_to_the_system() {
        let os = Os::new(None);
        let (mut space, _range) = space(&os, 1 << 20);
        let mut objects = Vec::new();
        while let Some(a) = space.allocate(&os, 100 << 10).unwrap() {
            assert!(!a.dirty);
            objects.push(a.address);
        }
        assert_eq!(objects.len(), 10);
        for address in &objects[..2] {
            assert_eq!(space.mark(*address, 1), Some(true));
        }
        assert_eq!(space.mark(objects[0], 1), Some(false));
        assert_eq!(space.mark(objects[0] + PAGE, 1), None);
        assert!(space.sweep(&os, 1) >= 700 << 10);
        assert_eq!(space.used_bytes(), 200 << 10);
        assert_eq!(space.dirty_bytes(), 0);
        let all = space.allocate(&os, 800 << 10).unwrap().unwrap();
        assert!(!all.dirty);
        assert_eq!(all.address, objects[2]);
    }

    #[test]
    fn a_short_span_is_reused_dirty() {
        let os = Os::new(None);
        let (mut space, _range) = space(&os, 1 << 20);
        let a = space.allocate(&os, 8 << 10).unwrap().unwrap();
        let b = space.allocate(&os, 8 << 10).unwrap().unwrap();
        space.mark(b.address, 2);
        space.sweep(&os, 2);
        let again = space.allocate(&os, 8 << 10).unwrap().unwrap();
        assert_eq!((again.address, again.dirty), (a.address, true));
    }
}
