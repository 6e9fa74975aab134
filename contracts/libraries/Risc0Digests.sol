// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Groth16Key} from "./Groth16.sol";

/// @title Digests of RISC Zero's tagged structures.
/// @notice sha256(sha256(tag) ‖ digests ‖ other data ‖ number of digests, 16 bits little-endian). Source of the format:
/// crate risc0-binfmt (`tagged_struct`, `tagged_list`).
library Risc0Digests {
    bytes32 private constant OUTPUT_TAG = 0x77eafeb366a78b47747de0d7bb176284085ff5564887009a5be63da32d3559d4; // sha256("risc0.Output")
    bytes32 private constant CLAIM_TAG = 0xcb1fefcd1f2d9a64975cbbbf6e161e2914434b0cbb9960b84df5d717e86b48af; // sha256("risc0.ReceiptClaim")
    bytes32 private constant PARAMETERS_TAG = 0x60b97a2bdc471360c901f58eb3f22679fc24bd6bf6367e14a8a34744f29516aa; // sha256("risc0.Groth16ReceiptVerifierParameters")
    bytes32 private constant KEY_TAG = 0xfa77044bc9f1aec494a3f424cb9104c24149acf58ca6b219b44bd6b1056f9d4c; // sha256("risc0_groth16.VerifyingKey")
    bytes32 private constant IC_TAG = 0xf776d186bf72b819a595ab1833062ab4bb3592160c10857ebeca9691ce729f22; // sha256("risc0_groth16.VerifyingKey.IC")

    /// @dev State of a machine that has halted: tag "risc0.SystemState", program counter 0, no memory.
    bytes32 private constant HALTED = 0xa3acc27117418996340b84e5a90f3ef4c49d22c79e44aad822ec9c313e1eb8e2;

    /// @notice Digest of the claim that `imageId` ran without input, halted with exit code 0 and committed a journal with
    /// that digest, assuming nothing.
    function claim(bytes32 imageId, bytes32 journalDigest) internal pure returns (bytes32) {
        bytes32 output = sha256(abi.encodePacked(OUTPUT_TAG, journalDigest, bytes32(0), uint16(0x0200)));
        return sha256(abi.encodePacked(CLAIM_TAG, bytes32(0), imageId, HALTED, output, uint64(0), uint16(0x0400)));
    }

    /// @notice Digest of what a verifier of Groth16 receipts is set up with.
    function parameters(bytes32 controlRoot, bytes32 controlId, bytes32 keyDigest) internal pure returns (bytes32) {
        bytes32 controlIdDigest = bytes32(reversed(controlId));
        return sha256(abi.encodePacked(PARAMETERS_TAG, controlRoot, controlIdDigest, keyDigest, uint16(0x0300)));
    }

    /// @notice Digest of a key.
    function key(Groth16Key memory k) internal pure returns (bytes32) {
        bytes32 list = 0;
        for (uint256 i = k.ic.length; i > 0; i--) {
            bytes32 point = sha256(abi.encode(k.ic[i - 1]));
            list = sha256(abi.encodePacked(IC_TAG, point, list, uint16(0x0200)));
        }
        return sha256(
            abi.encodePacked(
                KEY_TAG,
                sha256(abi.encode(k.alpha)),
                sha256(abi.encode(k.beta)),
                sha256(abi.encode(k.gamma)),
                sha256(abi.encode(k.delta)),
                list,
                uint16(0x0500)
            )
        );
    }

    /// @notice The digest's bytes in reverse order, as a number.
    function reversed(bytes32 digest) internal pure returns (uint256 value) {
        value = uint256(digest);
        value = _swap(value, 8, 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff);
        value = _swap(value, 16, 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff);
        value = _swap(value, 32, 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff);
        value = _swap(value, 64, 0x0000000000000000ffffffffffffffff0000000000000000ffffffffffffffff);
        value = value >> 128 | value << 128;
    }

    /// @dev Exchanges neighbouring groups of `bits` bits; `mask` has the lower one of each pair.
    function _swap(uint256 value, uint256 bits, uint256 mask) private pure returns (uint256) {
        return (value >> bits) & mask | (value & mask) << bits;
    }
}
