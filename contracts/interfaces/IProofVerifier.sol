// SPDX-License-Identifier: MIT
pragma solidity >=0.8.24;

/// @title Errors of the verifiers.
interface IProofVerifierErrors {
    error WrongProofLength(uint256 length, uint256 expected);
    error WrongSelector(bytes4 received, bytes4 expected);
    error InvalidExitCode(uint256 exitCode);
    error InvalidVkRoot(bytes32 received, bytes32 expected);
    error InputNotInField(uint256 value);
    error ProofInvalid();
    error DegenerateKey();
    error NotDevChain(uint256 chainId);
    error RouteChanged(address routed, address pinned);
    error RouteFrozen(bytes4 selector);
    error CodeChanged(bytes32 found, bytes32 pinned);
}

/// @title Verifier of one program's proofs of one proving system.
/// @notice Implementations have no storage, no owner and no proxy: what an address accepts never widens. A proof's bytes are
/// no identity: whoever has one can make others for the same public inputs (Groth16 is malleable), so nothing may be keyed
/// by them.
interface IProofVerifier is IProofVerifierErrors {
    /// @notice Returns if `proof` shows that the program ran and made `publicInputs` public, else reverts.
    /// @dev Reverts with one of the errors above and spends a bounded amount of gas, whatever the bytes.
    /// @param publicInputs What the program committed: SP1's public values, RISC Zero's journal.
    /// @param proof The proof: SP1's proof bytes, RISC Zero's seal.
    function verify(bytes calldata publicInputs, bytes calldata proof) external view;

    /// @notice Proving system: 1 SP1, 2 RISC Zero.
    function systemId() external view returns (uint8);

    /// @notice The program: SP1's verifying key hash (bytes32 form), RISC Zero's image id.
    function programId() external view returns (bytes32);
}
