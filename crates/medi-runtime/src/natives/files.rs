//! Text files. Text compressed with gzip or bgzip opens by itself; a file that is not UTF-8 is an error that
//! says where.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use medi_heap::Bytes;

use crate::call::Call;
use crate::context::Context;
use crate::handles::Missing;
use crate::natives::readers::in_use;
use crate::value::{handle_of, text};

super::table! {
    call read_text, call write_text, call append_text, leaf file_exists, call remove_file, call lines_open, call lines_next,
    call lines_close, call directory_names,
}

/// A file's content, decompressed.
fn open(path: &str) -> io::Result<Box<dyn BufRead + Send>> {
    let mut raw: Box<dyn BufRead + Send> = if path == "-" {
        Box::new(BufReader::new(io::stdin()))
    } else {
        if Path::new(path).is_dir() {
            return Err(io::Error::other("it is a directory, not a file"));
        }
        Box::new(BufReader::with_capacity(128 << 10, File::open(path)?))
    };
    let gzip = raw.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    Ok(if gzip { Box::new(BufReader::new(MultiGzDecoder::new(raw))) } else { raw })
}

/// What the operating system says, in the words of a person.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        io::ErrorKind::UnexpectedEof => "the compressed file is cut off".into(),
        _ => {
            let text = error.to_string();
            match text.find(" (os error") {
                Some(end) => text[..end].to_lowercase(),
                None => text,
            }
        }
    }
}

fn cannot(what: &str, path: &str, error: &io::Error) -> String {
    let reason = match error.kind() {
        io::ErrorKind::NotFound if what.starts_with("write") => "there is no such directory".into(),
        io::ErrorKind::NotFound if what == "list" => "there is no such directory".into(),
        _ => reason(error),
    };
    format!("cannot {what} {path}: {reason}")
}

/// A file's content, if it is not larger than the memory limit.
fn read_whole(path: &str, limit: u64) -> Result<Vec<u8>, String> {
    let file = open(path).map_err(|error| cannot("read", path, &error))?;
    let mut content = vec![];
    let read = file.take(limit.saturating_add(1)).read_to_end(&mut content);
    read.map_err(|error| cannot("read", path, &error))?;
    if content.len() as u64 > limit {
        return Err(format!(
            "cannot read {path} as one text: it is larger than the memory limit of {}; read it line by line with \
             `open_lines`, or allow more with --memory",
            Bytes(limit)
        ));
    }
    Ok(content)
}

