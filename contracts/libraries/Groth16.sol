// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {G1Point, G2Point} from "./BN254Types.sol";

/// @notice Verifying key of a circuit with five public inputs, points as published (nothing negated).
struct Groth16Key {
    G1Point alpha;
    G2Point beta;
    G2Point gamma;
    G2Point delta;
    G1Point[6] ic;
}

/// @title Curve arithmetic of a Groth16 check on BN254.
/// @dev Assembly because a precompile that fails burns all the gas it was given: each call gets a bounded amount, and the
/// input is laid out once. The precompiles refuse coordinates >= p, points off the curve and G2 points outside
/// the subgroup. They accept the point at infinity, which no valid proof contains and which proves nothing.
library Groth16 {
    /// @notice Order of the groups; public inputs are below it.
    uint256 internal constant R = 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001;

    uint256 private constant P = 0x30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47;

    /// @dev Forwarded gas: the prices (150, 6,000, 34,000 a pair and 45,000) with a little room for a repricing.
    uint256 private constant ADD_GAS = 500;
    uint256 private constant MUL_GAS = 8_000;
    uint256 private constant PAIRING_GAS = 200_000;

    /// @notice `scalar` · (x, y) + (sumX, sumY); not ok if a point is not valid.
    function mulAdd(uint256 scalar, uint256 x, uint256 y, uint256 sumX, uint256 sumY)
        internal
        view
        returns (bool ok, uint256 resultX, uint256 resultY)
    {
        assembly ("memory-safe") {
            let m := mload(0x40) // scratch beyond the free memory pointer, not allocated
            mstore(m, x)
            mstore(add(m, 32), y)
            mstore(add(m, 64), scalar)
            ok := staticcall(MUL_GAS, 7, m, 96, m, 64)
            mstore(add(m, 64), sumX)
            mstore(add(m, 96), sumY)
            ok := and(staticcall(ADD_GAS, 6, m, 128, m, 64), ok)
            resultX := mload(m)
            resultY := mload(add(m, 32))
        }
    }

    /// @notice Whether the product of the four pairings in `pairs` is one.
    /// @dev The proof's eight words are copied here, from calldata, to where the pairs (A, B) and (C, −δ) want them.
    /// @param proof Bytes that hold A, B and C, 256 bytes from `offset` on.
    /// @param pairs 24 words of which the first eight are free.
    function isProductOne(bytes calldata proof, uint256 offset, uint256[24] memory pairs)
        internal
        view
        returns (bool ok)
    {
        assembly ("memory-safe") {
            calldatacopy(pairs, add(proof.offset, offset), 256)
            ok := staticcall(PAIRING_GAS, 8, pairs, 768, 0, 32)
            ok := and(ok, eq(mload(0), 1))
        }
    }

    /// @notice Whether all three are points of the subgroup of G2.
    function areInSubgroup(G2Point memory a, G2Point memory b, G2Point memory c) internal view returns (bool) {
        // Paired with the point at infinity each gives one, and the precompile refuses what is no point.
        (bool ok, bytes memory result) =
            address(8).staticcall{gas: PAIRING_GAS}(abi.encode([0, 0], a, [0, 0], b, [0, 0], c));
        return ok && abi.decode(result, (uint256)) == 1;
    }

    /// @notice −`a`.
    function negate(G2Point memory a) internal pure returns (G2Point memory) {
        return G2Point(a.X, [(P - a.Y[0]) % P, (P - a.Y[1]) % P]);
    }
}
