//! The order in which SP1's digest of verified proofs takes its input. That the permutation is SP1's is shown by every
//! real proof of a guest: the prover makes the digest itself, and proves nothing if the guest's is another.

use aligned_core::sp1::VerifiedProofs;

#[test]
fn digest_key_and_bytes_go_in_eight_at_a_time_and_the_rest_of_the_state_is_kept() {
    let mut proofs = VerifiedProofs::default();
    assert_eq!(proofs.digest(), &[0; 8]);
    let values: [u8; 32] = std::array::from_fn(|i| u8::try_from(200 + i).expect("a byte"));
    let bytes = |start: u32| -> [u32; 8] { std::array::from_fn(|i| 200 + start + u32::try_from(i).expect("small")) };
    for round in 1..=2_u32 {
        let (mut absorbed, before) = (Vec::new(), *proofs.digest());
        proofs.add(&[7; 8], &values, |state| {
            assert_eq!(state[8..], [u32::try_from(absorbed.len()).expect("small"); 8], "the capacity");
            absorbed.push(<[u32; 8]>::try_from(&state[..8]).expect("eight"));
            state[..8].fill(1_000 * round);
            state[8..].iter_mut().for_each(|word| *word += 1);
        });
        assert_eq!(absorbed, [before, [7; 8], bytes(0), bytes(8), bytes(16), bytes(24)]);
        assert_eq!(proofs.digest(), &[1_000 * round; 8]);
    }
}
