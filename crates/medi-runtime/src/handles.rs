//! Handles of native resources, such as open files, that Medi code holds as plain ints.
//!
//! Numbers are never reused, so that a number kept too long is an error and not somebody else's file.

use std::any::Any;
use std::collections::HashMap;

/// The open resources of one thread.
#[derive(Default)]
pub struct Handles {
    open: HashMap<i64, Box<dyn Any>>,
    last: i64,
}

impl Handles {
    /// The number under which the resource can be found; never 0.
    pub fn insert(&mut self, resource: impl Any) -> i64 {
        self.last += 1;
        self.open.insert(self.last, Box::new(resource));
        self.last
    }

    /// The resource, if it is open and of that type.
    pub fn get_mut<R: Any>(&mut self, handle: i64) -> Option<&mut R> {
        self.open.get_mut(&handle)?.downcast_mut()
    }

    /// Closes a resource; whether it was open.
    pub fn remove(&mut self, handle: i64) -> bool {
        self.open.remove(&handle).is_some()
    }
}
