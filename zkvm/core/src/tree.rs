//! Binary trees over a number of leaves that need not be a power of two.

use alloc::vec::Vec;
use core::marker::PhantomData;

use crate::keccak::Hash;

/// How a tree hashes and with what its leaves are completed to a power of two.
pub trait Rule {
    /// Hash of an inner node.
    fn node(left: &Hash, right: &Hash) -> Hash;

    /// The leaf that stands in the places beyond the given ones.
    fn padding(leaves: &[Hash]) -> Option<Hash>;
}

/// Root over `leaves`; none for no leaves.
#[must_use]
pub fn root<R: Rule>(leaves: &[Hash]) -> Option<Hash> {
    let (first, mut padding) = (*leaves.first()?, R::padding(leaves)?);
    if leaves.len() == 1 {
        return Some(first);
    }
    let complete = leaves.len().is_power_of_two();
    let mut level = parents::<R>(leaves, &padding);
    while level.len() > 1 {
        if !complete {
            padding = R::node(&padding, &padding);
        }
        let count = level.len();
        for i in 0..count.div_ceil(2) {
            let right = if 2 * i + 1 < count { level[2 * i + 1] } else { padding };
            level[i] = R::node(&level[2 * i], &right);
        }
        level.truncate(count.div_ceil(2));
    }
    level.first().copied()
}

fn parents<R: Rule>(level: &[Hash], padding: &Hash) -> Vec<Hash> {
    level.chunks(2).map(|pair| R::node(&pair[0], pair.get(1).unwrap_or(padding))).collect()
}

/// What `path` makes of `leaf` at `index`: the root, if all three are right.
#[must_use]
pub fn climb<R: Rule>(leaf: &Hash, index: u64, path: &[Hash]) -> Hash {
    let step = |running: Hash, (level, sibling): (usize, &Hash)| {
        if index >> level & 1 == 1 { R::node(sibling, &running) } else { R::node(&running, sibling) }
    };
    path.iter().enumerate().fold(*leaf, step)
}

/// All levels of a tree, without the completed part: of each level only the padding's hash is kept.
#[derive(Debug, Clone)]
pub struct Tree<R> {
    levels: Vec<Vec<Hash>>,
    paddings: Vec<Hash>,
    rule: PhantomData<R>,
}

impl<R: Rule> Tree<R> {
    /// Tree over `leaves`; none for no leaves.
    #[must_use]
    pub fn new(leaves: Vec<Hash>) -> Option<Self> {
        let mut paddings = Vec::from([R::padding(&leaves)?]);
        let mut levels = Vec::from([leaves]);
        while let (Some(level), Some(padding)) = (levels.last(), paddings.last())
            && level.len() > 1
        {
            let (next, next_padding) = (parents::<R>(level, padding), R::node(padding, padding));
            levels.push(next);
            paddings.push(next_padding);
        }
        Some(Self { levels, paddings, rule: PhantomData })
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.levels[self.depth()][0]
    }

    /// Number of levels below the root.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.levels.len() - 1
    }

    /// Siblings of leaf `index`, leaf level first; none beyond the leaves.
    #[must_use]
    pub fn path(&self, index: usize) -> Option<Vec<Hash>> {
        self.levels[0].get(index)?;
        let sibling = |level: usize| *self.levels[level].get((index >> level) ^ 1).unwrap_or(&self.paddings[level]);
        Some((0..self.depth()).map(sibling).collect())
    }
}
