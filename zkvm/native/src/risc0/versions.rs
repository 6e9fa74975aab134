//! Versions of RISC Zero by the verifier parameters that a receipt states. For messages only.

use risc0_zkvm::sha::Digest;

/// First bytes of the digests of verifier parameters, those of Groth16 receipts being the selectors of the contracts.
const KNOWN: [([u8; 4], &str); 16] = [
    ([0xf1, 0x71, 0xd1, 0x9d], "1.0"),
    ([0x62, 0xd9, 0x7b, 0xc4], "1.0"),
    ([0x31, 0x0f, 0xe5, 0x98], "1.0"),
    ([0x71, 0x02, 0x3b, 0xad], "1.1"),
    ([0x50, 0xbd, 0x17, 0x69], "1.1"),
    ([0x52, 0xa2, 0x7a, 0xff], "1.1 or 1.2"),
    ([0x21, 0xa8, 0x29, 0xe9], "1.2"),
    ([0xc1, 0x01, 0xb4, 0x2b], "1.2"),
    ([0x9f, 0x39, 0x69, 0x6c], "2.0"),
    ([0xf5, 0x36, 0x08, 0x5a], "2.1"),
    ([0xbb, 0x00, 0x1d, 0x44], "2.2 or 2.3"),
    ([0x6d, 0xa2, 0x11, 0x80], "2.3"),
    ([0xd0, 0xb1, 0x90, 0x56], "5.0.0-rc.1"),
    ([0xf1, 0xca, 0x5d, 0x70], "5.0.0-rc.1"),
    ([0x4b, 0xce, 0x00, 0x6e], "3.0 (Composite)"),
    ([0xec, 0xe5, 0xe9, 0xb8], "3.0 (Succinct)"),
];

/// "RISC Zero" and the version, or the digest when no version is known by it.
pub fn named(parameters: &Digest) -> String {
    let known = KNOWN.iter().find(|(head, _)| parameters.as_bytes().starts_with(head));
    match known {
        Some((_, version)) => format!("RISC Zero {version}"),
        None => {
            format!("another version of RISC Zero (verifier parameters {}…)", hex::encode(&parameters.as_bytes()[..8]))
        }
    }
}
