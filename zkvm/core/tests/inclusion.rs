//! Who may be under a root: `aggregation::verify` for every wrong depth, index and count.

use aligned_core::aggregation::{self, MAX_LEAVES, Tree};
use aligned_core::{Hash, Software};

fn leaves(count: usize) -> Vec<Hash> {
    let commitments: Vec<Hash> = (0..count).map(|i| [u8::try_from(i).expect("few"); 32]).collect();
    aggregation::leaves::<Software>(aggregation::SP1, &commitments)
}

fn holds(leaf: &Hash, index: u64, count: u64, path: &[Hash], root: &Hash) -> bool {
    aggregation::verify::<Software>(leaf, index, count, path, root)
}

fn node(left: &Hash, right: &Hash) -> Hash {
    aggregation::root::<Software>(&[*left, *right]).expect("two leaves")
}

#[test]
fn verify_takes_every_leaf_at_its_place_only() {
    for count in 1_usize..=9 {
        let leaves = leaves(count);
        let root = aggregation::root::<Software>(&leaves).expect("leaves");
        let tree = Tree::<Software>::new(leaves.clone()).expect("leaves");
        for (place, leaf) in leaves.iter().enumerate() {
            let path = tree.path(place).expect("a leaf");
            for index in 0..count as u64 + 8 {
                assert_eq!(holds(leaf, index, count as u64, &path, &root), index == place as u64, "{count} {index}");
            }
        }
    }
}

#[test]
fn verify_refuses_an_inner_node_with_the_path_above_it() {
    let leaves = leaves(4);
    let (left, right) = (node(&leaves[0], &leaves[1]), node(&leaves[2], &leaves[3]));
    let root = node(&left, &right);
    assert_eq!(aggregation::root::<Software>(&leaves), Some(root));
    assert!(!holds(&left, 0, 4, &[right], &root));
    assert!(!holds(&right, 1, 4, &[left], &root));
    assert!(!holds(&root, 0, 4, &[], &root));
}

#[test]
fn verify_refuses_a_leaf_below_the_leaves() {
    // Whoever knows a tree whose root is another one's leaf: the path is right and one level too long.
    let below = leaves(2);
    let leaf = node(&below[0], &below[1]);
    let other = leaves(3)[2];
    let root = node(&leaf, &other);
    assert!(holds(&leaf, 0, 2, &[other], &root));
    assert!(!holds(&below[0], 0, 2, &[below[1], other], &root));
    assert!(!holds(&leaf, 0, 1, &[other], &root));
}

#[test]
fn verify_refuses_counts_that_no_root_has() {
    let leaf = leaves(1)[0];
    assert!(holds(&leaf, 0, 1, &[], &leaf));
    assert!(!holds(&leaf, 0, 0, &[], &leaf));
    // As deep as the largest tree: 15 levels, for 16,385 to 23,808 leaves.
    let path = [leaf; 15];
    let root = path.iter().fold(leaf, |below, sibling| node(&below, sibling));
    let most = MAX_LEAVES as u64;
    assert!(holds(&leaf, 0, most, &path, &root));
    for count in [most + 1, 1 << 15, u64::MAX, 1 << 14] {
        assert!(!holds(&leaf, 0, count, &path, &root), "{count}");
    }
}
