// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IAlignedProofAggregationService} from "../interfaces/IAlignedProofAggregationService.sol";

/// @title Example of a contract that acts on aggregated proofs: it remembers the public inputs of one program that were shown true.
/// @notice What every consumer must fix besides inclusion: which program of which proving system was proved, else a proof
/// of any program would do.
contract AggregatedProofConsumer {
    error ProofNotAggregated(bytes32 root, uint256 index);

    event StatementProved(bytes32 indexed publicInputsHash, uint256 length);

    /// @notice The aggregation service that is believed.
    IAlignedProofAggregationService public immutable AGGREGATION_SERVICE;

    /// @notice Proving system of the program: 1 SP1, 2 RISC Zero.
    uint256 public immutable SYSTEM_ID;

    /// @notice The one program that is accepted.
    bytes32 public immutable PROGRAM_ID;

    /// @notice Whether public inputs have been shown to be true.
    mapping(bytes32 publicInputsHash => bool) public proved;

    /// @param service The aggregation service.
    /// @param systemId Proving system.
    /// @param programId SP1's verifying key hash or RISC Zero's image id.
    constructor(address service, uint256 systemId, bytes32 programId) {
        AGGREGATION_SERVICE = IAlignedProofAggregationService(service);
        (SYSTEM_ID, PROGRAM_ID) = (systemId, programId);
    }

    /// @notice Records `publicInputs` if a proof of the program over them was aggregated.
    /// @dev Anyone; idempotent. Keyed by the public inputs: neither the proof nor its place (a proof may be aggregated twice) is a
    /// nullifier. Emits StatementProved.
    /// @param publicInputs What the program committed.
    /// @param root Aggregated root.
    /// @param index Position of the proof under the root.
    /// @param path Siblings from the leaf upwards.
    function submit(bytes calldata publicInputs, bytes32 root, uint256 index, bytes calldata path) external {
        bool included = AGGREGATION_SERVICE.verifyProofInclusion(root, SYSTEM_ID, PROGRAM_ID, publicInputs, index, path);
        if (!included) revert ProofNotAggregated(root, index);
        bytes32 publicInputsHash = keccak256(publicInputs);
        proved[publicInputsHash] = true;
        emit StatementProved(publicInputsHash, publicInputs.length);
    }
}
