// SPDX-License-Identifier: MIT
pragma solidity >=0.8.24;

/// @title What is used of Succinct's gateway: the verifier of each selector.
interface ISP1VerifierGateway {
    /// @notice Where proofs with that selector go, and whether the route was frozen.
    function routes(bytes4 selector) external view returns (address verifier, bool frozen);
}

/// @title What is used of Succinct's verifiers.
interface ISP1Verifier {
    /// @notice Reverts for a wrong proof.
    function verifyProof(bytes32 programVKey, bytes calldata publicValues, bytes calldata proofBytes) external view;
}

/// @title What is used of RISC Zero's router: the verifier (behind its emergency stop) of each selector.
interface IRiscZeroVerifierRouter {
    /// @notice Where seals with that selector go; reverts if nowhere or if the route was removed.
    function getVerifier(bytes4 selector) external view returns (address verifier);
}

/// @title What is used of RISC Zero's verifiers.
interface IRiscZeroVerifier {
    /// @notice Reverts for a wrong proof.
    function verify(bytes calldata seal, bytes32 imageId, bytes32 journalDigest) external view;
}
