// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Words of byte strings whose length is known.
/// @dev Assembly because the compiler would check the bounds at every word again.
library Words {
    /// @notice The word at `offset` of `data`. The caller has checked that it is inside.
    function at(bytes calldata data, uint256 offset) internal pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := calldataload(add(data.offset, offset))
        }
    }
}
