// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";

/// @title Authority of all contracts: who may call which restricted function, and after what delay.
/// @notice Its admin is a TimelockController in production. Roles: docs/spec/contracts.md.
contract AlignedAccessManager is AccessManager {
    /// @param initialAdmin First holder of the admin role.
    constructor(address initialAdmin) AccessManager(initialAdmin) {}
}
