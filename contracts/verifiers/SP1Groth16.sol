// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Groth16, Groth16Key} from "../libraries/Groth16.sol";
import {Words} from "../libraries/Words.sol";
import {Groth16Verifier} from "./Groth16Verifier.sol";

/// @title Proofs of one SP1 program in the format of SP1's circuits v6, under any key of those circuits.
/// @notice Proof, 356 bytes: selector (4) ‖ exit code ‖ vk root ‖ nonce ‖ A ‖ B ‖ C. Public inputs of the circuit: program,
/// hash of the public values, exit code, vk root, nonce. The nonce is the prover's: any value below the group order.
abstract contract SP1Groth16 is Groth16Verifier {
    uint256 private constant PROOF_BYTES = 356;
    uint256 private constant EXIT_CODE_AT = 4;
    uint256 private constant VK_ROOT_AT = 36;
    uint256 private constant NONCE_AT = 68;
    uint256 private constant POINTS_AT = 100;

    /// @dev The circuit takes the hash without its top three bits, so that it is below the group order.
    uint256 private constant HASH_MASK = (1 << 253) - 1;

    /// @notice First bytes of a proof: those of sha256 of the circuits' key.
    bytes4 public immutable SELECTOR;

    /// @notice Root of the recursion keys that the wrapped proof may have been made with.
    bytes32 public immutable VK_ROOT;

    bytes32 private immutable _PROGRAM;

    /// @param key Key of the circuits.
    /// @param selector First bytes of the proofs.
    /// @param vkRoot Root of the recursion keys.
    /// @param programVKey Hash of the program's verifying key, below the group order.
    constructor(Groth16Key memory key, bytes4 selector, bytes32 vkRoot, bytes32 programVKey)
        Groth16Verifier(key, [uint256(programVKey), 0, 0, uint256(vkRoot), 0], 2, 5)
    {
        SELECTOR = selector;
        VK_ROOT = vkRoot;
        _PROGRAM = programVKey;
    }

    /// @notice Reverts unless `proof` is one of this program with exit code 0 and these public values.
    /// @param publicValues What the program committed.
    /// @param proof Proof bytes as SP1's SDK gives them for contracts.
    function verify(bytes calldata publicValues, bytes calldata proof) external view {
        if (proof.length != PROOF_BYTES) revert WrongProofLength(proof.length, PROOF_BYTES);
        bytes4 selector = bytes4(bytes32(Words.at(proof, 0)));
        if (selector != SELECTOR) revert WrongSelector(selector, SELECTOR);
        uint256 exitCode = Words.at(proof, EXIT_CODE_AT);
        if (exitCode != 0) revert InvalidExitCode(exitCode);
        bytes32 vkRoot = bytes32(Words.at(proof, VK_ROOT_AT));
        if (vkRoot != VK_ROOT) revert InvalidVkRoot(vkRoot, VK_ROOT);
        uint256 nonce = Words.at(proof, NONCE_AT);
        if (nonce >= Groth16.R) revert InputNotInField(nonce);
        _check(proof, POINTS_AT, uint256(sha256(publicValues)) & HASH_MASK, nonce);
    }

    /// @notice 1, SP1.
    function systemId() external pure returns (uint8) {
        return 1;
    }

    /// @notice Hash of the program's verifying key.
    function programId() external view returns (bytes32) {
        return _PROGRAM;
    }
}
