// SPDX-License-Identifier: MIT
pragma solidity >=0.8.24;

/// @title Where an operator's voting weight comes from.
/// @notice The registry copies weights from here into its own per-block history; it never asks during a signature check.
/// Implementations: `LocalStakeSource` (ETH bonded in the contract, for devnets) and, for production, a source over
/// EigenLayer's AllocationManager (slashable stake of one operator set, times per-strategy multipliers).
interface IStakeSource {
    /// @notice Weight of `operator` now, in wei-equivalents; 0 when the operator may not serve.
    /// @dev Must not revert for any address: the registry reads it for other people's operators as well.
    /// @param operator The operator's address.
    /// @return weight The weight; the registry caps it at `type(uint96).max`.
    function weightOf(address operator) external view returns (uint256 weight);
}
