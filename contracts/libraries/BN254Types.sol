// SPDX-License-Identifier: MIT
pragma solidity >=0.8.24;

/// @notice Affine point of BN254's G1, coordinates below the field modulus; (0,0) is the point at infinity.
struct G1Point {
    uint256 X;
    uint256 Y;
}

/// @notice Affine point of BN254's G2 in EIP-197 order: each coordinate is [imaginary part, real part].
struct G2Point {
    uint256[2] X;
    uint256[2] Y;
}

/// @notice Witnesses that let a contract hash a message to G1 without modular exponentiation.
/// @dev x starts at `digest mod p` and rises by one until x³+3 is a square. `skips[i]` is a z with z² = −(x+i)³−3,
/// which shows that x+i is not on the curve (−1 is not a square mod p). `root` is a w with w⁴ = x³+3; y = w².
struct HashToCurveWitness {
    uint256 root;
    uint256[] skips;
}

/// @notice One operator who did not sign, and the index of its stake record that covers the reference block.
struct NonSigner {
    G1Point publicKey;
    uint256 stakeIndex;
}

/// @notice Everything `respondToTask` needs to check the quorum's aggregated signature over one task.
/// @param snapshotIndex Index of the registry snapshot that covers the task's block.
/// @param aggregateKey Sum of the G1 keys of *all* operators registered at the task's block.
/// @param signersKeyG2 Sum of the G2 keys of the signers.
/// @param signature Sum of the signers' signatures (G1).
/// @param witness Hash-to-curve witnesses of the signed digest.
/// @param nonSigners The operators that did not sign, in strictly ascending order of operator id.
struct QuorumSignature {
    uint256 snapshotIndex;
    G1Point aggregateKey;
    G2Point signersKeyG2;
    G1Point signature;
    HashToCurveWitness witness;
    NonSigner[] nonSigners;
}
