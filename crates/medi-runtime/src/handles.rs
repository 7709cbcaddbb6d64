//! Handles of native resources, such as open files, that Medi code holds as numbers.
//!
//! Numbers are never reused, so that a number kept too long is an error and not somebody else's file. All tasks of a run
//! share one table, so that a number means the same to each. A native function borrows a resource while it uses it;
//! nothing is locked meanwhile, since it may wait for a collection, and a second task that wants the same resource
//! is told so.

use std::any::Any;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

type Resource = Box<dyn Any + Send>;

/// So many open resources are never too many.
const FEW: usize = 256;

/// The open resources of a run.
#[derive(Default)]
pub struct Handles(Mutex<Table>);

#[derive(Default)]
struct Table {
    /// By number; few are open at a time.
    open: Vec<(i64, State)>,
    last: i64,
    /// How many were open after the last collection that looked for lost ones.
    kept: usize,
    /// How many were closed.
    closed: u64,
}

enum State {
    Here(Resource),
    Borrowed,
}

/// Why a resource cannot be borrowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Missing {
    /// It was closed, or is of another type.
    NotOpen,
    /// Another task uses it right now.
    Borrowed,
}

/// A resource that goes back when this is dropped, unless its handle was closed meanwhile.
pub struct Borrowed<'h, R: Any + Send> {
    handles: &'h Handles,
    handle: i64,
    /// Empty only while it goes back.
    resource: Option<Box<R>>,
}

impl Handles {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number under which the resource can be found; never 0.
    pub fn insert(&self, resource: impl Any + Send) -> i64 {
        let mut table = self.table();
        table.last += 1;
        let handle = table.last;
        table.open.push((handle, State::Here(Box::new(resource))));
        handle
    }

    /// The resource, for the caller alone.
    ///
    /// # Errors
    /// When there is no such resource, or another task has it.
    pub fn borrow<R: Any + Send>(&self, handle: i64) -> Result<Borrowed<'_, R>, Missing> {
        let mut table = self.table();
        let state = table.open.iter_mut().find(|(number, _)| *number == handle);
        let (_, state) = state.ok_or(Missing::NotOpen)?;
        let resource = match mem::replace(state, State::Borrowed) {
            State::Borrowed => return Err(Missing::Borrowed),
            State::Here(resource) => resource,
        };
        match resource.downcast() {
            Ok(resource) => Ok(Borrowed { handles: self, handle, resource: Some(resource) }),
            Err(other) => {
                *state = State::Here(other);
                Err(Missing::NotOpen)
            }
        }
    }

    /// Whether so many are open that it is worth a collection to find lost ones: twice as many as it left last time.
    pub fn are_many(&self) -> bool {
        let table = self.table();
        table.open.len() >= FEW.max(2 * table.kept)
    }

    /// How many resources were closed so far.
    pub fn closed(&self) -> u64 {
        self.table().closed
    }

    /// Notes that such a collection was made, and what it found lost was closed.
    pub fn note_kept(&self) {
        let mut table = self.table();
        table.kept = table.open.len();
    }

    /// Closes a resource, as soon as nobody uses it; whether it was open.
    pub fn remove(&self, handle: i64) -> bool {
        let mut table = self.table();
        let Some(at) = table.open.iter().position(|(number, _)| *number == handle) else {
            return false;
        };
        let removed = table.open.swap_remove(at);
        table.closed += 1;
        // Closing a file may take a while.
        drop(table);
        drop(removed);
        true
    }
}

impl<R: Any + Send> Deref for Borrowed<'_, R> {
    type Target = R;

    fn deref(&self) -> &R {
        self.resource.as_ref().expect("a resource that is borrowed is here")
    }
}

impl<R: Any + Send> DerefMut for Borrowed<'_, R> {
    fn deref_mut(&mut self) -> &mut R {
        self.resource.as_mut().expect("a resource that is borrowed is here")
    }
}

impl<R: Any + Send> Drop for Borrowed<'_, R> {
    fn drop(&mut self) {
        let Some(resource) = self.resource.take() else { return };
        let mut table = self.handles.table();
        if let Some((_, state)) = table.open.iter_mut().find(|(number, _)| *number == self.handle) {
            *state = State::Here(resource);
            return;
        }
        drop(table);
        drop(resource);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_one_task_uses_another_is_refused_until_it_is_given_back() {
        let handles = Handles::default();
        let handle = handles.insert(7_i32);
        let mut first = handles.borrow::<i32>(handle).expect("it is open");
        assert_eq!(handles.borrow::<i32>(handle).err(), Some(Missing::Borrowed));
        *first += 1;
        drop(first);
        assert_eq!(handles.borrow::<i32>(handle).map(|found| *found).ok(), Some(8));
    }

    #[test]
    fn a_handle_that_is_closed_while_it_is_used_stays_closed_and_frees_what_it_held() {
        let handles = Handles::default();
        let held = Arc::new(());
        let handle = handles.insert(Arc::clone(&held));
        let used = handles.borrow::<Arc<()>>(handle).expect("it is open");
        assert!(handles.remove(handle));
        assert_eq!(Arc::strong_count(&held), 2);
        drop(used);
        assert_eq!(Arc::strong_count(&held), 1);
        assert_eq!(handles.borrow::<Arc<()>>(handle).err(), Some(Missing::NotOpen));
        assert!(!handles.remove(handle));
    }

    #[test]
    fn many_are_twice_as_many_as_were_kept() {
        let handles = Handles::default();
        let open = |count| (0..count).map(|_| handles.insert(())).collect::<Vec<_>>();
        open(FEW - 1);
        assert!(!handles.are_many());
        let last = open(1);
        assert!(handles.are_many());
        handles.note_kept();
        open(FEW - 1);
        assert!(!handles.are_many());
        open(1);
        assert!(handles.are_many());
        assert!(handles.remove(last[0]));
        assert!(!handles.are_many());
    }

    #[test]
    fn numbers_are_never_used_again_and_a_wrong_type_leaves_the_resource_open() {
        let handles = Handles::default();
        let first = handles.insert("one");
        assert_eq!(handles.borrow::<i32>(first).err(), Some(Missing::NotOpen));
        assert!(handles.remove(first));
        assert_ne!(handles.insert("two"), first);
    }
}
