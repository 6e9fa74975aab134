// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Groth16Key} from "../../contracts/libraries/Groth16.sol";
import {Risc0Groth16} from "../../contracts/verifiers/Risc0Groth16.sol";
import {SP1Groth16} from "../../contracts/verifiers/SP1Groth16.sol";

/// @notice The SP1 verifier under a key of the test's choice, whose secrets the test may know.
contract KeyedSP1Verifier is SP1Groth16 {
    constructor(Groth16Key memory key, bytes4 selector, bytes32 vkRoot, bytes32 programVKey)
        SP1Groth16(key, selector, vkRoot, programVKey)
    {}
}

/// @notice The RISC Zero verifier under such a key.
contract KeyedRisc0Verifier is Risc0Groth16 {
    constructor(Groth16Key memory key, bytes32 imageId, bytes32 controlRoot, bytes32 controlId)
        Risc0Groth16(key, imageId, controlRoot, controlId)
    {}
}
