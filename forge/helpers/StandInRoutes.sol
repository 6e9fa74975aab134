// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice Succinct's gateway and RISC Zero's router as far as we use them, with an owner who does what he likes.
contract StandInRouter {
    error SelectorUnknown(bytes4 selector);

    address private _verifier;
    bool private _frozen;

    function set(address verifier, bool frozen) external {
        (_verifier, _frozen) = (verifier, frozen);
    }

    function routes(bytes4) external view returns (address, bool) {
        return (_verifier, _frozen);
    }

    function getVerifier(bytes4 selector) external view returns (address) {
        if (_verifier == address(0)) revert SelectorUnknown(selector);
        return _verifier;
    }
}

/// @notice A public verifier that accepts one proof of one program, in both systems' forms.
contract StandInVerifier {
    error ProofInvalid();

    bytes32 private immutable _ACCEPTED;

    constructor(bytes32 program, bytes memory publicInputs, bytes memory proof) {
        _ACCEPTED = _digest(program, sha256(publicInputs), proof);
    }

    function verifyProof(bytes32 program, bytes calldata publicValues, bytes calldata proof) external view {
        if (_digest(program, sha256(publicValues), proof) != _ACCEPTED) revert ProofInvalid();
    }

    function verify(bytes calldata seal, bytes32 imageId, bytes32 journalDigest) external view {
        if (_digest(imageId, journalDigest, seal) != _ACCEPTED) revert ProofInvalid();
    }

    function _digest(bytes32 program, bytes32 inputs, bytes memory proof) private pure returns (bytes32) {
        return keccak256(abi.encode(program, inputs, keccak256(proof)));
    }
}
