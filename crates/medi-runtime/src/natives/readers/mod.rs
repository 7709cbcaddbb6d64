//! Natives that read and write health and genome files: what lib/health.medi and lib/genome.medi are built on.
//!
//! A file is a cursor of `medi-formats` behind a handle. Compiled code moves it to the next record and then asks for
//! the fields one by one, so all objects are made by compiled code but for the strings it asks for. A file that
//! cannot be read on answers with its error, which names file, record and reason, and is closed: there is no way to
//! take what was read before for the whole.

mod genome;
mod health;
mod progress;
mod variants;

use std::any::Any;

use self::genome::{FastaFile, ReadField, ReadsFile, letter};
use self::health::{Field, HealthFile};
use self::variants::{Count, Number, Text, VariantFile, VariantOutput};
use super::table;
use crate::call::{Call, Stopped};
use crate::context::Context;
use crate::error::{RuntimeError, codes};
use crate::handles::{Borrowed, Missing};
use crate::value::{Whole, handle_of, places, text};

pub use self::progress::VARIABLE as PROGRESS_VARIABLE;

table! {
    call health_open, call health_next, call health_key, call health_text, call health_value, call health_date,
    call health_is_answer, call health_withdrawn, call health_format, call reader_close,
    call fasta_open, call fasta_next, call fasta_name, call fasta_load, call fasta_bases,
    call reads_open, call reads_next, call reads_sample, call reads_reference_count, call reads_reference_name,
    call reads_reference_length, call reads_number, call reads_bases, call reads_qualities, call reads_cigar,
    call vcf_open, call vcf_next, call vcf_text, call vcf_number, call vcf_count, call vcf_sample,
    call vcf_contig_name, call vcf_contig_length,
    call vcf_begin, call vcf_add_sample, call vcf_add_contig, call vcf_set_text, call vcf_set_number,
    call vcf_set_count, call vcf_write, call vcf_finish,
}

/// The file behind a handle. The library passes handles on as it got them, so any other is a mistake in it.
fn file<R: Any + Send>(call: &Call, handle: i64) -> Result<Borrowed<'_, R>, Stopped> {
    call.handles().borrow(handle).map_err(|missing| match missing {
        Missing::NotOpen => broken(call, &format!("file {handle} is not open")),
        Missing::Borrowed => in_use(call),
    })
}

/// Stops the program: two tasks use one file at the same time.
pub(crate) fn in_use(call: &Call) -> Stopped {
    let message = "another task reads or writes this file at the same time";
    call.raise(
        RuntimeError::new(codes::RACE, message)
            .with_help("let each task open a file of its own, or let one task do all of it"),
    )
}

/// The field with that number.
fn field<F>(call: &Call, found: Option<F>) -> Result<F, Stopped> {
    found.ok_or_else(|| broken(call, "there is no such field of a record"))
}

fn broken(call: &Call, what: &str) -> Stopped {
    call.raise(RuntimeError::new(
        codes::INTERNAL,
        format!("a file reader was used wrongly: {what}"),
    ))
}

/// Answers with a file that `open` opens, or why it does not.
fn answer_opened<R: Any + Send>(call: &Call, open: impl Fn() -> Result<R, String>) {
    match call.opening(open) {
        Ok(file) => {
            if let Ok(file) = call.open_file(file) {
                call.ok(file);
            }
        }
        Err(message) => call.fail(&message),
    }
}

/// Answers with one scalar, or closes the file and answers with the error.
fn answer(call: &Call, handle: i64, result: Result<u64, String>) {
    match result {
        Ok(value) => call.ok(value),
        Err(message) => {
            call.handles().remove(handle);
            call.fail(&message);
        }
    }
}

/// Answers with a string.
fn answer_text(call: &Call, text: &str) -> u64 {
    call.new_string(text).unwrap_or(0)
}

/// Writes elements into an array of compiled code from index `at` on.
///
/// # Safety
/// `array` is a live array of `T`s that compiled code passed to the native that is running.
unsafe fn fill<T: Whole>(
    call: &Call,
    array: u64,
    at: i64,
    count: usize,
    items: impl Iterator<Item = T>,
) {
    // SAFETY: the caller's promise; nothing allocates while the places are used.
    let slots = unsafe { places::<T>(array, i64::MAX) };
    let start = usize::try_from(at).unwrap_or(usize::MAX);
    let room = start.checked_add(count).and_then(|end| slots.get(start..end));
    let Some(room) = room else {
        broken(call, &format!("{count} elements do not fit in at {at}"));
        return;
    };
    for (slot, item) in room.iter().zip(items) {
        T::store(slot, item);
    }
}

