// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IAlignedLayerServiceManager} from "../interfaces/IAlignedLayerServiceManager.sol";
import {Commitments} from "../libraries/Commitments.sol";

/// @title Example of a contract that acts on proofs verified by the quorum: it remembers the Fibonacci numbers it was shown.
/// @notice What every consumer must check besides inclusion: which program was proved (else a proof of any program
/// would do) and what its public input says (else the caller could claim anything about it).
contract FibonacciConsumer {
    /// @notice Everything the inclusion check needs besides the two commitments that this contract computes itself.
    /// @param proofCommitment keccak256 of the proof.
    /// @param proofGenerator Address that made the proof (20 bytes, may be zero).
    /// @param batchMerkleRoot Root of the batch.
    /// @param merkleProof Path from the proof's leaf to the root.
    /// @param index Position of the leaf.
    /// @param sender Who posted the batch, e.g. the batcher payment service.
    struct Inclusion {
        bytes32 proofCommitment;
        bytes20 proofGenerator;
        bytes32 batchMerkleRoot;
        bytes merkleProof;
        uint256 index;
        address sender;
    }

    error ProofNotVerified(bytes32 batchMerkleRoot, uint256 index);
    error PublicInputTooShort(uint256 length, uint256 required);

    event FibonacciProved(bytes32 indexed publicInputHash, uint256 length);

    /// @notice The service manager that is believed.
    IAlignedLayerServiceManager public immutable SERVICE_MANAGER;

    /// @notice keccak256(program code or key ‖ proving system id) of the one program that is accepted.
    bytes32 public immutable PROGRAM_COMMITMENT;

    /// @dev Least public input: three 32-bit words (n, a, b).
    uint256 private constant MIN_INPUT_BYTES = 12;

    /// @notice Whether a public input has been shown to be true.
    mapping(bytes32 publicInputHash => bool) public proved;

    /// @param serviceManager The service manager.
    /// @param programCodeOrKey The bytes that provers send as VM program code (or else as verification key).
    /// @param provingSystemId Id of the proving system, e.g. 3 for SP1.
    constructor(address serviceManager, bytes memory programCodeOrKey, uint8 provingSystemId) {
        SERVICE_MANAGER = IAlignedLayerServiceManager(serviceManager);
        PROGRAM_COMMITMENT = Commitments.program(programCodeOrKey, provingSystemId);
    }

    /// @notice Records `publicInput` if a proof of the right program over it is in a verified batch.
    /// @dev Anyone; idempotent. The proof's bytes are no nullifier: proofs are malleable, so state is keyed by the
    /// public input. Emits FibonacciProved.
    function submit(bytes calldata publicInput, Inclusion calldata inclusion) external {
        if (publicInput.length < MIN_INPUT_BYTES) revert PublicInputTooShort(publicInput.length, MIN_INPUT_BYTES);
        bytes32 publicInputHash = keccak256(publicInput);
        bool verified = SERVICE_MANAGER.verifyBatchInclusion(
            inclusion.proofCommitment,
            publicInputHash,
            PROGRAM_COMMITMENT,
            inclusion.proofGenerator,
            inclusion.batchMerkleRoot,
            inclusion.merkleProof,
            inclusion.index,
            inclusion.sender
        );
        if (!verified) revert ProofNotVerified(inclusion.batchMerkleRoot, inclusion.index);
        proved[publicInputHash] = true;
        emit FibonacciProved(publicInputHash, publicInput.length);
    }
}
