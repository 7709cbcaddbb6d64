//! How a running program shows its counters to `medi gc-top`: it answers on a socket of its own, in a directory that
//! only its user can enter.
//!
//! The directory is `medi` in `$XDG_RUNTIME_DIR`, or `/tmp/medi-UID`; a program's socket is `PID.sock`. Who connects
//! gets one JSON object, the fields of `--gc-stats=json` and those of [`Program`], and the connection is closed.

use std::fs::{self, DirBuilder};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use medi_heap::Heap;
use serde_json::Value;

use crate::stats::RunStats;

/// How long one side waits for the other.
const PATIENCE: Duration = Duration::from_secs(2);
/// A file name of a socket ends so.
const SUFFIX: &str = ".sock";

/// The directory of the sockets of this user's programs, made if need be.
///
/// # Errors
/// When it cannot be made, or someone else could put something there.
pub fn directory() -> io::Result<PathBuf> {
    let user = fs::metadata("/proc/self")?.uid();
    let directory = match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(runtime) if Path::new(&runtime).is_dir() => Path::new(&runtime).join("medi"),
        _ => std::env::temp_dir().join(format!("medi-{user}")),
    };
    match DirBuilder::new().mode(0o700).create(&directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = fs::symlink_metadata(&directory)?;
    if !found.is_dir() || found.uid() != user || found.mode() & 0o077 != 0 {
        let problem = format!("{} is open to other users", directory.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, problem));
    }
    Ok(directory)
}

/// What a program says of itself beside its counters.
#[derive(Clone, Debug)]
pub struct Program {
    /// The source file and its arguments.
    pub command: String,
    /// Threads that run tasks.
    pub threads: usize,
}

/// Answers until it is dropped.
pub struct Publisher {
    path: PathBuf,
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Publisher {
    /// Starts to answer in `directory`, on a thread of its own.
    ///
    /// # Errors
    /// When the system gives no socket or no thread.
    pub fn start(
        directory: &Path,
        program: Program,
        heap: Heap,
        started: Instant,
    ) -> io::Result<Publisher> {
        let path = directory.join(format!("{}{SUFFIX}", std::process::id()));
        // Left behind by a process with the same number.
        let _ = fs::remove_file(&path);
        let listener = UnixListener::bind(&path)?;
        let done = Arc::new(AtomicBool::new(false));
        let mut publisher = Publisher { path, done: Arc::clone(&done), thread: None };
        let answer = move || {
            for stream in listener.incoming() {
                if done.load(Ordering::Relaxed) {
                    return;
                }
                let mut json = RunStats::now(heap.stats(), started.elapsed()).json();
                json["pid"] = std::process::id().into();
                json["command"] = program.command.clone().into();
                json["threads"] = program.threads.into();
                // Who asked and went away is not missed.
                let _ = stream.and_then(|mut stream| {
                    stream.set_write_timeout(Some(PATIENCE))?;
                    stream.write_all(json.to_string().as_bytes())
                });
            }
        };
        let thread = thread::Builder::new().name("medi-gc-top".into()).stack_size(256 << 10);
        publisher.thread = Some(thread.spawn(answer)?);
        Ok(publisher)
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && UnixStream::connect(&self.path).is_ok()
        {
            let _ = thread.join();
        }
        let _ = fs::remove_file(&self.path);
    }
}

/// The process numbers of the programs in `directory` that answer. Sockets that nobody answers on are removed.
///
/// # Errors
/// When the directory cannot be read.
pub fn running(directory: &Path) -> io::Result<Vec<u32>> {
    let mut pids = vec![];
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some(pid) = name.strip_suffix(SUFFIX).and_then(|pid| pid.parse().ok()) else {
            continue;
        };
        match UnixStream::connect(&path) {
            Ok(_) => pids.push(pid),
            Err(_) => _ = fs::remove_file(&path),
        }
    }
    pids.sort_unstable();
    Ok(pids)
}

/// Asks a program for its counters.
///
/// # Errors
/// When it does not run (any more), or does not answer.
pub fn ask(directory: &Path, pid: u32) -> io::Result<Value> {
    let mut stream = UnixStream::connect(directory.join(format!("{pid}{SUFFIX}")))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    serde_json::from_str(&text).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use medi_heap::{HandlesOnly, Options};

    #[test]
    fn a_program_answers_while_it_runs_and_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let options = Options { reserve: Some(64 << 20), ..Options::default() };
        let heap = Heap::new(options, Arc::new(HandlesOnly)).unwrap();
        let program = Program { command: "ward.medi".into(), threads: 3 };
        let publisher = Publisher::start(directory.path(), program, heap, Instant::now()).unwrap();
        let pid = std::process::id();
        assert_eq!(running(directory.path()).unwrap(), [pid]);
        for _ in 0..3 {
            let answer = ask(directory.path(), pid).unwrap();
            assert_eq!((&answer["command"], &answer["threads"]), (&"ward.medi".into(), &3.into()));
            assert_eq!(answer["cycles"], 0);
        }
        drop(publisher);
        assert!(ask(directory.path(), pid).is_err());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_killed_program_left_behind_is_cleared_away() {
        let directory = tempfile::tempdir().unwrap();
        let left = directory.path().join("4194304.sock");
        drop(UnixListener::bind(&left).unwrap());
        assert_eq!(running(directory.path()).unwrap(), [0; 0]);
        assert!(!left.exists());
    }
}
