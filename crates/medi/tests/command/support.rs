//! What the tests that run the `medi` command share.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// The top of the repository, from where programs are run, so that paths in messages are short.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository")
}

/// A `medi` command, without colours and settings of the caller's environment.
pub fn medi(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_medi"));
    command.args(args).current_dir(root()).env("NO_COLOR", "1");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MEDI_")) {
        command.env_remove(name);
    }
    command
}

/// What a command gives. One that hangs is killed, and the test fails: no program of the tests takes minutes.
pub fn finished(command: &mut Command) -> Output {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.expect("medi starts");
    let id = i32::try_from(child.id()).expect("a process id");
    let (send, ended) = mpsc::channel();
    thread::spawn(move || send.send(child.wait_with_output()));
    match ended.recv_timeout(Duration::from_secs(120)) {
        Ok(output) => output.expect("medi ends"),
        Err(_) => {
            // SAFETY: the child has not been waited for, so its id is its own.
            unsafe { libc::kill(id, libc::SIGKILL) };
            panic!("{command:?} does not end");
        }
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Output, errors and exit code in one text, as fixtures store them.
pub fn transcript(output: &Output) -> String {
    let mut all = text(&output.stdout);
    if !output.stderr.is_empty() {
        all.push_str("-- stderr\n");
        all.push_str(&text(&output.stderr));
    }
    if !output.status.success() {
        let code = output.status.code().map_or("a signal".to_string(), |code| code.to_string());
        all.push_str(&format!("-- exit {code}\n"));
    }
    all
}

/// Compares with a stored text; `UPDATE=1` stores it instead. Returns what differs.
pub fn compare(expected: &Path, actual: &str) -> Result<(), String> {
    if std::env::var_os("UPDATE").is_some() {
        fs::write(expected, actual).expect("the fixture can be written");
        return Ok(());
    }
    let stored = fs::read_to_string(expected).unwrap_or_default();
    if stored == actual {
        return Ok(());
    }
    Err(format!(
        "{} differs (UPDATE=1 stores the new text)\n--- expected\n{stored}--- actual\n{actual}",
        expected.display()
    ))
}

/// Files of a folder with an ending, sorted.
pub fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut found: Vec<_> = paths.filter(|p| p.extension().is_some_and(|e| e == ending)).collect();
    found.sort();
    found
}