/// Opens health files, or says why not.
unsafe extern "C" fn health_open(context: *mut Context, path: u64) {
    // SAFETY: see the module `natives`.
    let (call, path) = unsafe { (Call::new(context), text(path).to_string()) };
    answer_opened(&call, || HealthFile::open(&path));
}

/// Moves to the next event; see [`HealthFile::next`].
unsafe extern "C" fn health_next(context: *mut Context, handle: u64) {
    // SAFETY: see the module `natives`.
    let (call, handle) = unsafe { (Call::new(context), handle_of(handle)) };
    if let Ok(mut health) = file::<HealthFile>(&call, handle) {
        let next = health.next();
        answer(&call, handle, next.map(|event| event as u64));
    }
}

/// The number of a text of the event; see [`HealthFile::key`].
unsafe extern "C" fn health_key(context: *mut Context, handle: u64, number: i64) -> i64 {
    // SAFETY: see the module `natives`.
    let (call, handle) = unsafe { (Call::new(context), handle_of(handle)) };
    let Ok(which) = field(&call, Field::from_number(number)) else { return 0 };
    file::<HealthFile>(&call, handle).map_or(0, |mut health| health.key(which))
}

/// A text of the event.
unsafe extern "C" fn health_text(context: *mut Context, handle: u64, number: i64) -> u64 {
    // SAFETY: see the module `natives`.
    let (call, handle) = unsafe { (Call::new(context), handle_of(handle)) };
    let Ok(which) = field(&call, Field::from_number(number)) else { return 0 };
    file::<HealthFile>(&call, handle).map_or(0, |health| answer_text(&call, health.text(which)))
}

/// The measured value, or NaN.
unsafe extern "C" fn health_value(context: *mut Context, handle: u64) -> f64 {
    // SAFETY: see the module `natives`.
    let (call, handle) = unsafe { (Call::new(context), handle_of(handle)) };
    file::<HealthFile>(&call, handle).map_or(0.0, |health| health.value())
}

/// The date of the event, or the birth date; see [`HealthFile::date`].
unsafe extern "C" fn health_date(context: *mut Context, handle: u64) -> i64 {
    // SAFETY: see the module `natives`.
    let (call, handle) = unsafe { (Call::new(context), handle_of(handle)) };
    file::<HealthFile>(&call, handle).map_or(0, |health| health.date())
}

/// Whether the measurement is answered in words.
unsafe extern "C" fn health_is_answer(context: *mut Context, handle: u64) -> u64 {
    // SAFETY: see the module `natives`.
    let (call, handle) = unsafe { (Call::new(context), handle_of(handle)) };
    file::<HealthFile>(&call, handle).map_or(0, |health| health.is_answer().into())
}

/// Records passed over because their source withdrew them.
unsafe extern "C" fn health_withdrawn(context: *mut Context, handle: u64) -> i64 {
    // SAFETY: see the module `natives`.
    let (call, handle) = unsafe { (Call::new(context), handle_of(handle)) };
    file::<HealthFile>(&call, handle).map_or(0, |health| health.withdrawn())
}

/// The name of the format.
unsafe extern "C" fn health_format(context: *mut Context, handle: u64) -> u64 {
    // SAFETY: see the module `natives`.
    let (call, handle) = unsafe { (Call::new(context), handle_of(handle)) };
    file::<HealthFile>(&call, handle).map_or(0, |health| answer_text(&call, health.format()))
}

/// Closes any file.
unsafe extern "C" fn reader_close(context: *mut Context, handle: u64) {
    // SAFETY: see the module `natives`.
    let (call, handle) = unsafe { (Call::new(context), handle_of(handle)) };
    call.handles().remove(handle);
}

/// Opens a FASTA file, or says why not.
unsafe extern "C" fn fasta_open(context: *mut Context, path: u64) {
    // SAFETY: see the module `natives`.
    let (call, path) = unsafe { (Call::new(context), text(path).to_string()) };
    answer_opened(&call, || FastaFile::open(&path));
}

/// Moves to the next sequence; false after the last.
unsafe extern "C" fn fasta_next(context: *mut Context, handle: u64) {
    // SAFETY: see the module `natives`.
    let (call, handle) = unsafe { (Call::new(context), handle_of(handle)) };
    if let Ok(mut fasta) = file::<FastaFile>(&call, handle) {
        let next = fasta.next();
        answer(&call, handle, next.map(u64::from));
    }
}

