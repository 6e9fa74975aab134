// SPDX-License-Identifier: MIT
pragma solidity >=0.8.24;

/// @notice What may be done with an aggregating program.
enum ProgramStatus {
    Unknown,
    Allowed,
    Disallowed,
    Revoked
}

/// @title Errors of the proof aggregation service.
interface IAlignedProofAggregationServiceErrors {
    error VerificationPaused();
    error ProgramNotAllowed(uint8 systemId, bytes32 programId);
    error MalformedPublicInputs(uint256 length);
    error LeafCountOutOfRange(uint256 leafCount, uint256 maximum);
    error WrongOpeningsLength(uint256 length, uint256 expected);
    error BlobMissing(uint256 index, bytes32 expected, bytes32 actual);
    error BlobOpeningInvalid(uint256 index);
    error RootAlreadyAggregated(bytes32 root);
    error RootUnknown(bytes32 root);
    error RootOfAnotherProgram(bytes32 root, bytes32 programId);
    error UnknownSystem(uint8 systemId);
    error VerifierHasNoFixedCode(address verifier);
    error VerifierOfAnotherProgram(uint8 systemId, bytes32 programId);
    error ProgramIsRevoked(bytes32 programId);
    error ProgramIsNotRevoked(bytes32 programId);
    error TooManyPrograms(uint256 maximum);
    error ZeroAddress(string field);
}

/// @title Events of the proof aggregation service.
interface IAlignedProofAggregationServiceEvents {
    event AggregatedProofVerified(
        bytes32 indexed root,
        uint8 indexed systemId,
        bytes32 indexed programId,
        uint32 leafCount,
        bytes32[] versionedHashes
    );
    event RootRevoked(bytes32 indexed root);
    event ProgramAllowed(
        uint8 indexed systemId, bytes32 indexed programId, address indexed verifier, bytes32 verifierCodeHash
    );
    event ProgramDisallowed(bytes32 indexed programId);
    event ProgramRevoked(bytes32 indexed programId);
    event VerificationPausedSet(bool paused);
}

