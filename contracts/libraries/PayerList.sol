// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title The submitters of a batch, copied to memory so that those who were charged can be closed up and hashed.
/// @notice Positions are memory addresses; entries are 32 bytes.
library PayerList {
    uint256 private constant TERMS = 3;

    error MalformedAddress(uint256 word);

    /// @notice Copies the entries as they are, and behind them a sentinel that differs from the last one.
    /// @return list First position.
    /// @return end Position behind the last entry.
    function copy(address[] calldata entries) internal pure returns (uint256 list, uint256 end) {
        assembly ("memory-safe") {
            list := mload(0x40)
            let size := shl(5, entries.length)
            calldatacopy(list, entries.offset, size)
            end := add(list, size)
            mstore(end, not(mload(sub(end, 32))))
            mstore(0x40, add(end, mul(TERMS, 32))) // the terms of `commit`, at least the sentinel
        }
    }

    /// @notice The entry at position `at`, which must be before the end, and how many equal ones stand there in a row.
    function run(uint256 at) internal pure returns (address user, uint256 count) {
        uint256 word;
        assembly ("memory-safe") {
            word := mload(at)
            let next := add(at, 32)
            for {} eq(mload(next), word) {} { next := add(next, 32) }
            count := shr(5, sub(next, at))
        }
        if (word >> 160 != 0) revert MalformedAddress(word);
        user = address(uint160(word));
    }

    /// @notice Moves the first `count` entries of a run down to position `kept`; returns the position behind them.
    function keep(uint256 kept, uint256 at, uint256 count) internal pure returns (uint256 behind) {
        assembly ("memory-safe") {
            let size := shl(5, count)
            if xor(kept, at) { mcopy(kept, at, size) }
            behind := add(kept, size)
        }
    }

    /// @notice keccak256 of the entries that were kept and of the three terms behind them, 32 bytes each. The terms are the
    /// last 96 bytes, so no other list with other terms has the same preimage. Overwrites what was behind `kept`.
    function commit(uint256 list, uint256 kept, uint256 heldWei, uint256 payersFeeWei, uint256 feeLimitWei)
        internal
        pure
        returns (bytes32 digest)
    {
        assembly ("memory-safe") {
            mstore(kept, heldWei)
            mstore(add(kept, 32), payersFeeWei)
            mstore(add(kept, 64), feeLimitWei)
            digest := keccak256(list, add(sub(kept, list), mul(TERMS, 32)))
        }
    }
}