/// The name of the sequence.
unsafe extern "C" fn fasta_name(context: *mut Context, handle: u64) -> u64 {
    // SAFETY: see the module `natives`.
    let (call, handle) = unsafe { (Call::new(context), handle_of(handle)) };
    file::<FastaFile>(&call, handle).map_or(0, |fasta| answer_text(&call, fasta.name()))
}

/// Reads the bases of the sequence; answers with their number.
unsafe extern "C" fn fasta_load(context: *mut Context, handle: u64) {
    // SAFETY: see the module `natives`.
    let (call, handle) = unsafe { (Call::new(context), handle_of(handle)) };
    if let Ok(mut fasta) = file::<FastaFile>(&call, handle) {
        let length = fasta.load();
        answer(&call, handle, length.map(|length| length as u64));
    }
}

/// Moves the bases that were read into an array of bytes.
unsafe extern "C" fn fasta_bases(context: *mut Context, handle: u64, into: u64) {
    // SAFETY: see the module `natives`.
    let (call, handle) = unsafe { (Call::new(context), handle_of(handle)) };
    if let Ok(mut fasta) = file::<FastaFile>(&call, handle) {
        let bases = fasta.take_bases();
        // SAFETY: compiled code passes an array of bytes.
        unsafe { fill(&call, into, 0, bases.len(), bases.into_iter()) };
    }
}

/// Opens a SAM, BAM or FASTQ file, or says why not.
unsafe extern "C" fn reads_open(context: *mut Context, path: u64) {
    // SAFETY: see the module `natives`.
    let (call, path) = unsafe { (Call::new(context), text(path).to_string()) };
    answer_opened(&call, || ReadsFile::open(&path));
}

/// Moves to the next read; false after the last.
unsafe extern "C" fn reads_next(context: *mut Context, handle: u64) {
    // SAFETY: see the module `natives`.
    let (call, handle) = unsafe { (Call::new(context), handle_of(handle)) };
    if let Ok(mut reads) = file::<ReadsFile>(&call, handle) {
        let next = reads.next();
        answer(&call, handle, next.map(u64::from));
    }
}

/// The name of the sample.
unsafe extern "C" fn reads_sample(context: *mut Context, handle: u64) -> u64 {
    // SAFETY: see the module `natives`.
    let (call, handle) = unsafe { (Call::new(context), handle_of(handle)) };
    file::<ReadsFile>(&call, handle).map_or(0, |reads| answer_text(&call, reads.sample()))
}

/// How many references the file names.
unsafe extern "C" fn reads_reference_count(context: *mut Context, handle: u64) -> i64 {
    // SAFETY: see the module `natives`.
    let (call, handle) = unsafe { (Call::new(context), handle_of(handle)) };
    file::<ReadsFile>(&call, handle).map_or(0, |reads| reads.references().len() as i64)
}

/// The name of a reference.
unsafe extern "C" fn reads_reference_name(context: *mut Context, handle: u64, index: i64) -> u64 {
    // SAFETY: see the module `natives`.
    let (call, handle) = unsafe { (Call::new(context), handle_of(handle)) };
    let Ok(reads) = file::<ReadsFile>(&call, handle) else { return 0 };
    let found = usize::try_from(index).ok().and_then(|index| reads.references().nth(index));
    field(&call, found).map_or(0, |(name, _)| answer_text(&call, name))
}

/// The length of a reference, 0 if it is not known.
unsafe extern "C" fn reads_reference_length(context: *mut Context, handle: u64, index: i64) -> i64 {
    // SAFETY: see the module `natives`.
    let (call, handle) = unsafe { (Call::new(context), handle_of(handle)) };
    let Ok(reads) = file::<ReadsFile>(&call, handle) else { return 0 };
    let found = usize::try_from(index).ok().and_then(|index| reads.references().nth(index));
    field(&call, found).map_or(0, |(_, length)| length)
}

/// A number of the read.
unsafe extern "C" fn reads_number(context: *mut Context, handle: u64, number: i64) -> i64 {
    // SAFETY: see the module `natives`.
    let (call, handle) = unsafe { (Call::new(context), handle_of(handle)) };
    let Ok(which) = field(&call, ReadField::from_number(number)) else { return 0 };
    file::<ReadsFile>(&call, handle).map_or(0, |reads| reads.number(which))
}

/// Copies the read's bases into an array of bytes.
unsafe extern "C" fn reads_bases(context: *mut Context, handle: u64, into: u64, at: i64) {
    // SAFETY: see the module `natives`.
    let (call, handle) = unsafe { (Call::new(context), handle_of(handle)) };
    if let Ok(reads) = file::<ReadsFile>(&call, handle) {
        let count = reads.bases().len();
        // SAFETY: compiled code passes an array of bytes.
        unsafe { fill(&call, into, at, count, reads.bases().iter().map(|&base| letter(base))) };
    }
}

