//! Objects of 8 KiB and more: page spans, found through a table indexed by page.
//!
//! A span is a run of pages with one object at its start. Free spans are either *clean* (never used since
//! they were mapped or given back, so they read as zero) or *dirty*. Large free spans are given back at
//! once and are clean again; small ones stay dirty and are cleared when reused, which is cheaper than
//! faulting their pages in anew. A large array without references therefore is never cleared by us at all.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use crate::geometry::Geometry;
use crate::layout::{COLOUR, COLOUR_SEGMENTED, COLOUR_STALE, PAGE, SEGMENT, SLAB};
use crate::os::{self, Os, Reservation};
use crate::poison;

/// Free spans of at least this many pages are given back to the system.
const GIVE_BACK_PAGES: u32 = (256 << 10) / PAGE as u32;
/// Pages committed at a time.
const COMMIT_PAGES: u32 = (SLAB / PAGE) as u32;
/// Segments in a page.
const PAGE_SEGMENTS: usize = PAGE / SEGMENT;

/// The tables of all page spans, which anyone reads without a lock. Only the entries of a span's first page
/// mean something, except for those of segments.
#[derive(Clone, Copy)]
pub(crate) struct Spans {
    base: usize,
    pages: u32,
    table: *const u8,
}

// SAFETY: the table lives as long as the heap, and its entries are atomic.
unsafe impl Send for Spans {}
// SAFETY: as above.
unsafe impl Sync for Spans {}

impl Spans {
    /// Bytes of the table for one page: its span's birth, its length, its mark, its segments.
    const ENTRY: usize = size_of::<u64>() + size_of::<u32>() + 1 + PAGE_SEGMENTS;

    fn birth(&self, page: u32) -> &AtomicU64 {
        debug_assert!(page < self.pages);
        // SAFETY: the table has an entry of each kind for each page, the largest kind first.
        unsafe { &*self.table.cast::<AtomicU64>().add(page as usize) }
    }

    fn length(&self, page: u32) -> &AtomicU32 {
        debug_assert!(page < self.pages);
        // SAFETY: as above.
        unsafe { &*self.table.cast::<AtomicU32>().add(self.pages as usize * 2 + page as usize) }
    }

    fn state(&self, page: u32) -> &AtomicU8 {
        debug_assert!(page < self.pages);
        // SAFETY: as above.
        unsafe { &*self.table.cast::<AtomicU8>().add(self.pages as usize * 12 + page as usize) }
    }

    /// The colour byte of the segment that `address` lies in.
    pub fn segment(&self, address: usize) -> &AtomicU8 {
        let index = (address - self.base) / SEGMENT;
        debug_assert!(index < self.pages as usize * PAGE_SEGMENTS);
        // SAFETY: as above.
        unsafe { &*self.table.cast::<AtomicU8>().add(self.pages as usize * 13 + index) }
    }

    /// See [`crate::layout::SEGMENT_COLOURS`].
    pub fn segment_colours(&self) -> usize {
        (std::ptr::from_ref(self.segment(self.base)).addr()).wrapping_sub(self.base / SEGMENT)
    }

    fn address(&self, page: u32) -> usize {
        self.base + page as usize * PAGE
    }

    /// The page of the object that starts at `address`, if one does.
    #[inline]
    pub fn find(&self, address: usize) -> Option<u32> {
        let offset = address.wrapping_sub(self.base);
        if !offset.is_multiple_of(PAGE) || offset / PAGE >= self.pages as usize {
            return None;
        }
        let page = (offset / PAGE) as u32;
        (self.length(page).load(Ordering::Acquire) != 0).then_some(page)
    }

    /// Bytes of the span that starts at `page`.
    pub fn bytes(&self, page: u32) -> usize {
        self.length(page).load(Ordering::Relaxed) as usize * PAGE
    }

    /// The mark under which the object at `page` was last found live; zero when it has not seen a cycle.
    #[inline]
    pub fn mark(&self, page: u32) -> u8 {
        self.state(page).load(Ordering::Relaxed)
    }

    /// Marks the object at `page`. Only the marker does this, while it is alone.
    #[inline]
    pub fn set_mark(&self, page: u32, mark: u8) {
        self.state(page).store(mark, Ordering::Relaxed);
    }

    /// The same where other markers may do so; returns the mark before.
    #[inline]
    pub fn swap_mark(&self, page: u32, mark: u8) -> u8 {
        self.state(page).swap(mark, Ordering::Relaxed)
    }

    /// The number of the last flip that the thread had passed that allocated the object at `page`.
    #[inline]
    pub fn born(&self, page: u32) -> u64 {
        self.birth(page).load(Ordering::Relaxed)
    }
}

#[derive(Clone, Copy, Debug)]
struct FreeSpan {
    pages: u32,
    dirty: bool,
}