/// `read_text(path: string) -> Result[string]`.
unsafe extern "C" fn read_text(context: *mut Context, path: u64) {
    // SAFETY: see the module `natives`.
    let (call, path) = unsafe { (Call::new(context), text(path).to_string()) };
    let limit = call.heap().stats().limit.unwrap_or(u64::MAX);
    let content = match call.opening(|| read_whole(&path, limit)) {
        Ok(content) => content,
        Err(message) => return call.fail(&message),
    };
    match std::str::from_utf8(&content) {
        Ok(text) => {
            if let Ok(text) = call.new_string(text) {
                call.ok(text);
            }
        }
        Err(error) => {
            let at = error.valid_up_to();
            let line = content[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
            call.fail(&format!(
                "cannot read {path} as text: line {line} is not valid UTF-8 (byte {at})"
            ));
        }
    }
}

/// Answers a `Result[()]`: 0 or the message.
fn answer(call: Call, result: Result<(), String>) -> u64 {
    result.err().map_or(0, |message| call.new_string(&message).unwrap_or(0))
}

/// `write_text(path: string, text: string) -> Result[()]`: replaces the file, whole or not at all.
unsafe extern "C" fn write_text(context: *mut Context, path: u64, content: u64) -> u64 {
    // SAFETY: see the module `natives`.
    let (call, path, content) = unsafe { (Call::new(context), text(path), text(content)) };
    let written = write_whole(path, content.as_bytes());
    answer(call, written.map_err(|error| cannot("write", path, &error)))
}

/// Writes beside the file and renames, so that a full disk leaves the old content. What is not a plain file
/// (a pipe, a device, a link) is written to directly.
fn write_whole(path: &str, content: &[u8]) -> io::Result<()> {
    let plain = fs::symlink_metadata(path).map_or(true, |meta| meta.is_file());
    if !plain {
        return fs::write(path, content);
    }
    let beside = format!("{path}.{}.part", std::process::id());
    let written = fs::write(&beside, content).and_then(|()| {
        if let Ok(old) = fs::metadata(path) {
            fs::set_permissions(&beside, old.permissions())?;
        }
        fs::rename(&beside, path)
    });
    if written.is_err() {
        // The error to report is that of the write.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// `append_text(path: string, text: string) -> Result[()]`: at the end of the file, which is made if there is none.
unsafe extern "C" fn append_text(context: *mut Context, path: u64, content: u64) -> u64 {
    // SAFETY: see the module `natives`.
    let (call, path, content) = unsafe { (Call::new(context), text(path), text(content)) };
    let written = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .and_then(|mut file| file.write_all(content.as_bytes()));
    answer(call, written.map_err(|error| cannot("write to", path, &error)))
}

/// `file_exists(path: string) -> bool`: a file or a directory.
unsafe extern "C" fn file_exists(_: *mut Context, path: u64) -> u64 {
    // SAFETY: see the module `natives`.
    u64::from(Path::new(unsafe { text(path) }).exists())
}

/// `remove_file(path: string) -> Result[()]`.
unsafe extern "C" fn remove_file(context: *mut Context, path: u64) -> u64 {
    // SAFETY: see the module `natives`.
    let (call, path) = unsafe { (Call::new(context), text(path)) };
    answer(call, fs::remove_file(path).map_err(|error| cannot("remove", path, &error)))
}

/// A text file that is read line by line.
struct Lines {
    path: String,
    file: Box<dyn BufRead + Send>,
    /// It is no regular file: what it gives next may be a long time coming.
    may_wait: bool,
    number: u64,
    line: Vec<u8>,
}

/// The longest line that is read; a longer one is not a text file's.
const LONGEST: u64 = 256 << 20;

impl Lines {
    /// The next line without its end; `None` at the end of the file.
    fn next(&mut self) -> Result<Option<&str>, String> {
        self.line.clear();
        self.number += 1;
        let read = (&mut self.file).take(LONGEST).read_until(b'\n', &mut self.line);
        let read = read.map_err(|error| {
            format!("cannot read {}, line {}: {}", self.path, self.number, reason(&error))
        })?;
        if read == 0 {
            // There is no more to come, and descriptors are few.
            self.file = Box::new(io::empty());
            return Ok(None);
        }
        if read as u64 == LONGEST && self.line.last() != Some(&b'\n') {
            return Err(format!("cannot read {}: line {} is too long", self.path, self.number));
        }
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
            if self.line.last() == Some(&b'\r') {
                self.line.pop();
            }
        }
        match std::str::from_utf8(&self.line) {
            Ok(line) => Ok(Some(line)),
            Err(_) => Err(format!(
                "cannot read {} as text: line {} is not valid UTF-8",
                self.path, self.number
            )),
        }
    }
}

/// `lines_open(path: string) -> Result[array[int]]`; `-` is standard input.
unsafe extern "C" fn lines_open(context: *mut Context, path: u64) {
    // SAFETY: see the module `natives`.
    let (call, path) = unsafe { (Call::new(context), text(path).to_string()) };
    match call.opening(|| open(&path)) {
        Ok(file) => {
            let may_wait = path == "-" || !fs::metadata(&path).is_ok_and(|file| file.is_file());
            let lines = Lines { path, file, may_wait, number: 0, line: vec![] };
            if let Ok(file) = call.open_file(lines) {
                call.ok(file);
            }
        }
        Err(error) => call.fail(&cannot("read", &path, &error)),
    }
}

/// `lines_next(file: array[int]) -> Result[string?]`: nil at the end.
unsafe extern "C" fn lines_next(context: *mut Context, file: u64) {
    // SAFETY: see the module `natives`.
    let (call, handle) = unsafe { (Call::new(context), handle_of(file)) };
    let mut lines = match call.handles().borrow::<Lines>(handle) {
        Ok(lines) => lines,
        Err(Missing::NotOpen) => return call.fail("these lines are closed"),
        Err(Missing::Borrowed) => {
            in_use(&call);
            return;
        }
    };
    let next = if lines.may_wait { call.waiting(|| lines.next()) } else { lines.next() };
    match next {
        Ok(Some(line)) => {
            if let Ok(line) = call.new_string(line) {
                call.ok(line);
            }
        }
        Ok(None) => call.ok(0),
        Err(message) => {
            call.handles().remove(handle);
            call.fail(&message);
        }
    }
}

/// `lines_close(file: array[int])`.
unsafe extern "C" fn lines_close(context: *mut Context, file: u64) {
    // SAFETY: see the module `natives`.
    let (call, handle) = unsafe { (Call::new(context), handle_of(file)) };
    call.handles().remove(handle);
}

/// `directory_names(path: string) -> Result[string]`: names in a directory, sorted, each followed by a NUL.
unsafe extern "C" fn directory_names(context: *mut Context, path: u64) {
    // SAFETY: see the module `natives`.
    let (call, path) = unsafe { (Call::new(context), text(path).to_string()) };
    let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned() + "\0";
    let names = call.opening(|| -> io::Result<Vec<String>> {
        fs::read_dir(&path)?.map(|entry| entry.map(name)).collect()
    });
    match names {
        Ok(mut names) => {
            names.sort();
            if let Ok(names) = call.new_string(&names.concat()) {
                call.ok(names);
            }
        }
        Err(error) => call.fail(&cannot("list", &path, &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(content: &[u8]) -> Lines {
        let file = Box::new(io::Cursor::new(content.to_vec()));
        Lines { path: "notes.txt".into(), file, may_wait: false, number: 0, line: vec![] }
    }

    #[test]
    fn lines_come_without_their_ends_and_the_last_needs_none() {
        let mut lines = lines(b"one\r\ntwo\n\nlast");
        let mut read = vec![];
        while let Some(line) = lines.next().unwrap() {
            read.push(line.to_string());
        }
        assert_eq!(read, ["one", "two", "", "last"]);
    }

    #[test]
    fn a_line_that_is_not_text_is_named() {
        let mut lines = lines(b"fine\n\xff\xfe\n");
        lines.next().unwrap();
        let error = lines.next().unwrap_err();
        assert_eq!(error, "cannot read notes.txt as text: line 2 is not valid UTF-8");
    }

    #[test]
    fn a_missing_file_says_so_plainly() {
        let error = open("no/such/file").err().unwrap();
        assert_eq!(
            cannot("read", "no/such/file", &error),
            "cannot read no/such/file: there is no such file"
        );
    }

    #[test]
    fn a_text_beyond_the_memory_limit_is_not_read_to_its_end() {
        let error = read_whole("/dev/zero", 1 << 20).unwrap_err();
        assert!(error.contains("larger than the memory limit of 1 MiB"), "{error}");
    }

    #[test]
    fn a_file_is_replaced_whole_and_compressed_text_opens_by_itself() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.txt");
        let path = path.to_str().unwrap();
        write_whole(path, b"old").unwrap();
        let mut gzip = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
        gzip.write_all("Größe".as_bytes()).unwrap();
        write_whole(path, &gzip.finish().unwrap()).unwrap();
        let mut content = String::new();
        open(path).unwrap().read_to_string(&mut content).unwrap();
        assert_eq!(content, "Größe");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
