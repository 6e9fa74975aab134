//! Every value of tests/vectors/aggregation, which a plain Python implementation has written.

use std::path::Path;

use aligned_core::guest::{Host, chunk, user_proofs};
use aligned_core::{Hash, Platform, Software, aggregation, blob, field, keccak256};
use serde_json::Value;

fn cases(name: &str) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/aggregation");
    let text = std::fs::read_to_string(folder.join(name)).expect("readable");
    serde_json::from_str::<Vec<Value>>(&text).expect("a list")
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().and_then(|text| text.strip_prefix("0x")).expect("0x text")).expect("hexadecimal")
}

fn hash(value: &Value) -> Hash {
    bytes(value).try_into().expect("32 bytes")
}

fn hashes(value: &Value) -> Vec<Hash> {
    value.as_array().expect("a list").iter().map(hash).collect()
}

fn number(value: &Value) -> u32 {
    value.as_u64().and_then(|number| number.try_into().ok()).expect("a small number")
}

/// Commitments that the vectors give by seed and count.
fn made(seed: &Value, count: u32) -> Vec<Hash> {
    let seed = seed.as_str().expect("text");
    (0..count).map(|i| keccak256(format!("{seed} {i}").as_bytes())).collect()
}

/// Takes every proof for verified and notes it.
struct Notes<const SYSTEM: u8>(Vec<(Hash, Vec<u8>)>);

impl<const SYSTEM: u8> Platform for Notes<SYSTEM> {}

impl<const SYSTEM: u8> Host for Notes<SYSTEM> {
    const SYSTEM_ID: u8 = SYSTEM;

    fn verify(&mut self, program: &Hash, public_values: &[u8]) -> Result<(), String> {
        self.0.push((*program, public_values.to_vec()));
        Ok(())
    }
}

#[test]
fn trees() {
    for case in cases("trees.json") {
        let system = u8::try_from(number(&case["system_id"])).expect("a byte");
        let commitments = hashes(&case["commitments"]);
        let inputs: Vec<Vec<u8>> = case["public_inputs"].as_array().expect("a list").iter().map(bytes).collect();
        for ((input, program), expected) in inputs.iter().zip(hashes(&case["program_ids"])).zip(&commitments) {
            assert_eq!(aggregation::commitment::<Software>(input, &program), *expected);
        }
        let leaves = aggregation::leaves::<Software>(system, &commitments);
        assert_eq!(leaves, hashes(&case["leaves"]));
        let (root, count) = (hash(&case["root"]), leaves.len() as u64);
        assert_eq!(aggregation::root::<Software>(&leaves), Some(root));
        let tree = aggregation::Tree::<Software>::new(leaves.clone()).expect("has leaves");
        assert_eq!(tree.root(), root);
        for (index, expected) in case["paths"].as_array().expect("a list").iter().enumerate() {
            let path = tree.path(index).expect("within the tree");
            assert_eq!(path.as_flattened(), bytes(expected));
            let verify =
                |at, count, path: &[Hash]| aggregation::verify::<Software>(&leaves[index], at, count, path, &root);
            let index = index as u64;
            assert!(verify(index, count, &path));
            assert!(!verify(index + (1 << path.len()), count, &path), "an index beyond the width");
            assert!(!verify(index, index, &path), "an index that is no leaf's");
            assert!(path.is_empty() || !verify(index, count, &path[1..]), "a path that is too short");
            assert!(!verify(index, count, &[&path[..], &[[0; 32]]].concat()), "a path that is too long");
        }
    }
}

#[test]
fn blobs_and_points() {
    for case in cases("blobs.json").iter().chain(&cases("points.json")) {
        let count = number(&case["count"]);
        let elements = blob::elements(&made(&case["seed"], count));
        let z = field::from_be_bytes(&hash(&case["z"]));
        assert_eq!(field::to_be_bytes(&blob::evaluate::<Software>(&elements, &z)), hash(&case["y"]), "{case}");
        let Some(root) = case.get("root") else { continue };
        let word = field::to_be_bytes(&[u64::from(count), 0, 0, 0]);
        assert_eq!(blob::challenge::<Software>(&hash(root), &word, &hash(&case["versioned_hash"])), z);
        let mut data: Vec<u8> = elements.iter().flat_map(field::to_be_bytes).collect();
        data.resize(4096 * 32, 0);
        assert_eq!(keccak256(&data), hash(&case["blob_keccak"]));
    }
}

#[test]
fn both_guests() {
    for case in cases("chunks.json") {
        match number(&case["system_id"]) {
            1 => run_chunk(&case, Notes::<{ aggregation::SP1 }>(Vec::new())),
            _ => run_chunk(&case, Notes::<{ aggregation::RISC0 }>(Vec::new())),
        }
    }
    for case in cases("trees.json") {
        match number(&case["system_id"]) {
            1 => run_user_proofs(&case, Notes::<{ aggregation::SP1 }>(Vec::new())),
            _ => run_user_proofs(&case, Notes::<{ aggregation::RISC0 }>(Vec::new())),
        }
    }
}

fn run_chunk<const SYSTEM: u8>(case: &Value, mut host: Notes<SYSTEM>) {
    let sizes: Vec<u32> = case["chunk_sizes"].as_array().expect("a list").iter().map(number).collect();
    let commitments = made(&case["seed"], sizes.iter().sum());
    let (mut rest, mut expected) = (&commitments[..], Vec::new());
    let mut input = u32::try_from(sizes.len()).expect("few").to_le_bytes().to_vec();
    for size in &sizes {
        let (part, behind) = rest.split_at(*size as usize);
        input.extend(size.to_le_bytes());
        input.extend(part.as_flattened());
        let root = aggregation::root::<Software>(&aggregation::leaves::<Software>(SYSTEM, part)).expect("leaves");
        expected.push(([7; 32], [root, field::to_be_bytes(&[u64::from(*size), 0, 0, 0])].concat()));
        rest = behind;
    }
    let versioned_hashes = hashes(&case["versioned_hashes"]);
    input.extend(u32::try_from(versioned_hashes.len()).expect("few").to_le_bytes());
    input.extend(versioned_hashes.as_flattened());
    assert_eq!(chunk(&mut host, &[7; 32], &input), Ok(bytes(&case["public_values"])));
    assert_eq!(host.0, expected);
}

fn run_user_proofs<const SYSTEM: u8>(case: &Value, mut host: Notes<SYSTEM>) {
    let inputs: Vec<Vec<u8>> = case["public_inputs"].as_array().expect("a list").iter().map(bytes).collect();
    let items: Vec<(Hash, Vec<u8>)> = hashes(&case["program_ids"]).into_iter().zip(inputs).collect();
    let mut input = u32::try_from(items.len()).expect("few").to_le_bytes().to_vec();
    for (program, public_values) in &items {
        input.extend(program);
        input.extend(u32::try_from(public_values.len()).expect("few").to_le_bytes());
        input.extend(public_values);
    }
    let count = field::to_be_bytes(&[items.len() as u64, 0, 0, 0]);
    assert_eq!(user_proofs(&mut host, &input), Ok([hash(&case["root"]), count].concat()));
    assert_eq!(host.0, items);
}
