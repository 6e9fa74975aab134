//! An example of a user's program: the n-th and the next Fibonacci number modulo 7919, for user proofs in tests.
#![no_main]

sp1_zkvm::entrypoint!(main);

fn main() {
    let n = sp1_zkvm::io::read::<u32>();
    let (mut a, mut b) = (0_u32, 1_u32);
    for _ in 0..n {
        (a, b) = (b, (a + b) % 7919);
    }
    for value in [n, a, b] {
        sp1_zkvm::io::commit(&value);
    }
}