/// @title Roots of proofs that a zkVM program has aggregated, and whether a proof is among them.
/// @notice A root is recorded with a proof of an allowed aggregating program: "these `leafCount` proofs of one proving system are all
/// valid, this is the root of their tree, and these blobs carry their commitments". Format: docs/spec/aggregation.md.
///
/// Invariants, each with a test of the same name:
/// A1 a root is recorded at most once, and only by a proof that the verifier of an allowed program accepted while
/// verification was not paused;
/// A2 the blobs of that transaction hold the commitments under the root: no leaf of a root is unknown to the public;
/// A3 a revoked root is not included anywhere ever again and cannot be recorded again; a revoked program is never allowed
/// again;
/// A4 inclusion is true only for index < leafCount, a path of exactly the tree's depth, the root's own system and a root that
/// is not revoked.
///
/// Who calls `verifySP1` or `verifyRisc0` does not matter: whoever sends a proof with its blobs pays for both, and the record
/// is the same. A proof's bytes are no identity (Groth16 is malleable): a root is what cannot be used twice.
interface IAlignedProofAggregationService is
    IAlignedProofAggregationServiceErrors,
    IAlignedProofAggregationServiceEvents
{
    /// @notice Records the root in `publicInputs` if an SP1 proof shows it and the transaction carries its blobs.
    /// @dev Anyone. Blob i of the transaction must be blob i of the public inputs; further blobs are ignored. Emits
    /// AggregatedProofVerified. Reverts, in this order: ProgramNotAllowed, VerificationPaused, MalformedPublicInputs
    /// (no count), LeafCountOutOfRange, MalformedPublicInputs (another length), WrongOpeningsLength,
    /// RootAlreadyAggregated, BlobMissing, BlobOpeningInvalid, and as the program's verifier does (IProofVerifier).
    /// @param programId The aggregating program: hash of its verifying key.
    /// @param publicInputs Its public values: root ‖ count ‖ (versioned hash ‖ value) for each blob, 32 bytes each.
    /// @param proof Proof bytes of the kind that the program's verifier takes.
    /// @param openings KZG commitment (48) ‖ KZG proof (48) for each blob.
    function verifySP1(bytes32 programId, bytes calldata publicInputs, bytes calldata proof, bytes calldata openings)
        external;

    /// @notice The same with a RISC Zero proof.
    /// @param programId The aggregating program: its image id.
    /// @param seal Seal of the kind that the program's verifier takes.
    /// @param publicInputs Its journal: root ‖ count ‖ (versioned hash ‖ value) for each blob, 32 bytes each.
    /// @param openings KZG commitment (48) ‖ KZG proof (48) for each blob.
    function verifyRisc0(bytes32 programId, bytes calldata seal, bytes calldata publicInputs, bytes calldata openings)
        external;

    /// @notice Whether a valid proof of the user's program with these public inputs is under the root. Never reverts: false for an
    /// unknown or revoked root, another system, an index outside the tree, a path of another length.
    /// @dev Reads one storage slot, so a program's revocation reaches its roots one by one (`revokeRootsOf`, open to all).
    /// The index is the proof's position and is unique in its root; the same proof may be under several roots, so an
    /// application must not take root and index as a nullifier.
    /// @param root Aggregated root.
    /// @param systemId Proving system of the user's proof: 1 SP1, 2 RISC Zero.
    /// @param programId The user's program: SP1's verifying key hash, RISC Zero's image id.
    /// @param publicInputs What that program committed.
    /// @param index Position of the proof under the root.
    /// @param path Siblings from the leaf upwards, 32 bytes each.
    function verifyProofInclusion(
        bytes32 root,
        uint256 systemId,
        bytes32 programId,
        bytes calldata publicInputs,
        uint256 index,
        bytes calldata path
    ) external view returns (bool);

    /// @notice The same for a caller that has keccak256(public inputs ‖ program) already.
    function verifyLeafInclusion(bytes32 root, uint256 systemId, bytes32 commitment, uint256 index, bytes calldata path)
        external
        view
        returns (bool);

    /// @notice Record of a root; all zero if there is none.
    /// @return systemId Proving system of its leaves.
    /// @return leafCount Number of leaves.
    /// @return blockNumber Block in which it was recorded.
    /// @return timestamp Time of that block, Unix seconds.
    /// @return programId The aggregating program.
    /// @return blobs Number of blobs that carry its commitments.
    /// @return revoked Whether it was revoked.
    function aggregatedProofs(bytes32 root)
        external
        view
        returns (
            uint8 systemId,
            uint32 leafCount,
            uint40 blockNumber,
            uint40 timestamp,
            bytes32 programId,
            uint8 blobs,
            bool revoked
        );

    /// @notice Lets a program record roots through `verifier`, or gives an allowed one another verifier. Restricted.
    /// @dev The verifier must have code of its own that nobody can change: no account with delegated code (refused
    /// here) and no proxy (whoever schedules the call must look). Since Cancun a contract's code cannot be replaced, so
    /// its hash, which the event shows, is checked by the callers and not at each proof. Emits ProgramAllowed.
    /// Reverts UnknownSystem, VerifierHasNoFixedCode, VerifierOfAnotherProgram, ProgramIsRevoked, TooManyPrograms.
    function allowProgram(uint8 systemId, bytes32 programId, address verifier) external;

    /// @notice Stops new roots of a program; recorded ones stay valid. Restricted (guardian). Emits ProgramDisallowed.
    function disallowProgram(bytes32 programId) external;

    /// @notice Ends a program for ever and revokes these roots of it. Restricted (guardian). Emits ProgramRevoked and RootRevoked
    /// for each root not revoked before. Reverts RootUnknown, RootOfAnotherProgram.
    function revokeProgram(bytes32 programId, bytes32[] calldata roots) external;

    /// @notice Revokes roots of a revoked program. Anyone. Reverts ProgramIsNotRevoked, RootUnknown, RootOfAnotherProgram.
    function revokeRootsOf(bytes32 programId, bytes32[] calldata roots) external;

    /// @notice Revokes roots for ever. Restricted (guardian). Emits RootRevoked for each not revoked before. Reverts RootUnknown.
    function revokeRoots(bytes32[] calldata roots) external;

    /// @notice Stops or resumes `verifySP1` and `verifyRisc0`. Restricted (guardian). Views go on. Emits VerificationPausedSet.
    function setVerificationPaused(bool paused) external;

    /// @notice Whether verification is paused.
    function verificationPaused() external view returns (bool);

    /// @notice A program's state.
    function programOf(bytes32 programId) external view returns (uint8 systemId, ProgramStatus status, address verifier);

    /// @notice All programs that were ever allowed, in that order.
    function programIds() external view returns (bytes32[] memory);
}