/// Copies the read's qualities into an array of bytes.
unsafe extern "C" fn reads_qualities(context: *mut Context, handle: u64, into: u64, at: i64) {
    // SAFETY: see the module `natives`.
    let (call, handle) = unsafe { (Call::new(context), handle_of(handle)) };
    if let Ok(reads) = file::<ReadsFile>(&call, handle) {
        let count = reads.bases().len();
        // SAFETY: compiled code passes an array of bytes.
        unsafe { fill(&call, into, at, count, reads.qualities()) };
    }
}

/// Copies the read's operations into an array of ints.
unsafe extern "C" fn reads_cigar(context: *mut Context, handle: u64, into: u64, at: i64) {
    // SAFETY: see the module `natives`.
    let (call, handle) = unsafe { (Call::new(context), handle_of(handle)) };
    if let Ok(reads) = file::<ReadsFile>(&call, handle) {
        // SAFETY: compiled code passes an array of ints.
        unsafe { fill(&call, into, at, reads.cigar().len(), reads.cigar()) };
    }
}

/// Opens a VCF or BCF file, or says why not.
unsafe extern "C" fn vcf_open(context: *mut Context, path: u64) {
    // SAFETY: see the module `natives`.
    let (call, path) = unsafe { (Call::new(context), text(path).to_string()) };
    answer_opened(&call, || VariantFile::open(&path));
}

/// Moves to the next variant; false after the last.
unsafe extern "C" fn vcf_next(context: *mut Context, handle: u64) {
    // SAFETY: see the module `natives`.
    let (call, handle) = unsafe { (Call::new(context), handle_of(handle)) };
    if let Ok(mut variants) = file::<VariantFile>(&call, handle) {
        let next = variants.next();
        answer(&call, handle, next.map(u64::from));
    }
}

/// A text of the variant.
unsafe extern "C" fn vcf_text(context: *mut Context, handle: u64, number: i64) -> u64 {
    // SAFETY: see the module `natives`.
    let (call, handle) = unsafe { (Call::new(context), handle_of(handle)) };
    let Ok(which) = field(&call, Text::from_number(number)) else { return 0 };
    let Ok(variants) = file::<VariantFile>(&call, handle) else { return 0 };
    let mut string = 0;
    variants.text(which, |text| string = answer_text(&call, text));
    string
}

/// A number of the variant, or NaN.
unsafe extern "C" fn vcf_number(context: *mut Context, handle: u64, number: i64) -> f64 {
    // SAFETY: see the module `natives`.
    let (call, handle) = unsafe { (Call::new(context), handle_of(handle)) };
    let Ok(which) = field(&call, Number::from_number(number)) else { return 0.0 };
    file::<VariantFile>(&call, handle).map_or(0.0, |variants| variants.number(which))
}

/// A count of the variant or the file, or -1.
unsafe extern "C" fn vcf_count(context: *mut Context, handle: u64, number: i64) -> i64 {
    // SAFETY: see the module `natives`.
    let (call, handle) = unsafe { (Call::new(context), handle_of(handle)) };
    let Ok(which) = field(&call, Count::from_number(number)) else { return 0 };
    file::<VariantFile>(&call, handle).map_or(0, |variants| variants.count(which))
}

/// The name of a sample.
unsafe extern "C" fn vcf_sample(context: *mut Context, handle: u64, index: i64) -> u64 {
    // SAFETY: see the module `natives`.
    let (call, handle) = unsafe { (Call::new(context), handle_of(handle)) };
    let Ok(variants) = file::<VariantFile>(&call, handle) else { return 0 };
    let found = usize::try_from(index).ok().and_then(|index| variants.samples().get(index));
    field(&call, found).map_or(0, |name| answer_text(&call, name))
}

/// The name of a sequence of the header.
unsafe extern "C" fn vcf_contig_name(context: *mut Context, handle: u64, index: i64) -> u64 {
    // SAFETY: see the module `natives`.
    let (call, handle) = unsafe { (Call::new(context), handle_of(handle)) };
    let Ok(variants) = file::<VariantFile>(&call, handle) else { return 0 };
    let found = usize::try_from(index).ok().and_then(|index| variants.contigs().get(index));
    field(&call, found).map_or(0, |contig| answer_text(&call, &contig.name))
}

