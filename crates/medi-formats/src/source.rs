//! A file as a stream of decompressed bytes.
//!
//! A [`Source`] opens a path, sees from the first bytes whether gzip or bgzip (BGZF) lies over the content, and
//! then is a [`BufRead`] of the content. It promises three things that the layers above rely on:
//!
//! * **A cut file is an error.** gzip has a checksum behind its data, so a cut shows. BGZF is a chain of small gzip
//!   members, where a cut between two members does not show except by the missing end marker; a file is asked
//!   for it when it is opened, a pipe when it ends.
//! * **A record has a largest size.** [`Source::begin_record`] marks a start, and more than [`MAX_RECORD_BYTES`]
//!   behind it is an error. So no parser above, ours or another crate's, collects without end.
//! * **Progress** is counted where the bytes leave the file system.

use std::{
    error::Error,
    fmt,
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use flate2::bufread::MultiGzDecoder;
use noodles::bgzf;

use crate::{
    content::{Content, sniff},
    error::{ErrorKind, FormatError},
};

/// The largest record (and so the largest field) that a reader holds in memory, in bytes: 256 MiB. The bases of a
/// FASTA sequence come in chunks and are not bound by it.
pub const MAX_RECORD_BYTES: u64 = 256 << 20;

/// How much of the content [`Source::head`] shows. DICOM and NIfTI name themselves within the first 352 bytes; the
/// rest is for telling text formats apart.
const HEAD: usize = 8 << 10;

/// Size of the buffers between the file, the decompressor and the parser. Larger ones measured no faster.
const BUFFER: usize = 128 << 10;

/// The header of a BGZF block: a gzip header with one extra field, named BC.
const BGZF_HEADER: usize = 18;

/// The empty block that ends every whole BGZF file (SAM specification, 4.1.2).
const BGZF_END: [u8; 28] = [
    0x1f, 0x8b, 0x08, 0x04, 0, 0, 0, 0, 0, 0xff, 0x06, 0, 0x42, 0x43, 0x02, 0, 0x1b, 0, 0x03, 0, 0,
    0, 0, 0, 0, 0, 0, 0,
];

/// What lies over the content of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Compression {
    None,
    /// gzip (RFC 1952), of one member or several.
    Gzip,
    /// gzip in independent blocks of at most 64 KiB, as SAM tools write it.
    Bgzip,
}

/// The stream of an opened file.
pub(crate) struct Source {
    path: PathBuf,
    stream: Stream,
    total: u64,
    head: Vec<u8>,
    head_taken: usize,
    consumed: u64,
    limit: u64,
}

enum Stream {
    Plain(BufReader<Counted>),
    Gzip(Box<BufReader<MultiGzDecoder<BufReader<Counted>>>>),
    Bgzip(bgzf::io::Reader<BufReader<Counted>>),
}

impl Source {
    /// Opens a file and reads the first bytes of its content.
    pub fn open(path: &Path) -> Result<Self, FormatError> {
        let fail = |error: &io::Error| FormatError::from_io(path, error);
        let mut file = File::open(path).map_err(|e| fail(&e))?;
        let metadata = file.metadata().map_err(|e| fail(&e))?;
        if metadata.is_dir() {
            return Err(FormatError::new(
                ErrorKind::WrongFormat,
                path,
                "this is a directory, but a file is needed",
                "give the file inside it",
            ));
        }
        let total = if metadata.is_file() { metadata.len() } else { 0 };
        let ends_like_bgzf =
            !metadata.is_file() || ends_with_marker(&mut file).map_err(|e| fail(&e))?;

        let mut first = Vec::with_capacity(BGZF_HEADER);
        (&mut file).take(BGZF_HEADER as u64).read_to_end(&mut first).map_err(|e| fail(&e))?;
        let compression = compression_of(&first);
        let raw = BufReader::with_capacity(BUFFER, Counted::new(file, first));
        if compression == Compression::Bgzip && !ends_like_bgzf {
            return Err(FormatError::new(
                ErrorKind::Truncated,
                path,
                "the file is cut: the end marker that closes every bgzip file is missing",
                "copy or download it again; if the program that wrote it writes no end marker, rewrite the file \
                 with `samtools view -b` or `gunzip -c FILE | bgzip`",
            ));
        }
        let stream = match compression {
            Compression::None => Stream::Plain(raw),
            Compression::Gzip => {
                Stream::Gzip(Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(raw))))
            }
            Compression::Bgzip => Stream::Bgzip(bgzf::io::Reader::new(raw)),
        };
        let mut source = Self {
            path: path.to_owned(),
            stream,
            total,
            head: Vec::new(),
            head_taken: 0,
            consumed: 0,
            limit: MAX_RECORD_BYTES,
        };
        source.read_head().map_err(|e| fail(&e))?;
        Ok(source)
    }

    fn read_head(&mut self) -> io::Result<()> {
        let mut head = Vec::with_capacity(HEAD);
        while head.len() < HEAD {
            let chunk = self.stream.fill()?;
            if chunk.is_empty() {
                break;
            }
            let n = chunk.len().min(HEAD - head.len());
            head.extend_from_slice(&chunk[..n]);
            self.stream.skip(n);
        }
        self.head = head;
        Ok(())
    }

    /// The first bytes of the content (up to 8 KiB), whatever has been consumed since.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// What the content is, by its first bytes.
    pub fn content(&self) -> Content {
        sniff(&self.head)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of content consumed so far.
    pub fn offset(&self) -> u64 {
        self.consumed
    }

    /// Bytes of the file read so far, and its size (0 for a pipe).
    pub fn progress(&self) -> (u64, u64) {
        let counted = match &self.stream {
            Stream::Plain(reader) => reader.get_ref(),
            Stream::Gzip(reader) => reader.get_ref().get_ref().get_ref(),
            Stream::Bgzip(reader) => reader.get_ref().get_ref(),
        };
        (counted.taken, self.total)
    }

    /// Says that a record starts here: it may be [`MAX_RECORD_BYTES`] long.
    pub fn begin_record(&mut self) {
        self.limit = self.consumed.saturating_add(MAX_RECORD_BYTES);
    }

    /// The error for a file that is not what was asked for.
    pub fn wrong_format(&self, wanted: &str) -> FormatError {
        self.content().refuse(&self.path, wanted)
    }

    /// Consumes a UTF-8 byte order mark at the very start, which spreadsheets like to write.
    pub fn skip_byte_order_mark(&mut self) {
        if self.consumed == 0 && self.head.starts_with(b"\xef\xbb\xbf") {
            self.consume(3);
        }
    }
}

