// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IProofVerifier} from "../interfaces/IProofVerifier.sol";

/// @title Stands in for a real verifier on a devnet, where proofs below Groth16 level cannot be checked on chain.
/// @notice Accepts keccak256("aligned.dev-proof.v1") ‖ level (1 to 4) ‖ keccak256(program ‖ public inputs), which anybody can
/// write down. It exists on chain id 31337 only: elsewhere it can neither be created nor called.
contract DevVerifier is IProofVerifier {
    uint256 private constant DEV_CHAIN_ID = 31337;
    uint256 private constant PROOF_BYTES = 65;
    uint256 private constant HIGHEST_LEVEL = 4; // 1 native, 2 execute, 3 compressed or composite, 4 succinct
    bytes32 private constant TAG = keccak256("aligned.dev-proof.v1");

    uint8 private immutable _SYSTEM_ID;
    bytes32 private immutable _PROGRAM;

    /// @param systemId_ Proving system.
    /// @param programId_ The program.
    constructor(uint8 systemId_, bytes32 programId_) {
        _requireDevChain();
        (_SYSTEM_ID, _PROGRAM) = (systemId_, programId_);
    }

    /// @notice Reverts unless `proof` is the dev proof of these public inputs.
    /// @param publicInputs What the program committed.
    /// @param proof 65 bytes.
    function verify(bytes calldata publicInputs, bytes calldata proof) external view {
        _requireDevChain();
        if (proof.length != PROOF_BYTES) revert WrongProofLength(proof.length, PROOF_BYTES);
        uint256 level = uint8(proof[32]);
        bool isRight = bytes32(proof[:32]) == TAG && level != 0 && level <= HIGHEST_LEVEL
            && bytes32(proof[33:]) == keccak256(bytes.concat(_PROGRAM, publicInputs));
        if (!isRight) revert ProofInvalid();
    }

    /// @notice Proving system.
    function systemId() external view returns (uint8) {
        return _SYSTEM_ID;
    }

    /// @notice The program.
    function programId() external view returns (bytes32) {
        return _PROGRAM;
    }

    function _requireDevChain() private view {
        if (block.chainid != DEV_CHAIN_ID) revert NotDevChain(block.chainid);
    }
}
