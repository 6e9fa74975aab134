//! The tagged tree of the aggregation mode (`docs/spec/aggregation.md`).
//!
//! leaf = keccak(0x00 ‖ system ‖ keccak(public inputs ‖ program id)), node = keccak(0x01 ‖ left ‖ right), completed to
//! a power of two with zero words. The tags keep an inner node from passing as a leaf.

use alloc::vec::Vec;
use core::marker::PhantomData;

use crate::blob::COMMITMENTS_PER_BLOB;
use crate::keccak::{Hash, keccak256_on};
use crate::platform::Platform;
use crate::tree::{self, Rule, climb};

/// Id of SP1 in a leaf.
pub const SP1: u8 = 1;
/// Id of RISC0 in a leaf.
pub const RISC0: u8 = 2;
/// Most leaves under one root: six full blobs.
pub const MAX_LEAVES: usize = 6 * COMMITMENTS_PER_BLOB;

const LEAF_TAG: u8 = 0x00;
const NODE_TAG: u8 = 0x01;

/// Commitment to one proof: what it proves of which program.
#[must_use]
pub fn commitment<P: Platform>(public_inputs: &[u8], program_id: &Hash) -> Hash {
    keccak256_on::<P>(&[public_inputs, program_id])
}

/// Leaf of one proof.
#[must_use]
pub fn leaf<P: Platform>(system_id: u8, commitment: &Hash) -> Hash {
    keccak256_on::<P>(&[&[LEAF_TAG, system_id], commitment])
}

/// Leaves of proofs of one system.
#[must_use]
pub fn leaves<P: Platform>(system_id: u8, commitments: &[Hash]) -> Vec<Hash> {
    commitments.iter().map(|commitment| leaf::<P>(system_id, commitment)).collect()
}

/// The rule of the aggregation mode's tree.
#[derive(Debug, Clone)]
pub struct Tagged<P>(PhantomData<P>);

impl<P: Platform> Rule for Tagged<P> {
    fn node(left: &Hash, right: &Hash) -> Hash {
        keccak256_on::<P>(&[&[NODE_TAG], left, right])
    }

    fn padding(leaves: &[Hash]) -> Option<Hash> {
        (!leaves.is_empty()).then_some([0; 32])
    }
}

/// All levels of a tree.
pub type Tree<P> = tree::Tree<Tagged<P>>;

/// Root over `leaves`; none for no leaves.
#[must_use]
pub fn root<P: Platform>(leaves: &[Hash]) -> Option<Hash> {
    tree::root::<Tagged<P>>(leaves)
}

/// Whether `leaf` is leaf `index` of the tree of `count` leaves that has this root. The path must have exactly the
/// tree's depth: a shorter one would end at an inner node.
#[must_use]
pub fn verify<P: Platform>(leaf: &Hash, index: u64, count: u64, path: &[Hash], root: &Hash) -> bool {
    index < count && Some(path.len()) == depth_of(count) && climb::<Tagged<P>>(leaf, index, path) == *root
}

/// Levels below the root of a tree of `count` leaves; none beyond `MAX_LEAVES`.
fn depth_of(count: u64) -> Option<usize> {
    let count = usize::try_from(count).ok().filter(|count| (1..=MAX_LEAVES).contains(count))?;
    usize::try_from(count.next_power_of_two().ilog2()).ok()
}
