// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Groth16Key} from "../../contracts/libraries/Groth16.sol";
import {Risc0Digests} from "../../contracts/libraries/Risc0Digests.sol";
import {Risc0Key} from "../../contracts/verifiers/keys/Risc0Key.sol";
import {SP1KeyV610} from "../../contracts/verifiers/keys/SP1KeyV610.sol";

/// @notice Shows the keys that the verifiers are built from, so that a test can compare them with their sources.
contract PublishedKeys {
    function sp1() external pure returns (Groth16Key memory) {
        return SP1KeyV610.key();
    }

    function risc0() external pure returns (Groth16Key memory) {
        return Risc0Key.key();
    }

    function risc0Digest() external pure returns (bytes32) {
        return Risc0Digests.key(Risc0Key.key());
    }

    function risc0Claim(bytes32 imageId, bytes calldata journal) external pure returns (bytes32) {
        return Risc0Digests.claim(imageId, sha256(journal));
    }
}
