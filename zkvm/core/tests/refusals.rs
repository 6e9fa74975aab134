//! What the guests and their decoder must refuse, on a host that stands for a zkVM: it knows which statements are
//! proved, and refuses all others, as there is no proof of a run of which a statement is not.

use aligned_core::aggregation::{self, MAX_LEAVES};
use aligned_core::guest::{GuestError, Host, chunk, user_proofs};
use aligned_core::{Hash, Platform, Software, field};

const CHILD: Hash = [0xc1; 32];
const OTHER_PROGRAM: Hash = [0x0e; 32];
const VERSIONED_HASH: Hash = [1; 32];

/// Statements (program, public values) that are proved.
#[derive(Default)]
struct Proved(Vec<(Hash, Vec<u8>)>);

impl Platform for Proved {}

impl Host for Proved {
    const SYSTEM_ID: u8 = aggregation::SP1;

    fn verify(&mut self, program: &Hash, public_values: &[u8]) -> Result<(), String> {
        let proved = self.0.iter().any(|statement| statement.0 == *program && statement.1 == public_values);
        if proved { Ok(()) } else { Err("not proved".into()) }
    }
}

fn number(value: usize) -> [u8; 4] {
    u32::try_from(value).expect("small").to_le_bytes()
}

fn commitments(count: usize) -> Vec<Hash> {
    (0..count).map(|i| field::to_be_bytes(&[i as u64, 7, 7, 7])).collect()
}

/// Public values of a chunk's proof.
fn proved_chunk(commitments: &[Hash]) -> Vec<u8> {
    let leaves = aggregation::leaves::<Software>(aggregation::SP1, commitments);
    let root = aggregation::root::<Software>(&leaves).expect("leaves");
    [root, field::to_be_bytes(&[commitments.len() as u64, 0, 0, 0])].concat()
}

fn chunk_input(chunks: &[&[Hash]], blobs: usize) -> Vec<u8> {
    let mut input = number(chunks.len()).to_vec();
    for commitments in chunks {
        input.extend(number(commitments.len()));
        input.extend(commitments.as_flattened());
    }
    input.extend(number(blobs));
    input.extend(VERSIONED_HASH.repeat(blobs));
    input
}

fn run_chunk(statements: Vec<(Hash, Vec<u8>)>, input: &[u8]) -> Result<Vec<u8>, GuestError> {
    chunk(&mut Proved(statements), &CHILD, input)
}

fn two_chunks() -> (Vec<Hash>, Vec<(Hash, Vec<u8>)>) {
    let all = commitments(5);
    let statements = vec![(CHILD, proved_chunk(&all[..3])), (CHILD, proved_chunk(&all[3..]))];
    (all, statements)
}

fn unproved(index: u32) -> Result<Vec<u8>, GuestError> {
    Err(GuestError::Unproved { index, reason: "not proved".into() })
}

#[test]
fn chunk_takes_what_is_proved() {
    let (all, statements) = two_chunks();
    let values = run_chunk(statements, &chunk_input(&[&all[..3], &all[3..]], 1)).expect("all is proved");
    assert_eq!(values.len(), 128);
    assert_eq!(values[..64], proved_chunk(&all));
}

#[test]
fn chunk_refuses_a_root_of_other_commitments() {
    let (mut all, statements) = two_chunks();
    all[4][31] ^= 1;
    assert_eq!(run_chunk(statements, &chunk_input(&[&all[..3], &all[3..]], 1)), unproved(1));
}

#[test]
fn chunk_refuses_commitments_moved_between_chunks_or_swapped() {
    let (mut all, statements) = two_chunks();
    assert_eq!(run_chunk(statements.clone(), &chunk_input(&[&all[..2], &all[2..]], 1)), unproved(0));
    all.swap(0, 1);
    assert_eq!(run_chunk(statements, &chunk_input(&[&all[..3], &all[3..]], 1)), unproved(0));
}

#[test]
fn chunk_refuses_a_proof_of_another_program() {
    let (all, mut statements) = two_chunks();
    statements[0].0 = OTHER_PROGRAM;
    assert_eq!(run_chunk(statements, &chunk_input(&[&all[..3], &all[3..]], 1)), unproved(0));
}

#[test]
fn chunk_refuses_another_count_of_the_same_root() {
    // Leaves that are zero words would give the root of fewer leaves; the count in the statement tells them apart.
    let (all, mut statements) = two_chunks();
    statements[1].1[63] = 1;
    assert_eq!(run_chunk(statements, &chunk_input(&[&all[..3], &all[3..]], 1)), unproved(1));
}

#[test]
fn chunk_refuses_another_number_of_blobs() {
    let (all, statements) = two_chunks();
    let run = |blobs| run_chunk(statements.clone(), &chunk_input(&[&all[..3], &all[3..]], blobs));
    assert_eq!(run(0), Err(GuestError::Empty));
    assert_eq!(run(2), Err(GuestError::WrongBlobCount { got: 2, expected: 1 }));
    let full = commitments(3_969);
    let statements = vec![(CHILD, proved_chunk(&full))];
    let short = run_chunk(statements, &chunk_input(&[&full], 1));
    assert_eq!(short, Err(GuestError::WrongBlobCount { got: 1, expected: 2 }));
}

#[test]
fn chunk_refuses_nothing_and_empty_chunks() {
    let (all, statements) = two_chunks();
    assert_eq!(run_chunk(Vec::new(), &chunk_input(&[], 1)), Err(GuestError::Empty));
    assert_eq!(run_chunk(statements, &chunk_input(&[&all[..3], &[], &all[3..]], 1)), Err(GuestError::Empty));
}

