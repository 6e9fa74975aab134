// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";

/// @title Proxy of every upgradeable contract here (UUPS: the upgrade logic lives in the implementation).
/// @notice Initialisation happens in the constructor, so there is no moment in which anyone else could do it.
/// @dev Has no immutables on purpose: a devnet may place the runtime code at a chosen address.
contract AlignedProxy is ERC1967Proxy {
    /// @param implementation First implementation.
    /// @param initializer Call of the implementation's `initialize`; must not be empty outside a devnet.
    constructor(address implementation, bytes memory initializer) payable ERC1967Proxy(implementation, initializer) {}
}
