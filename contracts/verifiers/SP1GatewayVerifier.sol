// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ISP1Verifier, ISP1VerifierGateway} from "../interfaces/IPublicVerifiers.sol";
import {PinnedRoute} from "./PinnedRoute.sol";

/// @title Proofs of one SP1 program by one pinned route of Succinct's gateway.
/// @notice Dearer than SP1Groth16Verifier; follows the gateway's owner when he freezes the route.
contract SP1GatewayVerifier is PinnedRoute {
    /// @param gateway Succinct's gateway.
    /// @param selector First bytes of the proofs.
    /// @param verifier The verifier that this selector must lead to.
    /// @param codeHash keccak256 of its code.
    /// @param programVKey Hash of the program's verifying key.
    constructor(address gateway, bytes4 selector, address verifier, bytes32 codeHash, bytes32 programVKey)
        PinnedRoute(gateway, selector, verifier, codeHash, programVKey)
    {}

    /// @notice Reverts unless the pinned verifier, still routed and not frozen, accepts `proof`.
    /// @param publicValues What the program committed.
    /// @param proof Proof bytes.
    function verify(bytes calldata publicValues, bytes calldata proof) external view {
        ISP1Verifier(_pinned(proof)).verifyProof(_PROGRAM, publicValues, proof);
    }

    /// @notice 1, SP1.
    function systemId() external pure returns (uint8) {
        return 1;
    }

    function _route() internal view override returns (address verifier) {
        bool frozen;
        (verifier, frozen) = ISP1VerifierGateway(ROUTER).routes(SELECTOR);
        if (frozen) revert RouteFrozen(SELECTOR);
    }
}
