//! The untagged keccak tree of the fast mode.
//!
//! node = keccak(left ‖ right). The leaves are completed to a power of two by repeating the last one; a single leaf is
//! the root. Bit i of an index tells whether the node at level i is a right child.

use crate::keccak::{Hash, keccak256_parts};
use crate::tree::{self, Rule, climb};

/// Longest accepted path, in levels; the contract has the same bound.
pub const MAX_DEPTH: usize = 32;

/// The rule of the fast mode's tree.
#[derive(Debug, Clone)]
pub struct Untagged;

impl Rule for Untagged {
    fn node(left: &Hash, right: &Hash) -> Hash {
        keccak256_parts(&[left, right])
    }

    fn padding(leaves: &[Hash]) -> Option<Hash> {
        leaves.last().copied()
    }
}

/// All levels of a tree.
pub type Tree = tree::Tree<Untagged>;

/// Root over `leaves`; none for no leaves.
#[must_use]
pub fn root(leaves: &[Hash]) -> Option<Hash> {
    tree::root::<Untagged>(leaves)
}

/// Whether `path` leads from `leaf` at `index` to `root`. False for index ≥ 2^depth: otherwise index + k·2^depth would
/// pass as well, and a position could not serve as an identity.
#[must_use]
pub fn verify(leaf: &Hash, index: u64, path: &[Hash], root: &Hash) -> bool {
    path.len() <= MAX_DEPTH && index >> path.len() == 0 && climb::<Untagged>(leaf, index, path) == *root
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn leaves(count: u8) -> Vec<Hash> {
        (0..count).map(|i| [i; 32]).collect()
    }

    fn padded_root(mut level: Vec<Hash>) -> Hash {
        let last = level[level.len() - 1];
        level.resize(level.len().next_power_of_two(), last);
        while level.len() > 1 {
            level = level.chunks(2).map(|pair| Untagged::node(&pair[0], &pair[1])).collect();
        }
        level[0]
    }

    #[test]
    fn root_equals_the_fully_padded_tree() {
        for count in 1..=70 {
            let expected = padded_root(leaves(count));
            assert_eq!(root(&leaves(count)), Some(expected), "{count} leaves");
            assert_eq!(Tree::new(leaves(count)).map(|tree| tree.root()), Some(expected), "{count} leaves");
        }
    }

    #[test]
    fn no_leaves_no_root() {
        assert_eq!(root(&[]), None);
        assert!(Tree::new(Vec::new()).is_none());
    }

    #[test]
    fn every_path_leads_to_the_root_and_not_for_an_index_beyond_the_width() {
        for count in [1, 2, 3, 5, 8, 9, 33] {
            let tree = Tree::new(leaves(count)).expect("has leaves");
            for index in 0..u64::from(count) {
                let leaf = [u8::try_from(index).expect("small"); 32];
                let path = tree.path(usize::try_from(index).expect("small")).expect("within the tree");
                assert!(verify(&leaf, index, &path, &tree.root()));
                assert!(!verify(&leaf, index + (1 << path.len()), &path, &tree.root()));
            }
            assert!(tree.path(usize::from(count)).is_none());
        }
    }

    #[test]
    fn path_longer_than_the_bound_is_refused() {
        let path = Vec::from([[0; 32]; MAX_DEPTH + 1]);
        let root = path.iter().fold([0; 32], |running, sibling| Untagged::node(&running, sibling));
        assert!(!verify(&[0; 32], 0, &path, &root));
        assert!(!verify(&[0; 32], u64::MAX, &path, &root));
    }
}
