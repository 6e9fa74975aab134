// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Groth16Key} from "../libraries/Groth16.sol";
import {Risc0Digests} from "../libraries/Risc0Digests.sol";
import {Words} from "../libraries/Words.sol";
import {Groth16Verifier} from "./Groth16Verifier.sol";

/// @title Proofs of one RISC Zero program, under any key.
/// @notice Seal, 260 bytes: selector (4) ‖ A ‖ B ‖ C. Public inputs of the circuit: both halves of the control root, both halves
/// of the claim's digest, the control id. The claim says: this image ran from its start, ended with exit code 0, committed
/// this journal and assumed nothing.
abstract contract Risc0Groth16 is Groth16Verifier {
    uint256 private constant SEAL_BYTES = 260;
    uint256 private constant POINTS_AT = 4;
    uint256 private constant HALF = type(uint128).max;

    /// @notice First bytes of a seal: those of the digest of key, control root and control id.
    bytes4 public immutable SELECTOR;

    bytes32 private immutable _IMAGE_ID;

    /// @param key Key of the circuit.
    /// @param imageId The program.
    /// @param controlRoot Root of the recursion programs that the wrapped receipt may have been made with.
    /// @param controlId Id of the last one of them, as a number below the group order.
    constructor(Groth16Key memory key, bytes32 imageId, bytes32 controlRoot, bytes32 controlId)
        Groth16Verifier(key, _constantInputs(controlRoot, controlId), 3, 4)
    {
        SELECTOR = bytes4(Risc0Digests.parameters(controlRoot, controlId, Risc0Digests.key(key)));
        _IMAGE_ID = imageId;
    }

    /// @notice Reverts unless `seal` shows that this image ended with exit code 0 and this journal.
    /// @param journal What the program committed.
    /// @param seal Seal as RISC Zero's tools encode it for contracts.
    function verify(bytes calldata journal, bytes calldata seal) external view {
        if (seal.length != SEAL_BYTES) revert WrongProofLength(seal.length, SEAL_BYTES);
        bytes4 selector = bytes4(bytes32(Words.at(seal, 0)));
        if (selector != SELECTOR) revert WrongSelector(selector, SELECTOR);
        uint256 claim = Risc0Digests.reversed(Risc0Digests.claim(_IMAGE_ID, sha256(journal)));
        _check(seal, POINTS_AT, claim & HALF, claim >> 128);
    }

    /// @notice 2, RISC Zero.
    function systemId() external pure returns (uint8) {
        return 2;
    }

    /// @notice The program's image id.
    function programId() external view returns (bytes32) {
        return _IMAGE_ID;
    }

    function _constantInputs(bytes32 controlRoot, bytes32 controlId) private pure returns (uint256[5] memory) {
        uint256 root = Risc0Digests.reversed(controlRoot);
        return [root & HALF, root >> 128, 0, 0, uint256(controlId)];
    }
}