#[test]
fn chunk_takes_the_most_leaves_and_refuses_one_more() {
    let most = commitments(MAX_LEAVES);
    let (head, tail) = most.split_at(20_000);
    let mut statements = vec![(CHILD, proved_chunk(head)), (CHILD, proved_chunk(tail))];
    let values = run_chunk(statements.clone(), &chunk_input(&[head, tail], 6)).expect("as many as allowed");
    assert_eq!(values.len(), 64 + 6 * 64);
    let one = commitments(1);
    statements.push((CHILD, proved_chunk(&one)));
    let input = chunk_input(&[head, tail, &one], 7);
    assert_eq!(run_chunk(statements, &input), Err(GuestError::TooMany(1)));
}

#[test]
fn a_list_may_have_as_many_entries_as_a_root_has_leaves() {
    let most = commitments(MAX_LEAVES);
    let values = run_chunk(vec![(CHILD, proved_chunk(&most))], &chunk_input(&[&most], 6)).expect("as many as allowed");
    assert_eq!(values[..64], proved_chunk(&most));
    let mut host = Proved(vec![(CHILD, Vec::new())]);
    let items = vec![(CHILD, &b""[..]); MAX_LEAVES];
    let values = user_proofs(&mut host, &user_input(&items)).expect("as many as allowed");
    assert_eq!(values[32..], field::to_be_bytes(&[MAX_LEAVES as u64, 0, 0, 0]));
}

#[test]
fn counts_beyond_the_limit_are_refused_before_anything_is_read() {
    let many = u32::try_from(MAX_LEAVES + 1).expect("small");
    for count in [many, u32::MAX / 32 + 1, u32::MAX] {
        assert_eq!(run_chunk(Vec::new(), &count.to_le_bytes()), Err(GuestError::TooMany(count)));
        assert_eq!(user_proofs(&mut Proved::default(), &count.to_le_bytes()), Err(GuestError::TooMany(count)));
        let one_chunk = [1_u32.to_le_bytes(), count.to_le_bytes()].concat();
        assert_eq!(run_chunk(Vec::new(), &one_chunk), Err(GuestError::TooMany(count)));
    }
}

#[test]
fn every_cut_of_an_input_is_refused_and_so_is_a_byte_more() {
    let (all, statements) = two_chunks();
    let input = chunk_input(&[&all[..3], &all[3..]], 1);
    for length in 0..input.len() {
        let result = run_chunk(statements.clone(), &input[..length]);
        assert_eq!(result, Err(GuestError::Truncated), "{length} bytes");
    }
    let longer = [&input[..], &[0]].concat();
    assert_eq!(run_chunk(statements, &longer), Err(GuestError::TrailingBytes(1)));
}

fn user_input(items: &[(Hash, &[u8])]) -> Vec<u8> {
    let mut input = number(items.len()).to_vec();
    for (program, values) in items {
        input.extend(program);
        input.extend(number(values.len()));
        input.extend(*values);
    }
    input
}

#[test]
fn user_proofs_refuses_every_statement_that_is_not_proved() {
    let proved = || Proved(vec![(CHILD, b"values".to_vec()), (OTHER_PROGRAM, Vec::new())]);
    let run = |items: &[(Hash, &[u8])]| user_proofs(&mut proved(), &user_input(items));
    assert!(run(&[(CHILD, b"values"), (OTHER_PROGRAM, b"")]).is_ok());
    assert_eq!(run(&[(CHILD, b"values"), (CHILD, b"")]), unproved(1));
    assert_eq!(run(&[(OTHER_PROGRAM, b"values")]), unproved(0));
    assert_eq!(run(&[(CHILD, b"valueS")]), unproved(0));
    assert_eq!(run(&[]), Err(GuestError::Empty));
}

#[test]
fn user_proofs_refuses_every_cut_and_a_byte_more() {
    let mut host = Proved(vec![(CHILD, b"values".to_vec())]);
    let input = user_input(&[(CHILD, b"values"), (CHILD, b"values")]);
    for length in 0..input.len() {
        assert_eq!(user_proofs(&mut host, &input[..length]), Err(GuestError::Truncated), "{length} bytes");
    }
    let longer = [&input[..], &[0]].concat();
    assert_eq!(user_proofs(&mut host, &longer), Err(GuestError::TrailingBytes(1)));
}

#[test]
fn key_words_are_read_highest_first_and_only_below_the_modulus() {
    use aligned_core::sp1::key_words;
    let packed = |words: [u32; 8]| -> Hash {
        let mut hash = [0; 32];
        for bit in 0..248 {
            hash[1 + bit / 8] |= u8::try_from(words[bit / 31] >> (30 - bit % 31) & 1).expect("a bit") << (7 - bit % 8);
        }
        hash
    };
    let largest = 0x7f00_0000;
    for position in 0..8 {
        let mut words = [1, 2, 3, 4, 5, 6, 7, largest];
        words.rotate_right(position);
        assert_eq!(key_words(&packed(words)), Some(words));
        words[position] = largest + 1;
        assert_eq!(key_words(&packed(words)), None, "word {position} is the modulus");
    }
    let mut high = packed([1; 8]);
    high[0] = 1;
    assert_eq!(key_words(&high), None, "more than 248 bits");
}
