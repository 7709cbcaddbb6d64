//! The report of a program that ran out of memory: which types and which places in the program hold it.

use std::fmt::Write;

use medi_heap::{Bytes, Heap, OutOfMemory, Reason};

use crate::code_map::CodeMap;
use crate::error::{RuntimeError, codes};

/// Lines of each table.
const ROWS: usize = 8;

/// Free memory is spoken of when it is more than this part of the heap.
const WORTH_SAYING: u64 = 20;

/// The error of an allocation that did not fit.
pub(crate) fn out_of_memory(heap: &Heap, code: &CodeMap, error: &OutOfMemory) -> RuntimeError {
    let mut report = RuntimeError::new(codes::OUT_OF_MEMORY, headline(error));
    if error.reason == Reason::TooLarge {
        return report.with_help("check how the size is computed");
    }
    let types = types(heap, error.live);
    if !types.is_empty() {
        report = report.with_help(format!("what holds the memory, by type:\n{types}"));
    }
    let sites = sites(heap, code);
    if !sites.is_empty() {
        report =
            report.with_help(format!("where it was allocated (estimated from a sample):\n{sites}"));
    }
    if let Some(gaps) = gaps(error) {
        report = report.with_help(gaps);
    }
    match error.limit {
        Some(limit) => report.with_help(format!(
            "allow more with --memory (now {}), or keep less alive at the same time",
            Bytes(limit)
        )),
        None => report,
    }
}

fn headline(error: &OutOfMemory) -> String {
    let mut text = match (error.reason, error.limit) {
        (Reason::TooLarge, _) => {
            return format!(
                "out of memory: {} is more than one object can hold",
                Bytes(error.requested)
            );
        }
        (Reason::Limit, Some(limit)) => format!("out of memory: the limit is {}", Bytes(limit)),
        (Reason::AddressSpace, _) => {
            "out of memory: the address space of the heap is used up".into()
        }
        (Reason::Limit | Reason::System, _) => {
            String::from("out of memory: the operating system gives no more")
        }
    };
    let _ = write!(text, ", {} are in use", Bytes(error.live));
    if error.external > 0 {
        let _ = write!(text, " and {} in scopes", Bytes(error.external));
    }
    let _ = write!(text, ", and {} more were wanted", Bytes(error.requested));
    text
}

/// Why memory is out although a good part of it is free: objects do not move, so that what has died between others
/// leaves gaps.
fn gaps(error: &OutOfMemory) -> Option<String> {
    // A seventeenth is metadata.
    let free = (error.heap / 17 * 16).saturating_sub(error.live);
    let much = free > error.requested && free > error.heap / WORTH_SAYING;
    (error.reason == Reason::Limit && much).then(|| {
        format!(
            "{} of the heap are free, but in gaps between live objects in which {} at a time do not fit",
            Bytes(free),
            Bytes(error.requested)
        )
    })
}

fn types(heap: &Heap, live: u64) -> String {
    let census = heap.census();
    let total = census.iter().map(|row| row.bytes).sum::<u64>().max(live).max(1);
    let name_width =
        census.iter().take(ROWS).map(|row| row.name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for row in census.iter().take(ROWS) {
        let percent = 100.0 * row.bytes as f64 / total as f64;
        let _ = writeln!(
            text,
            "{:<name_width$}  {:>12} objects  {:>10}  {percent:>5.1} %",
            row.name,
            row.objects,
            Bytes(row.bytes).to_string(),
        );
    }
    rest(&mut text, census.len());
    text.truncate(text.trim_end().len());
    text
}

fn sites(heap: &Heap, code: &CodeMap) -> String {
    let sites = heap.sites();
    let mut text = String::new();
    for row in sites.iter().take(ROWS) {
        let place = match code.site_frames(row.site).first() {
            Some(frame) => frame.to_string(),
            None => String::from("the runtime"),
        };
        let _ = writeln!(
            text,
            "{:>10}  {}  in {place}",
            format!("~{}", Bytes(row.bytes_estimate)),
            row.name
        );
    }
    rest(&mut text, sites.len());
    text.truncate(text.trim_end().len());
    text
}

fn rest(text: &mut String, count: usize) {
    if count > ROWS {
        let _ = writeln!(text, "and {} more", count - ROWS);
    }
}
