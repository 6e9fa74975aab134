// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Risc0Groth16} from "./Risc0Groth16.sol";
import {Risc0Key} from "./keys/Risc0Key.sol";

/// @title Proofs of one RISC Zero program under the public key.
/// @notice The key is the same for all versions; control root and control id name the version. Those of 2.0 and 2.1 accepted
/// wrong proofs, so only the ones in deployments/params may be used.
contract Risc0Groth16Verifier is Risc0Groth16 {
    /// @param imageId The program.
    /// @param controlRoot Control root of the version.
    /// @param controlId BN254 control id of the version, as a number below the group order.
    constructor(bytes32 imageId, bytes32 controlRoot, bytes32 controlId)
        Risc0Groth16(Risc0Key.key(), imageId, controlRoot, controlId)
    {}
}
