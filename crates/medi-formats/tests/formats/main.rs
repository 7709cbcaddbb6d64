//! What the readers promise, held against real files, made files and damaged files.

mod bad_input;
mod common;
mod damage;
mod health;
mod real_files;
mod variants;
