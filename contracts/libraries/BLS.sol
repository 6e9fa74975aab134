// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {G1Point, G2Point, HashToCurveWitness} from "./BN254Types.sol";

/// @title BLS signatures on BN254: signatures in G1, keys in both groups.
/// @notice One pairing of two pairs checks a signature and that the two forms of the key belong together:
/// e(σ + γ·pk1, −G2) · e(H(m) + γ·G1, pk2) = 1 with γ = keccak256(m ‖ pk1 ‖ pk2 ‖ σ) mod r.
/// Because γ depends on all of its inputs, the product is 1 only if both e(σ, G2) = e(H(m), pk2) and
/// e(pk1, G2) = e(G1, pk2), except with negligible probability.
/// @dev A precompile that fails burns all the gas it was given, so each call gets a bounded amount: the worst bad point
/// costs the caller about the pairing's own price. The precompiles refuse coordinates >= p, points off the curve
/// and (pairing) G2 points outside the subgroup; they accept the point at infinity, which is refused here.
library BLS {
    uint256 private constant P = 0x30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47;
    uint256 private constant R = 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001;

    /// @dev −G2, the negated generator, in EIP-197 order.
    uint256 private constant NEG_G2_X_IM = 0x198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2;
    uint256 private constant NEG_G2_X_RE = 0x1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed;
    uint256 private constant NEG_G2_Y_IM = 0x275dc4a288d1afb3cbb1ac09187524c7db36395df7be3b99e673b13a075a65ec;
    uint256 private constant NEG_G2_Y_RE = 0x1d9befcd05a5323e6da4d435f3b617cdb3af83285c2df711ef39c01571827f9d;

    /// @dev Forwarded gas: the prices (150, 6,000, 113,000) with a little room, so that a small repricing does not halt us.
    uint256 private constant ADD_GAS = 500;
    uint256 private constant MUL_GAS = 8_000;
    uint256 private constant PAIRING_GAS = 130_000;

    /// @notice Whether `signature` over `digest` is valid for the key given in both groups. Never reverts.
    /// @dev False for any coordinate >= p, a point at infinity, off the curve or outside the subgroup, for keys of
    /// different secrets, and for a wrong or incomplete witness.
    /// @param digest 32-byte message.
    /// @param keyG1 Key (or sum of keys) in G1.
    /// @param keyG2 The same key in G2.
    /// @param signature Signature (or sum of signatures).
    /// @param witness Witnesses of the hash of `digest` to the curve.
    function verify(
        bytes32 digest,
        G1Point memory keyG1,
        G2Point calldata keyG2,
        G1Point calldata signature,
        HashToCurveWitness calldata witness
    ) internal view returns (bool ok) {
        (bool onCurve, uint256 x, uint256 y) = hashToCurve(digest, witness);
        if (!onCurve) return false;
        assembly ("memory-safe") {
            let m := mload(0x40) // scratch beyond the free memory pointer, not allocated
            let x1 := mload(keyG1)
            let y1 := mload(add(keyG1, 32))
            // γ, over digest ‖ pk1 ‖ pk2 ‖ σ at m (9 words).
            mstore(m, digest)
            mstore(add(m, 32), x1)
            mstore(add(m, 64), y1)
            calldatacopy(add(m, 96), keyG2, 128)
            calldatacopy(add(m, 224), signature, 64)
            let gamma := mod(keccak256(m, 288), R)
            // On these curves neither x nor y is 0 (3 is no square; −3 no cube): infinity is the only point with X = Y = 0,
            // and all that is half zero is off the curve. For pk2 only the sum of all four words is looked at.
            let finite := and(iszero(iszero(or(x1, y1))), iszero(iszero(or(mload(add(m, 224)), mload(add(m, 256))))))
            finite := and(
                finite,
                iszero(
                    iszero(or(or(mload(add(m, 96)), mload(add(m, 128))), or(mload(add(m, 160)), mload(add(m, 192)))))
                )
            )
            for {} finite {} {
                finite := 0 // one pass; `break` leaves with ok = false
                let pairs := add(m, 288) // 12 words: (σ + γ·pk1, −G2), (H + γ·G1, pk2)
                let t := add(pairs, 384) // 4 words for the precompiles' input

                mstore(t, x1)
                mstore(add(t, 32), y1)
                mstore(add(t, 64), gamma)
                if iszero(staticcall(MUL_GAS, 7, t, 96, t, 64)) { break }
                calldatacopy(add(t, 64), signature, 64)
                if iszero(staticcall(ADD_GAS, 6, t, 128, pairs, 64)) { break }
                mstore(add(pairs, 64), NEG_G2_X_IM)
                mstore(add(pairs, 96), NEG_G2_X_RE)
                mstore(add(pairs, 128), NEG_G2_Y_IM)
                mstore(add(pairs, 160), NEG_G2_Y_RE)

                mstore(t, 1)
                mstore(add(t, 32), 2)
                mstore(add(t, 64), gamma)
                if iszero(staticcall(MUL_GAS, 7, t, 96, t, 64)) { break }
                mstore(add(t, 64), x)
                mstore(add(t, 96), y)
                if iszero(staticcall(ADD_GAS, 6, t, 128, add(pairs, 192), 64)) { break }
                calldatacopy(add(pairs, 256), keyG2, 128)

                if iszero(staticcall(PAIRING_GAS, 8, pairs, 384, t, 32)) { break }
                ok := eq(mload(t), 1)
            }
        }
    }

    /// @notice Hashes `digest` to a point of the curve, by witness (see HashToCurveWitness): no modular exponentiation,
    /// and the same price per skipped x whatever the digest.
    /// @return ok Whether the witness is complete and right.
    /// @return x Abscissa: the first x >= digest mod p (mod p) for which x³ + 3 is a square.
    /// @return y Its root that is a square itself (root² of the witness).
    function hashToCurve(bytes32 digest, HashToCurveWitness calldata witness)
        internal
        pure
        returns (bool ok, uint256 x, uint256 y)
    {
        uint256 root = witness.root;
        uint256[] calldata skips = witness.skips;
        assembly ("memory-safe") {
            ok := lt(root, P)
            x := mod(digest, P)
            let end := add(skips.offset, shl(5, skips.length))
            for { let skip := skips.offset } lt(skip, end) { skip := add(skip, 32) } {
                // z² = −(x³ + 3): −1 is no square mod p, so x³ + 3 is none either (and it is never 0).
                let z := calldataload(skip)
                let beta := addmod(mulmod(mulmod(x, x, P), x, P), 3, P)
                ok := and(ok, and(lt(z, P), iszero(addmod(mulmod(z, z, P), beta, P))))
                x := addmod(x, 1, P)
            }
            y := mulmod(root, root, P)
            ok := and(ok, eq(mulmod(y, y, P), addmod(mulmod(mulmod(x, x, P), x, P), 3, P)))
        }
    }

    /// @notice `sum` − `point`, written to `sum`. Both must be valid points; false if the precompile refuses them.
    function subtractInPlace(G1Point memory sum, G1Point calldata point) internal view returns (bool ok) {
        assembly ("memory-safe") {
            let t := mload(0x40)
            mcopy(t, sum, 64)
            mstore(add(t, 64), calldataload(point))
            mstore(add(t, 96), mod(sub(P, calldataload(add(point, 32))), P))
            ok := staticcall(ADD_GAS, 6, t, 128, sum, 64)
        }
    }

    /// @notice `a` + `b`. Both must be valid points; false if the precompile refuses them.
    function addPoints(G1Point memory a, G1Point memory b) internal view returns (bool ok, G1Point memory sum) {
        assembly ("memory-safe") {
            let t := mload(0x40)
            mcopy(t, a, 64)
            mcopy(add(t, 64), b, 64)
            ok := staticcall(ADD_GAS, 6, t, 128, sum, 64)
        }
    }

    /// @notice −`a`.
    function negate(G1Point memory a) internal pure returns (G1Point memory) {
        return G1Point(a.X, a.Y == 0 ? 0 : P - a.Y);
    }

    /// @notice Operator id of a key: keccak256(X ‖ Y).
    function id(G1Point memory key) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            hash := keccak256(key, 64)
        }
    }
}
