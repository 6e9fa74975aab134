// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {
    AccessManagedUpgradeable
} from "@openzeppelin/contracts-upgradeable/access/manager/AccessManagedUpgradeable.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts-upgradeable/proxy/utils/UUPSUpgradeable.sol";

import {IAlignedProofAggregationService, ProgramStatus} from "./interfaces/IAlignedProofAggregationService.sol";
import {IProofVerifier} from "./interfaces/IProofVerifier.sol";
import {AggregationTree} from "./libraries/AggregationTree.sol";
import {BlobBinding} from "./libraries/BlobBinding.sol";
import {PackedRoot, PackedRoots} from "./libraries/PackedRoot.sol";
import {Words} from "./libraries/Words.sol";

/// @title Roots of proofs that a zkVM program has aggregated, and whether a proof is among them.
/// @notice Contract and invariants: IAlignedProofAggregationService.
contract AlignedProofAggregationService is IAlignedProofAggregationService, AccessManagedUpgradeable, UUPSUpgradeable {
    uint8 private constant SP1 = 1;
    uint8 private constant RISC0 = 2;

    /// @dev Public inputs: root ‖ count, then versioned hash ‖ value for each blob.
    uint256 private constant HEAD_BYTES = 64;
    uint256 private constant COUNT_AT = 32;
    uint256 private constant BLOB_POINT_BYTES = 64;
    uint256 private constant VALUE_AT = 32;

    /// @dev Pausing writes to each program, so their number is bounded.
    uint256 private constant MAX_PROGRAMS = 256;

    bytes1 private constant DELEGATION_PREFIX = 0xef;

    /// @dev One storage slot: all that a proof of the program needs. The pause is kept in each program, as a flag of its own
    /// would cost every aggregation another cold read.
    struct Program {
        address verifier;
        uint8 systemId;
        ProgramStatus status;
        bool paused;
        uint32 index;
    }

    /// @custom:storage-location erc7201:aligned.storage.ProofAggregationService
    struct AggregationStorage {
        mapping(bytes32 root => PackedRoot) roots;
        mapping(bytes32 programId => Program) programs;
        bytes32[] programIds;
        bool paused;
    }

    // keccak256(abi.encode(uint256(keccak256("aligned.storage.ProofAggregationService")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE = 0x28de33aa14e8e85f681a8fa5135bb17fe6e73bc8ec520818e173dd0c1d74e800;

    constructor() {
        _disableInitializers();
    }

    /// @notice Sets the service up; the proxy calls it in its constructor.
    /// @param authority_ Access manager.
    function initialize(address authority_) external initializer {
        if (authority_ == address(0)) revert ZeroAddress("authority");
        __AccessManaged_init(authority_);
    }

    // ------------------------------------------------------------------------------------------ anyone

    /// @inheritdoc IAlignedProofAggregationService
    function verifySP1(bytes32 programId, bytes calldata publicInputs, bytes calldata proof, bytes calldata openings)
        external
    {
        _aggregate(SP1, programId, publicInputs, proof, openings);
    }

    /// @inheritdoc IAlignedProofAggregationService
    function verifyRisc0(bytes32 programId, bytes calldata seal, bytes calldata publicInputs, bytes calldata openings)
        external
    {
        _aggregate(RISC0, programId, publicInputs, seal, openings);
    }

    /// @inheritdoc IAlignedProofAggregationService
    function revokeRootsOf(bytes32 programId, bytes32[] calldata roots) external {
        Program storage program = _storage().programs[programId];
        if (program.status != ProgramStatus.Revoked) revert ProgramIsNotRevoked(programId);
        _revokeRootsOf(programId, program.index, roots);
    }

    // ------------------------------------------------------------------------------------------ governance

    /// @inheritdoc IAlignedProofAggregationService
    function allowProgram(uint8 systemId, bytes32 programId, address verifier) external restricted {
        if (systemId != SP1 && systemId != RISC0) revert UnknownSystem(systemId);
        bytes memory code = verifier.code;
        if (code.length == 0 || code[0] == DELEGATION_PREFIX) revert VerifierHasNoFixedCode(verifier);
        uint8 itsSystem = IProofVerifier(verifier).systemId();
        bytes32 itsProgram = IProofVerifier(verifier).programId();
        if (itsSystem != systemId || itsProgram != programId) revert VerifierOfAnotherProgram(itsSystem, itsProgram);
        AggregationStorage storage $ = _storage();
        Program storage program = $.programs[programId];
        if (program.status == ProgramStatus.Revoked) revert ProgramIsRevoked(programId);
        if (program.status == ProgramStatus.Unknown) {
            if ($.programIds.length == MAX_PROGRAMS) revert TooManyPrograms(MAX_PROGRAMS);
            program.index = uint32($.programIds.length);
            program.paused = $.paused;
            $.programIds.push(programId);
        }
        (program.verifier, program.systemId, program.status) = (verifier, systemId, ProgramStatus.Allowed);
        emit ProgramAllowed(systemId, programId, verifier, verifier.codehash);
    }

    /// @inheritdoc IAlignedProofAggregationService
    function disallowProgram(bytes32 programId) external restricted {
        Program storage program = _storage().programs[programId];
        if (program.status != ProgramStatus.Allowed) revert ProgramNotAllowed(program.systemId, programId);
        program.status = ProgramStatus.Disallowed;
        emit ProgramDisallowed(programId);
    }

    /// @inheritdoc IAlignedProofAggregationService
    function revokeProgram(bytes32 programId, bytes32[] calldata roots) external restricted {
        Program storage program = _storage().programs[programId];
        if (program.status == ProgramStatus.Unknown) revert ProgramNotAllowed(0, programId);
        if (program.status == ProgramStatus.Revoked) revert ProgramIsRevoked(programId);
        program.status = ProgramStatus.Revoked;
        emit ProgramRevoked(programId);
        _revokeRootsOf(programId, program.index, roots);
    }

    /// @inheritdoc IAlignedProofAggregationService
    function revokeRoots(bytes32[] calldata roots) external restricted {
        for (uint256 i = 0; i < roots.length; i++) {
            _revokeRoot(roots[i]);
        }
    }

    /// @inheritdoc IAlignedProofAggregationService
    function setVerificationPaused(bool paused) external restricted {
        AggregationStorage storage $ = _storage();
        $.paused = paused;
        uint256 count = $.programIds.length;
        for (uint256 i = 0; i < count; i++) {
            $.programs[$.programIds[i]].paused = paused;
        }
        emit VerificationPausedSet(paused);
    }

    // ------------------------------------------------------------------------------------------ views

    /// @inheritdoc IAlignedProofAggregationService
    function verifyProofInclusion(
        bytes32 root,
        uint256 systemId,
        bytes32 programId,
        bytes calldata publicInputs,
        uint256 index,
        bytes calldata path
    ) external view returns (bool) {
        return _isIncluded(root, systemId, AggregationTree.commitment(publicInputs, programId), index, path);
    }

    /// @inheritdoc IAlignedProofAggregationService
    function verifyLeafInclusion(bytes32 root, uint256 systemId, bytes32 commitment, uint256 index, bytes calldata path)
        external
        view
        returns (bool)
    {
        return _isIncluded(root, systemId, commitment, index, path);
    }

    /// @inheritdoc IAlignedProofAggregationService
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
        )
    {
        PackedRoot record = _storage().roots[root];
        if (record.exists()) programId = _storage().programIds[record.programIndex()];
        (systemId, leafCount, blobs, revoked) =
        (record.systemId(), record.leafCount(), record.blobs(), record.isRevoked());
        (blockNumber, timestamp) = (record.blockNumber(), record.timestamp());
    }

    /// @inheritdoc IAlignedProofAggregationService
    function programOf(bytes32 programId)
        external
        view
        returns (uint8 systemId, ProgramStatus status, address verifier)
    {
        Program storage program = _storage().programs[programId];
        return (program.systemId, program.status, program.verifier);
    }

    /// @inheritdoc IAlignedProofAggregationService
    function programIds() external view returns (bytes32[] memory) {
        return _storage().programIds;
    }

    /// @inheritdoc IAlignedProofAggregationService
    function verificationPaused() external view returns (bool) {
        return _storage().paused;
    }

    // ------------------------------------------------------------------------------------------ internals

    function _aggregate(
        uint8 systemId,
        bytes32 programId,
        bytes calldata publicInputs,
        bytes calldata proof,
        bytes calldata openings
    ) private {
        AggregationStorage storage $ = _storage();
        Program memory program = $.programs[programId];
        if (program.status != ProgramStatus.Allowed || program.systemId != systemId) {
            revert ProgramNotAllowed(systemId, programId);
        }
        if (program.paused) revert VerificationPaused();
        (bytes32 root, uint256 count, uint256 blobs) = _head(publicInputs, openings);
        if ($.roots[root].exists()) revert RootAlreadyAggregated(root);
        bytes32[] memory versionedHashes = _bindBlobs(root, count, blobs, publicInputs, openings);
        IProofVerifier(program.verifier).verify(publicInputs, proof);
        $.roots[root] = PackedRoots.pack(count, systemId, blobs, program.index);
        emit AggregatedProofVerified(root, systemId, programId, uint32(count), versionedHashes);
    }

    /// @dev Root, leaf count and number of blobs, once the lengths are right.
    function _head(bytes calldata publicInputs, bytes calldata openings)
        private
        pure
        returns (bytes32 root, uint256 count, uint256 blobs)
    {
        if (publicInputs.length < HEAD_BYTES) revert MalformedPublicInputs(publicInputs.length);
        (root, count) = (bytes32(Words.at(publicInputs, 0)), Words.at(publicInputs, COUNT_AT));
        if (count == 0 || count > AggregationTree.MAX_LEAVES) {
            revert LeafCountOutOfRange(count, AggregationTree.MAX_LEAVES);
        }
        unchecked {
            // count <= MAX_LEAVES
            blobs = (count + BlobBinding.COMMITMENTS_PER_BLOB - 1) / BlobBinding.COMMITMENTS_PER_BLOB;
            if (publicInputs.length != HEAD_BYTES + blobs * BLOB_POINT_BYTES) {
                revert MalformedPublicInputs(publicInputs.length);
            }
            if (openings.length != blobs * BlobBinding.OPENING_BYTES) {
                revert WrongOpeningsLength(openings.length, blobs * BlobBinding.OPENING_BYTES);
            }
        }
    }

    /// @dev The transaction's first blobs are those of the public inputs and have the values that the program computed.
    function _bindBlobs(
        bytes32 root,
        uint256 count,
        uint256 blobs,
        bytes calldata publicInputs,
        bytes calldata openings
    ) private view returns (bytes32[] memory versionedHashes) {
        versionedHashes = new bytes32[](blobs);
        unchecked {
            // Both lengths fit `blobs`, which is at most 6.
            for (uint256 i = 0; i < blobs; i++) {
                uint256 pointAt = HEAD_BYTES + i * BLOB_POINT_BYTES;
                bytes32 expected = bytes32(Words.at(publicInputs, pointAt));
                bytes32 actual = blobhash(i);
                // No such blob: its hash is 0, which no blob has.
                if (actual == 0 || actual != expected) revert BlobMissing(i, expected, actual);
                uint256 z = BlobBinding.challenge(root, count, actual);
                uint256 y = Words.at(publicInputs, pointAt + VALUE_AT);
                if (!BlobBinding.isOpening(actual, z, y, openings, i * BlobBinding.OPENING_BYTES)) {
                    revert BlobOpeningInvalid(i);
                }
                versionedHashes[i] = actual;
            }
        }
    }

    function _isIncluded(bytes32 root, uint256 systemId, bytes32 commitment, uint256 index, bytes calldata path)
        private
        view
        returns (bool)
    {
        PackedRoot record = _storage().roots[root];
        if (!record.isValidFor(systemId)) return false;
        return AggregationTree.verify(root, record.leafCount(), AggregationTree.leaf(systemId, commitment), index, path);
    }

    function _revokeRootsOf(bytes32 programId, uint256 programIndex, bytes32[] calldata roots) private {
        for (uint256 i = 0; i < roots.length; i++) {
            PackedRoot record = _revokeRoot(roots[i]);
            if (record.programIndex() != programIndex) revert RootOfAnotherProgram(roots[i], programId);
        }
    }

    /// @dev Does nothing to a root revoked before: nobody can make a long list fail by revoking one of it first.
    function _revokeRoot(bytes32 root) private returns (PackedRoot record) {
        AggregationStorage storage $ = _storage();
        record = $.roots[root];
        if (!record.exists()) revert RootUnknown(root);
        if (record.isRevoked()) return record;
        $.roots[root] = record.revoke();
        emit RootRevoked(root);
    }

    function _authorizeUpgrade(address) internal override restricted {}

    function _storage() private pure returns (AggregationStorage storage $) {
        assembly {
            $.slot := STORAGE
        }
    }
}
