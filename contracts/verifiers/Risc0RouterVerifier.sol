// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IRiscZeroVerifier, IRiscZeroVerifierRouter} from "../interfaces/IPublicVerifiers.sol";
import {PinnedRoute} from "./PinnedRoute.sol";

/// @title Proofs of one RISC Zero program by one pinned route of RISC Zero's router.
/// @notice Dearer than Risc0Groth16Verifier; follows RISC Zero when it stops the verifier or removes the route.
contract Risc0RouterVerifier is PinnedRoute {
    /// @param router RISC Zero's router.
    /// @param selector First bytes of the seals.
    /// @param verifier The (stoppable) verifier that this selector must lead to.
    /// @param codeHash keccak256 of its code.
    /// @param imageId The program.
    constructor(address router, bytes4 selector, address verifier, bytes32 codeHash, bytes32 imageId)
        PinnedRoute(router, selector, verifier, codeHash, imageId)
    {}

    /// @notice Reverts unless the pinned verifier, still routed and not stopped, accepts `seal`.
    /// @param journal What the program committed.
    /// @param seal The seal.
    function verify(bytes calldata journal, bytes calldata seal) external view {
        IRiscZeroVerifier(_pinned(seal)).verify(seal, _PROGRAM, sha256(journal));
    }

    /// @notice 2, RISC Zero.
    function systemId() external pure returns (uint8) {
        return 2;
    }

    function _route() internal view override returns (address) {
        return IRiscZeroVerifierRouter(ROUTER).getVerifier(SELECTOR);
    }
}
