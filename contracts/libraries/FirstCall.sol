// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Whether a call is the first one of its transaction to the contract that asks.
/// @notice What a transaction costs once (21,000 gas, first touches) may be refunded once: a contract that makes ten calls
/// in one transaction would earn the other nine otherwise.
library FirstCall {
    // keccak256("aligned.transient.FirstCall"), a slot of transient storage
    bytes32 private constant SLOT = 0x6d686685fa3c8c97f79c75527905e2e5d8da91bb72cf47f15e9b9ab5bd74b281;

    /// @notice True once a transaction.
    function take() internal returns (bool first) {
        assembly ("memory-safe") {
            first := iszero(tload(SLOT))
            tstore(SLOT, 1)
        }
    }
}
