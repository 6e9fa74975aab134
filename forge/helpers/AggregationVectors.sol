// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {AggregationTree} from "../../contracts/libraries/AggregationTree.sol";
import {BlobBinding} from "../../contracts/libraries/BlobBinding.sol";

/// @notice Shows the libraries of aggregation mode, so that a test can run the shared vectors through them.
contract AggregationVectors {
    function leaf(uint256 systemId, bytes calldata publicInputs, bytes32 programId)
        external
        pure
        returns (bytes32 commitment, bytes32 hash)
    {
        commitment = AggregationTree.commitment(publicInputs, programId);
        hash = AggregationTree.leaf(systemId, commitment);
    }

    function verify(bytes32 root, uint256 count, bytes32 node, uint256 index, bytes calldata path)
        external
        pure
        returns (bool)
    {
        return AggregationTree.verify(root, count, node, index, path);
    }

    function challenge(bytes32 root, uint256 count, bytes32 versionedHash) external pure returns (uint256) {
        return BlobBinding.challenge(root, count, versionedHash);
    }

    function isOpening(bytes32 versionedHash, uint256 z, uint256 y, bytes calldata opening)
        external
        view
        returns (bool)
    {
        return BlobBinding.isOpening(versionedHash, z, y, opening, 0);
    }
}