/// The length of a sequence of the header, 0 if it is not known.
unsafe extern "C" fn vcf_contig_length(context: *mut Context, handle: u64, index: i64) -> i64 {
    // SAFETY: see the module `natives`.
    let (call, handle) = unsafe { (Call::new(context), handle_of(handle)) };
    let Ok(variants) = file::<VariantFile>(&call, handle) else { return 0 };
    let found = usize::try_from(index).ok().and_then(|index| variants.contigs().get(index));
    field(&call, found).map_or(0, |contig| contig.length.map_or(0, |length| length as i64))
}

/// Begins to write a VCF file.
unsafe extern "C" fn vcf_begin(context: *mut Context, path: u64) -> u64 {
    // SAFETY: see the module `natives`.
    let (call, output) = unsafe { (Call::new(context), VariantOutput::new(text(path))) };
    call.open_file(output).unwrap_or(0)
}

/// Names a sample.
unsafe extern "C" fn vcf_add_sample(context: *mut Context, handle: u64, name: u64) {
    // SAFETY: see the module `natives`.
    let (call, handle, name) = unsafe { (Call::new(context), handle_of(handle), text(name)) };
    if let Ok(mut output) = file::<VariantOutput>(&call, handle) {
        output.add_sample(name);
    }
}

/// Names a sequence.
unsafe extern "C" fn vcf_add_contig(context: *mut Context, handle: u64, name: u64, length: i64) {
    // SAFETY: see the module `natives`.
    let (call, handle, name) = unsafe { (Call::new(context), handle_of(handle), text(name)) };
    if let Ok(mut output) = file::<VariantOutput>(&call, handle) {
        output.add_contig(name, length);
    }
}

/// Sets a text of the next variant.
unsafe extern "C" fn vcf_set_text(context: *mut Context, handle: u64, number: i64, value: u64) {
    // SAFETY: see the module `natives`.
    let (call, handle, value) = unsafe { (Call::new(context), handle_of(handle), text(value)) };
    let Ok(which) = field(&call, Text::from_number(number)) else { return };
    if let Ok(mut output) = file::<VariantOutput>(&call, handle) {
        output.set_text(which, value);
    }
}

/// Sets a number of the next variant.
unsafe extern "C" fn vcf_set_number(context: *mut Context, handle: u64, number: i64, value: f64) {
    // SAFETY: see the module `natives`.
    let (call, handle) = unsafe { (Call::new(context), handle_of(handle)) };
    let Ok(which) = field(&call, Number::from_number(number)) else { return };
    if let Ok(mut output) = file::<VariantOutput>(&call, handle) {
        output.set_number(which, value);
    }
}

/// Sets a count of the next variant.
unsafe extern "C" fn vcf_set_count(context: *mut Context, handle: u64, number: i64, value: i64) {
    // SAFETY: see the module `natives`.
    let (call, handle) = unsafe { (Call::new(context), handle_of(handle)) };
    let Ok(which) = field(&call, Count::from_number(number)) else { return };
    if let Ok(mut output) = file::<VariantOutput>(&call, handle) {
        output.set_count(which, value);
    }
}

/// A result that has no value is its message alone: 0 if all went well. A writer that failed is closed.
fn answer_done(call: &Call, handle: i64, done: Result<(), String>) -> u64 {
    match done {
        Ok(()) => 0,
        Err(message) => {
            call.handles().remove(handle);
            answer_text(call, &message)
        }
    }
}

/// Writes the variant whose fields were set.
unsafe extern "C" fn vcf_write(context: *mut Context, handle: u64) -> u64 {
    // SAFETY: see the module `natives`.
    let (call, handle) = unsafe { (Call::new(context), handle_of(handle)) };
    let Ok(mut output) = file::<VariantOutput>(&call, handle) else { return 0 };
    let done = output.write();
    answer_done(&call, handle, done)
}

/// Completes and closes the file.
unsafe extern "C" fn vcf_finish(context: *mut Context, handle: u64) -> u64 {
    // SAFETY: see the module `natives`.
    let (call, handle) = unsafe { (Call::new(context), handle_of(handle)) };
    let Ok(mut output) = file::<VariantOutput>(&call, handle) else { return 0 };
    let done = output.finish();
    let answer = answer_done(&call, handle, done);
    call.handles().remove(handle);
    answer
}

#[cfg(test)]
mod tests {
    /// A path of the repository's example data.
    pub(super) fn data(path: &str) -> String {
        format!("{}/../../examples/data/{path}", env!("CARGO_MANIFEST_DIR"))
    }
}
