//! A set of blocks: a bitmap that hands out its lowest member first.
//!
//! Low addresses first keeps the heap dense, and runs of neighbours can go back to the system in one call.

/// The position of a block in the small-object space.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct BlockIndex(pub u32);

/// A set of block positions.
#[derive(Default)]
pub(crate) struct BlockSet {
    words: Vec<u64>,
    /// No member lies in a word before this one.
    first: usize,
    len: usize,
}

impl BlockSet {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn insert(&mut self, block: BlockIndex) {
        let (word, bit) = (block.0 as usize / 64, block.0 % 64);
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        debug_assert_eq!(self.words[word] >> bit & 1, 0, "{block:?} is in the set already");
        self.words[word] |= 1 << bit;
        self.first = self.first.min(word);
        self.len += 1;
    }

    pub fn contains(&self, block: BlockIndex) -> bool {
        self.words.get(block.0 as usize / 64).is_some_and(|word| word >> (block.0 % 64) & 1 == 1)
    }

    pub fn remove(&mut self, block: BlockIndex) {
        debug_assert!(self.contains(block));
        self.words[block.0 as usize / 64] &= !(1 << (block.0 % 64));
        self.len -= 1;
    }

    /// Takes the lowest member out.
    pub fn take_first(&mut self) -> Option<BlockIndex> {
        if self.len == 0 {
            return None;
        }
        while self.words[self.first] == 0 {
            self.first += 1;
        }
        let block = BlockIndex((self.first * 64) as u32 + self.words[self.first].trailing_zeros());
        self.remove(block);
        Some(block)
    }

    /// Takes the highest member out.
    pub fn take_last(&mut self) -> Option<BlockIndex> {
        if self.len == 0 {
            return None;
        }
        let word = self.words.iter().rposition(|word| *word != 0)?;
        let block = BlockIndex((word * 64) as u32 + 63 - self.words[word].leading_zeros());
        self.remove(block);
        self.words.truncate(word + 1);
        Some(block)
    }

    /// The lowest member at or after `from`.
    pub fn next(&self, from: BlockIndex) -> Option<BlockIndex> {
        let mut index = from.0 as usize / 64;
        let mut word = self.words.get(index)? & (!0 << (from.0 % 64));
        while word == 0 {
            index += 1;
            word = *self.words.get(index)?;
        }
        Some(BlockIndex((index * 64) as u32 + word.trailing_zeros()))
    }

    /// Takes all members out.
    pub fn drain(&mut self) -> Vec<BlockIndex> {
        let members = self.iter().collect();
        *self = BlockSet::default();
        members
    }

    pub fn iter(&self) -> impl Iterator<Item = BlockIndex> + '_ {
        self.words.iter().enumerate().flat_map(|(i, word)| {
            let mut word = *word;
            std::iter::from_fn(move || {
                (word != 0).then(|| {
                    let bit = word.trailing_zeros();
                    word &= word - 1;
                    BlockIndex((i * 64) as u32 + bit)
                })
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_come_out_lowest_first_or_highest_first_as_asked() {
        let mut set = BlockSet::default();
        for i in [700, 3, 64, 5] {
            set.insert(BlockIndex(i));
        }
        assert_eq!(set.iter().map(|b| b.0).collect::<Vec<_>>(), [3, 5, 64, 700]);
        assert_eq!(set.next(BlockIndex(4)), Some(BlockIndex(5)));
        assert_eq!(set.next(BlockIndex(65)), Some(BlockIndex(700)));
        assert_eq!(set.next(BlockIndex(701)), None);
        assert_eq!(set.take_first(), Some(BlockIndex(3)));
        assert_eq!(set.take_last(), Some(BlockIndex(700)));
        set.insert(BlockIndex(1));
        assert_eq!(set.take_first(), Some(BlockIndex(1)));
        assert_eq!(set.len(), 2);
        assert!(set.contains(BlockIndex(64)) && !set.contains(BlockIndex(700)));
    }
}
