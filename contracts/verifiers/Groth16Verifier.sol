// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IProofVerifier} from "../interfaces/IProofVerifier.sol";
import {G1Point, G2Point} from "../libraries/BN254Types.sol";
import {Groth16, Groth16Key} from "../libraries/Groth16.sol";

/// @title Groth16 on BN254 for circuits with five public inputs of which at most two vary from proof to proof.
/// @notice e(A, B) · e(α, −β) · e(L, −γ) · e(C, −δ) = 1 with L = IC₀ + Σ inputᵢ · ICᵢ. The constructor sums up the constant
/// inputs' part of L once; the key and that sum are code, so a call reads no storage and multiplies only what varies.
abstract contract Groth16Verifier is IProofVerifier {
    uint256 private immutable _ALPHA_X;
    uint256 private immutable _ALPHA_Y;
    uint256 private immutable _NEG_BETA_X_IM;
    uint256 private immutable _NEG_BETA_X_RE;
    uint256 private immutable _NEG_BETA_Y_IM;
    uint256 private immutable _NEG_BETA_Y_RE;
    uint256 private immutable _NEG_GAMMA_X_IM;
    uint256 private immutable _NEG_GAMMA_X_RE;
    uint256 private immutable _NEG_GAMMA_Y_IM;
    uint256 private immutable _NEG_GAMMA_Y_RE;
    uint256 private immutable _NEG_DELTA_X_IM;
    uint256 private immutable _NEG_DELTA_X_RE;
    uint256 private immutable _NEG_DELTA_Y_IM;
    uint256 private immutable _NEG_DELTA_Y_RE;

    /// @dev IC₀ and the constant inputs' multiples of their points.
    uint256 private immutable _SUM_X;
    uint256 private immutable _SUM_Y;

    /// @dev Points of the inputs that vary.
    uint256 private immutable _FIRST_X;
    uint256 private immutable _FIRST_Y;
    uint256 private immutable _SECOND_X;
    uint256 private immutable _SECOND_Y;

    /// @param key Verifying key.
    /// @param inputs The constant inputs; 0 where an input varies.
    /// @param first Position (from 1) of the input that varies.
    /// @param second Position of the other one.
    constructor(Groth16Key memory key, uint256[5] memory inputs, uint256 first, uint256 second) {
        // With γ = δ (a ceremony that was never finished) anybody can make proofs of anything.
        if (keccak256(abi.encode(key.gamma)) == keccak256(abi.encode(key.delta))) revert DegenerateKey();
        if (!Groth16.areInSubgroup(key.beta, key.gamma, key.delta)) revert DegenerateKey();
        G1Point memory sum = _fold(key, inputs);
        (_ALPHA_X, _ALPHA_Y) = (key.alpha.X, key.alpha.Y);
        (_SUM_X, _SUM_Y) = (sum.X, sum.Y);
        (_FIRST_X, _FIRST_Y) = (key.ic[first].X, key.ic[first].Y);
        (_SECOND_X, _SECOND_Y) = (key.ic[second].X, key.ic[second].Y);
        G2Point memory point = Groth16.negate(key.beta);
        (_NEG_BETA_X_IM, _NEG_BETA_X_RE) = (point.X[0], point.X[1]);
        (_NEG_BETA_Y_IM, _NEG_BETA_Y_RE) = (point.Y[0], point.Y[1]);
        point = Groth16.negate(key.gamma);
        (_NEG_GAMMA_X_IM, _NEG_GAMMA_X_RE) = (point.X[0], point.X[1]);
        (_NEG_GAMMA_Y_IM, _NEG_GAMMA_Y_RE) = (point.Y[0], point.Y[1]);
        point = Groth16.negate(key.delta);
        (_NEG_DELTA_X_IM, _NEG_DELTA_X_RE) = (point.X[0], point.X[1]);
        (_NEG_DELTA_Y_IM, _NEG_DELTA_Y_RE) = (point.Y[0], point.Y[1]);
    }

    /// @dev Reverts ProofInvalid unless A, B, C (the 256 bytes of `proof` from `offset` on) are a proof for the constant inputs
    /// and these two, which must be below the group order.
    function _check(bytes calldata proof, uint256 offset, uint256 first, uint256 second) internal view {
        (bool ok, uint256 x, uint256 y) = Groth16.mulAdd(first, _FIRST_X, _FIRST_Y, _SUM_X, _SUM_Y);
        if (second != 0 && ok) (ok, x, y) = Groth16.mulAdd(second, _SECOND_X, _SECOND_Y, x, y);
        uint256[24] memory pairs; // A, B, C, −δ, α, −β, L, −γ
        pairs[8] = _NEG_DELTA_X_IM;
        pairs[9] = _NEG_DELTA_X_RE;
        pairs[10] = _NEG_DELTA_Y_IM;
        pairs[11] = _NEG_DELTA_Y_RE;
        pairs[12] = _ALPHA_X;
        pairs[13] = _ALPHA_Y;
        pairs[14] = _NEG_BETA_X_IM;
        pairs[15] = _NEG_BETA_X_RE;
        pairs[16] = _NEG_BETA_Y_IM;
        pairs[17] = _NEG_BETA_Y_RE;
        pairs[18] = x;
        pairs[19] = y;
        pairs[20] = _NEG_GAMMA_X_IM;
        pairs[21] = _NEG_GAMMA_X_RE;
        pairs[22] = _NEG_GAMMA_Y_IM;
        pairs[23] = _NEG_GAMMA_Y_RE;
        if (!ok || !Groth16.isProductOne(proof, offset, pairs)) revert ProofInvalid();
    }

    /// @dev IC₀ + Σ inputᵢ · ICᵢ; reverts for an input or a point that is none.
    function _fold(Groth16Key memory key, uint256[5] memory inputs) private view returns (G1Point memory) {
        (bool ok, uint256 x, uint256 y) = Groth16.mulAdd(0, key.alpha.X, key.alpha.Y, key.ic[0].X, key.ic[0].Y);
        for (uint256 i = 0; i < inputs.length && ok; i++) {
            if (inputs[i] >= Groth16.R) revert InputNotInField(inputs[i]);
            (ok, x, y) = Groth16.mulAdd(inputs[i], key.ic[i + 1].X, key.ic[i + 1].Y, x, y);
        }
        if (!ok) revert DegenerateKey();
        return G1Point(x, y);
    }
}
