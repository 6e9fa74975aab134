// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title EIP-712 digests computed on the fly: no cached separator, so a chain split or a proxy cannot make one stale.
library Eip712 {
    bytes32 private constant DOMAIN_TYPE_HASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant VERSION_HASH = keccak256("1");

    /// @notice keccak256(0x1901 ‖ domain separator ‖ struct hash) for this chain and contract, version "1".
    /// @param nameHash keccak256 of the domain's name.
    /// @param structHash Hash of the typed message.
    function digest(bytes32 nameHash, bytes32 structHash) internal view returns (bytes32) {
        bytes32 separator =
            keccak256(abi.encode(DOMAIN_TYPE_HASH, nameHash, VERSION_HASH, block.chainid, address(this)));
        return keccak256(abi.encodePacked(hex"1901", separator, structHash));
    }
}
