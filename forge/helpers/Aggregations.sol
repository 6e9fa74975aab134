// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {AlignedProofAggregationService} from "../../contracts/AlignedProofAggregationService.sol";
import {AlignedProxy} from "../../contracts/AlignedProxy.sol";
import {AlignedAccessManager} from "../../contracts/access/AlignedAccessManager.sol";
import {DevVerifier} from "../../contracts/verifiers/DevVerifier.sol";

/// @notice Aggregations whose blob is all zero. Its polynomial is zero everywhere: commitment and proof are the point at
/// infinity and y is 0 at any point, so that Solidity alone can open it. Other blobs: tests/contracts.
library Aggregations {
    uint256 internal constant PROGRAMS = 3;

    function openings(uint256 blobs) internal pure returns (bytes memory all) {
        bytes memory infinity = abi.encodePacked(bytes1(0xc0), new bytes(47));
        for (uint256 i = 0; i < 2 * blobs; i++) {
            all = bytes.concat(all, infinity);
        }
    }

    function versionedHash() internal pure returns (bytes32) {
        uint256 hash = uint256(sha256(abi.encodePacked(bytes1(0xc0), new bytes(47))));
        return bytes32(hash << 8 >> 8 | uint256(1) << 248);
    }

    function hashes(uint256 blobs) internal pure returns (bytes32[] memory list) {
        list = new bytes32[](blobs);
        for (uint256 i = 0; i < blobs; i++) {
            list[i] = versionedHash();
        }
    }

    function publicInputs(bytes32 root, uint256 count, uint256 blobs) internal pure returns (bytes memory data) {
        data = abi.encodePacked(root, count);
        for (uint256 i = 0; i < blobs; i++) {
            data = abi.encodePacked(data, versionedHash(), bytes32(0));
        }
    }

    function systemOf(uint256 i) internal pure returns (uint8) {
        return uint8(1 + i % 2);
    }

    function programOf(uint256 i) internal pure returns (bytes32) {
        return bytes32(1 + i % PROGRAMS);
    }

    function devProof(bytes32 program, bytes memory inputs) internal pure returns (bytes memory) {
        return
            abi.encodePacked(
                keccak256("aligned.dev-proof.v1"), bytes1(0x01), keccak256(abi.encodePacked(program, inputs))
            );
    }

    /// @notice A service with three programs, administered by the caller.
    function deploy(address admin) internal returns (AlignedProofAggregationService service) {
        address manager = address(new AlignedAccessManager(admin));
        bytes memory call = abi.encodeCall(AlignedProofAggregationService.initialize, (manager));
        service = AlignedProofAggregationService(
            address(new AlignedProxy(address(new AlignedProofAggregationService()), call))
        );
    }

    function verifierOf(uint256 i) internal returns (address) {
        return address(new DevVerifier(systemOf(i), programOf(i)));
    }
}