/// A span between uses: removed, and not free yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DeadSpan {
    start: u32,
    pages: u32,
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
    pub spans: Spans,
    /// First pages of the spans with an object in them.
    used: BTreeSet<u32>,
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
    _table: Reservation,
}

impl LargeSpace {
    pub fn new(geometry: &Geometry, os: &Os, poisoned: bool) -> io::Result<LargeSpace> {
        let pages = u32::try_from(geometry.large_bytes / PAGE).unwrap_or(u32::MAX);
        let table = os.table(pages as usize * Spans::ENTRY)?;
        Ok(LargeSpace {
            spans: Spans { base: geometry.large_base, pages, table: table.base() as *const u8 },
            used: BTreeSet::new(),
            free: BTreeMap::new(),
            by_size: BTreeSet::new(),
            top: 0,
            committed: 0,
            used_pages: 0,
            dirty_pages: 0,
            retired: Vec::new(),
            poisoned,
            _table: table,
        })
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

    /// Finds room for an object that a thread allocates that has passed `flip`. `Ok(None)`: the address space is
    /// used up.
    pub fn allocate(
        &mut self,
        os: &Os,
        bytes: usize,
        flip: u64,
    ) -> io::Result<Option<LargeAllocation>> {
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
                if pages > self.spans.pages - self.top {
                    if self.retired.is_empty() {
                        return Ok(None);
                    }
                    self.reuse_retired(os)?;
                    return self.allocate(os, bytes, flip);
                }
                self.commit_to(os, self.top + pages)?;
                let start = self.top;
                self.top += pages;
                (start, false)
            }
        };
        self.spans.state(start).store(0, Ordering::Relaxed);
        self.spans.birth(start).store(flip, Ordering::Relaxed);
        // Release: who finds the span finds its birth.
        self.spans.length(start).store(pages, Ordering::Release);
        self.used.insert(start);
        self.used_pages += pages as u64;
        let address = self.spans.address(start);
        if dirty && self.poisoned {
            // SAFETY: the span was free until now.
            unsafe { poison::check(address, pages as usize * PAGE) };
        }
        Ok(Some(LargeAllocation { address, dirty }))
    }

    fn commit_to(&mut self, os: &Os, pages: u32) -> io::Result<()> {
        if pages > self.committed {
            let to = pages.next_multiple_of(COMMIT_PAGES).min(self.spans.pages);
            let bytes = (to - self.committed) as usize * PAGE;
            os.commit(self.spans.address(self.committed), bytes)?;
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

    /// Takes up to `count` objects at or after `from` that are not marked and not new out of use. The second part
    /// of the result is where to go on; `None` when all have been looked at.
    pub fn remove_dead(
        &mut self,
        from: usize,
        count: usize,
        is_dead: impl Fn(usize) -> bool,
    ) -> (Vec<DeadSpan>, Option<usize>) {
        let looked_at: Vec<u32> =
            self.used.range(self.page_at(from)..).take(count).copied().collect();
        let next =
            (looked_at.len() == count).then(|| self.spans.address(looked_at[count - 1]) + PAGE);
        let dead = looked_at.into_iter().filter(|page| is_dead(self.spans.address(*page)));
        let dead: Vec<u32> = dead.collect();
        (dead.into_iter().map(|start| self.remove(start)).collect(), next)
    }

    fn remove(&mut self, start: u32) -> DeadSpan {
        let pages = self.spans.length(start).swap(0, Ordering::Relaxed);
        self.used.remove(&start);
        self.used_pages -= pages as u64;
        DeadSpan { start, pages }
    }

    /// Makes removed memory ready for use, which takes time and no lock: long spans go back to the system. Returns
    /// whether it did.
    pub fn clean(spans: Spans, dead: DeadSpan, poisoned: bool) -> bool {
        let (address, bytes) = (spans.address(dead.start), dead.pages as usize * PAGE);
        // SAFETY: the dead object's header is still there, and nobody else looks at it.
        if unsafe { *((address + COLOUR) as *const u8) } == COLOUR_SEGMENTED {
            // The next object here must not find segments logged.
            for segment in (address..address + bytes).step_by(SEGMENT) {
                spans.segment(segment).store(COLOUR_STALE, Ordering::Relaxed);
            }
        }
        if poisoned {
            // SAFETY: the object in the span is dead.
            unsafe { poison::fill(address, bytes) };
        }
        let give_back = !poisoned && dead.pages >= GIVE_BACK_PAGES;
        if give_back {
            os::give_back(address, bytes);
        }
        give_back
    }

    /// Makes a removed span free; returns how many bytes went back to the system.
    pub fn release(&mut self, dead: DeadSpan, given_back: bool) -> u64 {
        let DeadSpan { start, pages } = dead;
        let mut first = start;
        let mut merged = FreeSpan { pages, dirty: !given_back };
        let mut dirty_parts: Vec<_> = (!given_back).then_some((start, pages)).into_iter().collect();
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
        let mut returned = if given_back { pages as u64 * PAGE as u64 } else { 0 };
        if merged.pages >= GIVE_BACK_PAGES && !self.poisoned {
            merged.dirty = false;
            for (s, p) in dirty_parts {
                os::give_back(self.spans.address(s), p as usize * PAGE);
                returned += p as u64 * PAGE as u64;
            }
        } else if !dirty_parts.is_empty() {
            merged.dirty = true;
        }
        self.insert_free(first, merged);
        returned
    }

    /// Poisoned spans keep their pattern, so they merge only with their like.
    fn mergeable(&self, span: &FreeSpan) -> bool {
        span.dirty || !self.poisoned
    }

    /// Gives every dirty free span back; returns the bytes.
    pub fn give_back_dirty(&mut self) -> u64 {
        let dirty: Vec<_> =
            self.free.iter().filter(|(_, f)| f.dirty).map(|(s, f)| (*s, *f)).collect();
        let mut returned = 0;
        for (start, span) in dirty {
            let bytes = span.pages as usize * PAGE;
            os::give_back(self.spans.address(start), bytes);
            self.remove_free(start);
            self.insert_free(start, FreeSpan { dirty: false, ..span });
            returned += bytes as u64;
        }
        returned
    }

    /// The addresses of all objects at or after `from`, in order.
    pub fn objects(&self, from: usize) -> impl Iterator<Item = usize> + '_ {
        self.used.range(self.page_at(from)..).map(|page| self.spans.address(*page))
    }

    /// The first page at or after an address.
    fn page_at(&self, address: usize) -> u32 {
        address.saturating_sub(self.spans.base).div_ceil(PAGE) as u32
    }

    /// Takes the object at `address` out for good: its pages are sealed or poisoned and not reused.
    pub fn retire(&mut self, os: &Os, address: usize) {
        let start = self.spans.find(address).expect("a large object is here");
        let DeadSpan { start, pages } = self.remove(start);
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
                os.unseal(self.spans.address(start), pages as usize * PAGE)?;
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
            touched: std::ptr::null(),
            born: std::ptr::null(),
        };
        (LargeSpace::new(&geometry, os, false).unwrap(), range)
    }

    /// Frees all but the given objects, in steps of three.
    fn sweep(space: &mut LargeSpace, live: &[usize]) -> u64 {
        let (mut from, mut returned) = (Some(0), 0);
        while let Some(at) = from {
            let (dead, next) = space.remove_dead(at, 3, |address| !live.contains(&address));
            for span in dead {
                let given_back = LargeSpace::clean(space.spans, span, false);
                returned += space.release(span, given_back);
            }
            from = next;
        }
        returned
    }

    #[test]
    fn neighbours_that_die_become_one_span_and_go_back_to_the_system() {
        let os = Os::new(None);
        let (mut space, _range) = space(&os, 1 << 20);
        let mut objects = Vec::new();
        while let Some(a) = space.allocate(&os, 100 << 10, 5).unwrap() {
            assert!(!a.dirty);
            objects.push(a.address);
        }
        assert_eq!(objects.len(), 10);
        let spans = space.spans;
        let page = spans.find(objects[1]).unwrap();
        assert_eq!((spans.born(page), spans.mark(page), spans.bytes(page)), (5, 0, 100 << 10));
        spans.set_mark(page, 1);
        assert_eq!(spans.find(objects[0] + PAGE), None);
        assert!(sweep(&mut space, &objects[..2]) >= 700 << 10);
        assert_eq!(space.objects(0).collect::<Vec<_>>(), objects[..2]);
        assert_eq!(space.used_bytes(), 200 << 10);
        assert_eq!(space.dirty_bytes(), 0);
        let all = space.allocate(&os, 800 << 10, 6).unwrap().unwrap();
        assert!(!all.dirty);
        assert_eq!(all.address, objects[2]);
    }

    #[test]
    fn a_short_span_is_reused_dirty_and_with_clean_segments() {
        let os = Os::new(None);
        let (mut space, _range) = space(&os, 1 << 20);
        let a = space.allocate(&os, 8 << 10, 0).unwrap().unwrap();
        let b = space.allocate(&os, 8 << 10, 0).unwrap().unwrap();
        space.spans.segment(a.address + 4100).store(7, Ordering::Relaxed);
        // SAFETY: the span is allocated, and this is its header's colour.
        unsafe { *((a.address + COLOUR) as *mut u8) = COLOUR_SEGMENTED };
        sweep(&mut space, &[b.address]);
        let again = space.allocate(&os, 8 << 10, 1).unwrap().unwrap();
        assert_eq!((again.address, again.dirty), (a.address, true));
        assert_eq!(space.spans.segment(a.address + 4100).load(Ordering::Relaxed), 0);
    }
}
