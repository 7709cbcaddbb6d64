//! The `medi` command as its users meet it, and what must hold of the repository as a whole.

mod deep_stack;
mod examples;
mod explain;
mod files;
mod gc_top;
mod layers;
mod library_page;
mod limits;
mod races;
mod run;
mod scope_programs;

mod stopped;
mod support;
mod tasks;
