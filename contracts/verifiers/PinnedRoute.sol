// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IProofVerifier} from "../interfaces/IProofVerifier.sol";

/// @title Base of the verifiers that use a public router, but only one route of it.
/// @notice The routers' owners can add versions at any time, also unsound ones. Here selector, verifier and its code are fixed:
/// a route that is new, changed, frozen or removed is refused, and proofs go to the pinned verifier itself.
/// @dev The pinned verifier must be no proxy; its code hash includes its immutables.
abstract contract PinnedRoute is IProofVerifier {
    /// @notice The public router.
    address public immutable ROUTER;

    /// @notice First bytes of the proofs that are accepted.
    bytes4 public immutable SELECTOR;

    /// @notice Where the router has to send them.
    address public immutable VERIFIER;

    /// @notice keccak256 of that contract's code.
    bytes32 public immutable CODE_HASH;

    bytes32 internal immutable _PROGRAM;

    uint256 private constant SELECTOR_BYTES = 4;

    constructor(address router, bytes4 selector, address verifier, bytes32 codeHash, bytes32 program) {
        if (verifier.codehash != codeHash) revert CodeChanged(verifier.codehash, codeHash);
        (ROUTER, SELECTOR, VERIFIER, CODE_HASH, _PROGRAM) = (router, selector, verifier, codeHash, program);
    }

    /// @notice The program.
    function programId() external view returns (bytes32) {
        return _PROGRAM;
    }

    /// @dev The pinned verifier, if `proof` and what the router says about it agree.
    function _pinned(bytes calldata proof) internal view returns (address) {
        if (proof.length < SELECTOR_BYTES) revert WrongProofLength(proof.length, SELECTOR_BYTES);
        if (bytes4(proof) != SELECTOR) revert WrongSelector(bytes4(proof), SELECTOR);
        address routed = _route();
        if (routed != VERIFIER) revert RouteChanged(routed, VERIFIER);
        if (VERIFIER.codehash != CODE_HASH) revert CodeChanged(VERIFIER.codehash, CODE_HASH);
        return VERIFIER;
    }

    /// @dev The router's answer for the selector; reverts if there is none or it is out of use.
    function _route() internal view virtual returns (address);
}
