// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {BatchStatus} from "../interfaces/IAlignedLayerServiceManager.sol";

/// @notice A batch's record in one word, written by one SSTORE. From the lowest bit:
/// uint32 created block · uint32 last response block · uint8 status · uint80 fee in wei.
type PackedBatch is uint256;

using PackedBatches for PackedBatch global;

/// @title Fields of a PackedBatch.
library PackedBatches {
    uint256 private constant LAST_BLOCK_SHIFT = 32;
    uint256 private constant STATUS_SHIFT = 64;
    uint256 private constant FEE_SHIFT = 72;

    /// @notice A record; every argument must fit its field.
    function pack(uint256 createdBlock_, uint256 lastBlock_, BatchStatus status_, uint256 feeWei_)
        internal
        pure
        returns (PackedBatch)
    {
        return PackedBatch.wrap(
            createdBlock_ | lastBlock_ << LAST_BLOCK_SHIFT | uint256(status_) << STATUS_SHIFT | feeWei_ << FEE_SHIFT
        );
    }

    /// @notice The record with another status and fee.
    function with(PackedBatch batch, BatchStatus status_, uint256 feeWei_) internal pure returns (PackedBatch) {
        return pack(batch.createdBlock(), batch.lastResponseBlock(), status_, feeWei_);
    }

    /// @notice Block in which the task was created, 0 if there is none.
    function createdBlock(PackedBatch batch) internal pure returns (uint32) {
        return uint32(PackedBatch.unwrap(batch));
    }

    /// @notice Last block in which it may be answered.
    function lastResponseBlock(PackedBatch batch) internal pure returns (uint32) {
        return uint32(PackedBatch.unwrap(batch) >> LAST_BLOCK_SHIFT);
    }

    /// @notice Stored status (a pending batch out of its window still says Pending).
    function status(PackedBatch batch) internal pure returns (BatchStatus) {
        return BatchStatus(uint8(PackedBatch.unwrap(batch) >> STATUS_SHIFT));
    }

    /// @notice Reserved while pending; afterwards what the submitter has not reclaimed yet.
    function feeWei(PackedBatch batch) internal pure returns (uint256) {
        return PackedBatch.unwrap(batch) >> FEE_SHIFT;
    }
}
