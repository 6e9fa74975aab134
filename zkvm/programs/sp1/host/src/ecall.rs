//! SP1's system calls, with numbers and registers as in sp1-zkvm 6.10.0.
#![allow(unsafe_code, reason = "system calls take addresses")]

use core::arch::asm;

use aligned_core::Hash;
use aligned_core::field::U256;
use sp1_primitives::consts::fd::FD_PUBLIC_VALUES;
use sp1_zkvm::syscalls;

/// SP1 reads and writes whole words of eight bytes.
#[repr(align(8))]
struct Words<T>(T);

pub fn keccak_permute(state: &mut [u64; 25]) {
    // SAFETY: the call changes the 25 words at this address, which are exclusively borrowed.
    unsafe { call(syscalls::KECCAK_PERMUTE, [state.as_mut_ptr().expose_provenance(), 0, 0]) }
}

/// x := x · y modulo m, reduced; `y_and_m` holds y and m behind each other.
pub fn uint256_mul(x: &mut U256, y_and_m: &[U256; 2]) {
    // SAFETY: the call changes the four words of `x`, which are exclusively borrowed, and reads the eight of the other.
    unsafe {
        call(syscalls::UINT256_MUL, [x.as_mut_ptr().expose_provenance(), y_and_m.as_ptr().expose_provenance(), 0])
    }
}

/// The Poseidon2 permutation over 16 elements below the field's modulus.
pub fn poseidon2(state: &mut [u32; 16]) {
    let mut words = Words(*state);
    // SAFETY: the call changes the 64 bytes of `words`, a local.
    unsafe { call(syscalls::POSEIDON2, [words.0.as_mut_ptr().expose_provenance(), 0, 0]) }
    *state = words.0;
}

/// Takes the next proof that came with the input. There is no proof of this run unless that one is of this key and of
/// public values with this sha256, and the digest of `halt` holds it.
pub fn verify_proof(key: &[u32; 8], values_sha256: &Hash) {
    let (key, digest) = (Words(*key), Words(*values_sha256));
    // SAFETY: the call reads 32 bytes at each address.
    unsafe {
        call(syscalls::VERIFY_SP1_PROOF, [key.0.as_ptr().expose_provenance(), digest.0.as_ptr().expose_provenance(), 0])
    }
}

pub fn write_public_values(bytes: &[u8]) {
    // SAFETY: the call reads `bytes`.
    unsafe { call(syscalls::WRITE, [FD_PUBLIC_VALUES as usize, bytes.as_ptr().expose_provenance(), bytes.len()]) }
}

/// Commits the sha256 of the public values and the digest of the verified proofs, and ends the run with exit code 0.
pub fn halt(values_sha256: &Hash, verified: &[u32; 8]) -> ! {
    for (index, bytes) in values_sha256.as_chunks::<4>().0.iter().enumerate() {
        commit(syscalls::COMMIT, index, u32::from_le_bytes(*bytes));
    }
    for (index, word) in verified.iter().enumerate() {
        commit(syscalls::COMMIT_DEFERRED_PROOFS, index, *word);
    }
    // SAFETY: nothing is read or changed.
    unsafe { call(syscalls::HALT, [0, 0, 0]) }
    unreachable!()
}

fn commit(number: u32, index: usize, word: u32) {
    // SAFETY: nothing is read or changed.
    unsafe { call(number, [index, word as usize, 0]) }
}

/// # Safety
/// What the call reads and changes at addresses in `arguments` must be allowed here.
unsafe fn call(number: u32, arguments: [usize; 3]) {
    // SAFETY: as the caller promises.
    unsafe {
        asm!(
            "ecall",
            inlateout("t0") number as usize => _,
            in("a0") arguments[0],
            in("a1") arguments[1],
            in("a2") arguments[2],
        );
    }
}
