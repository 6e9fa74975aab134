//! An example of a user's program: the n-th and the next Fibonacci number modulo 7919, for user proofs in tests.

use risc0_zkvm::guest::env;

fn main() {
    let n: u32 = env::read();
    let (mut a, mut b) = (0_u32, 1_u32);
    for _ in 0..n {
        (a, b) = (b, (a + b) % 7919);
    }
    env::commit(&(n, a, b));
}
