// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {SP1Groth16} from "./SP1Groth16.sol";
import {SP1KeyV610} from "./keys/SP1KeyV610.sol";

/// @title Proofs of one SP1 program under the public key of the circuits v6.1.0 (SP1 6.1 to 6.10).
/// @notice Other versions have other selectors and are refused; v6.0.0 accepted wrong proofs (CVE-2026-40323).
contract SP1Groth16Verifier is SP1Groth16 {
    /// @param programVKey Hash of the program's verifying key in bytes32 form.
    constructor(bytes32 programVKey)
        SP1Groth16(
            SP1KeyV610.key(),
            0x4388a21c,
            0x002f850ee998974d6cc00e50cd0814b098c05bfade466d28573240d057f25352,
            programVKey
        )
    {}
}