impl BufRead for Source {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.consumed > self.limit {
            return Err(io::Error::other(RecordTooLarge));
        }
        if self.head_taken < self.head.len() {
            return Ok(&self.head[self.head_taken..]);
        }
        self.stream.fill()
    }

    fn consume(&mut self, n: usize) {
        self.consumed += n as u64;
        if self.head_taken < self.head.len() {
            self.head_taken += n;
        } else {
            self.stream.skip(n);
        }
    }
}

impl Read for Source {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut chunk = self.fill_buf()?;
        let n = chunk.read(into)?;
        self.consume(n);
        Ok(n)
    }
}

impl Stream {
    fn fill(&mut self) -> io::Result<&[u8]> {
        match self {
            Stream::Plain(reader) => reader.fill_buf(),
            Stream::Gzip(reader) => reader.fill_buf(),
            Stream::Bgzip(reader) => {
                // noodles takes a header that is cut for the end of the file, hence the look at the last bytes.
                if reader.fill_buf()?.is_empty() && reader.get_ref().get_ref().last != BGZF_END {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                reader.fill_buf()
            }
        }
    }

    fn skip(&mut self, n: usize) {
        match self {
            Stream::Plain(reader) => reader.consume(n),
            Stream::Gzip(reader) => reader.consume(n),
            Stream::Bgzip(reader) => reader.consume(n),
        }
    }
}

/// The file itself: counts what is taken from it and remembers its last bytes.
struct Counted {
    file: File,
    /// Bytes looked at to find the compression, to be read again.
    prefix: Vec<u8>,
    taken: u64,
    last: [u8; BGZF_END.len()],
}

impl Counted {
    fn new(file: File, prefix: Vec<u8>) -> Self {
        Self { file, prefix, taken: 0, last: [0; BGZF_END.len()] }
    }

    fn remember(&mut self, read: &[u8]) {
        self.taken += read.len() as u64;
        let keep = self.last.len();
        if read.len() >= keep {
            self.last.copy_from_slice(&read[read.len() - keep..]);
        } else {
            self.last.rotate_left(read.len());
            self.last[keep - read.len()..].copy_from_slice(read);
        }
    }
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = if self.prefix.is_empty() {
            self.file.read(into)?
        } else {
            let n = self.prefix.len().min(into.len());
            into[..n].copy_from_slice(&self.prefix[..n]);
            self.prefix.drain(..n);
            n
        };
        self.remember(&into[..n]);
        Ok(n)
    }
}

/// The parser above read more than [`MAX_RECORD_BYTES`] without finding the end of a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordTooLarge;

impl fmt::Display for RecordTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the record is larger than {} MiB", MAX_RECORD_BYTES >> 20)
    }
}

impl Error for RecordTooLarge {}

fn compression_of(first: &[u8]) -> Compression {
    let bgzf =
        first.len() == BGZF_HEADER && first[3] & 4 != 0 && first[10..16] == *b"\x06\0BC\x02\0";
    match first {
        [0x1f, 0x8b, 8, ..] if bgzf => Compression::Bgzip,
        [0x1f, 0x8b, 8, ..] => Compression::Gzip,
        _ => Compression::None,
    }
}

fn ends_with_marker(file: &mut File) -> io::Result<bool> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut last = [0; BGZF_END.len()];
    if length >= last.len() as u64 {
        file.seek(SeekFrom::End(-(last.len() as i64)))?;
        file.read_exact(&mut last)?;
    }
    file.rewind()?;
    Ok(last == BGZF_END)
}
