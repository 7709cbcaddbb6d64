//! Sets of small numbers, and classes of locals.

/// A set of loans.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Set(Vec<u64>);

impl Set {
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    pub fn one(index: usize) -> Self {
        let mut set = Self::default();
        set.insert(index);
        set
    }

    pub fn insert(&mut self, index: usize) -> bool {
        let word = index / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        let bit = 1 << (index % 64);
        let new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        new
    }

    pub fn remove(&mut self, index: usize) {
        if let Some(word) = self.0.get_mut(index / 64) {
            *word &= !(1 << (index % 64));
        }
    }

    pub fn contains(&self, index: usize) -> bool {
        self.0.get(index / 64).is_some_and(|word| word & (1 << (index % 64)) != 0)
    }

    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Adds the other's elements; whether any was new.
    pub fn add(&mut self, other: &Set) -> bool {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        let mut new = false;
        for (word, more) in self.0.iter_mut().zip(&other.0) {
            new |= *more & !*word != 0;
            *word |= more;
        }
        new
    }

    pub fn meets(&self, other: &Set) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }

    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().flat_map(|(word, bits)| {
            (0..64).filter(move |bit| bits & (1 << bit) != 0).map(move |bit| word * 64 + bit)
        })
    }
}

/// Disjoint classes of locals.
#[derive(Clone, Debug)]
pub struct Classes(Vec<u32>);

impl Classes {
    pub fn new(count: usize) -> Self {
        Self((0..count as u32).collect())
    }

    pub fn of(&self, mut member: usize) -> usize {
        while self.0[member] as usize != member {
            member = self.0[member] as usize;
        }
        member
    }

    pub fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.of(a), self.of(b));
        self.0[a.max(b)] = a.min(b) as u32;
    }
}
