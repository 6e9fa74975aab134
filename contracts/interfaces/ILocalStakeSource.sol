// SPDX-License-Identifier: MIT
pragma solidity >=0.8.24;

import {IStakeSource} from "./IStakeSource.sol";

/// @title Errors of the local stake source.
interface ILocalStakeSourceErrors {
    error InvalidBond(uint256 amount);
    error InsufficientBond(address operator, uint256 bonded, uint256 amount);
    error NothingUnbonding(address operator);
    error StillUnbonding(address operator, uint256 releaseBlock, uint256 currentBlock);
    error RegistryAlreadySet(address registry);
    error DelayTooShort(uint256 delayBlocks);
    error TransferFailed(address to, uint256 amount);
    error ZeroAddress(string field);
}

/// @title Events of the local stake source.
interface ILocalStakeSourceEvents {
    event Bonded(address indexed operator, uint256 amount, uint256 bonded);
    event UnbondingStarted(address indexed operator, uint256 amount, uint256 releaseBlock);
    event Unbonded(address indexed operator, uint256 amount);
    event Slashed(address indexed operator, uint256 amount, address indexed recipient);
    event RegistrySet(address indexed registry);
}

/// @notice Bond of an operator (one storage slot).
/// @param bonded Counts as weight and can be slashed, in wei.
/// @param unbonding Counts no more but can still be slashed, in wei.
/// @param releaseBlock From this block on `unbonding` may be withdrawn.
struct Bond {
    uint96 bonded;
    uint96 unbonding;
    uint40 releaseBlock;
}

/// @title Weight from ETH bonded in this contract, for devnets and small deployments.
/// @notice ETH that leaves stops counting at once (the registry is told in the same call) and stays slashable for
/// `UNBONDING_BLOCKS`. While that is longer than the service manager's response window, whoever signs a task can be
/// slashed until nobody can answer it any more. No contract enforces it: the deployment checks it once, and governance
/// must keep it whenever it lengthens the window.
interface ILocalStakeSource is IStakeSource, ILocalStakeSourceErrors, ILocalStakeSourceEvents {
    /// @notice Bonds msg.value for the caller. Reverts InvalidBond for zero or too much. Emits Bonded.
    function bond() external payable;

    /// @notice Takes `amount` wei out of the caller's weight and starts the waiting time (anew, for all that is waiting).
    /// @dev Tells the registry. Reverts InsufficientBond. Emits UnbondingStarted.
    function startUnbonding(uint256 amount) external;

    /// @notice Sends what has waited long enough to the caller. Never pausable. Emits Unbonded.
    function finishUnbonding() external;

    /// @notice Takes up to `amount` wei of `operator`'s bond, unbonding part first, and sends it to `recipient`.
    /// @dev Restricted (slasher). Tells the registry. Emits Slashed.
    /// @return slashedWei What was taken.
    function slash(address operator, uint256 amount, address recipient) external returns (uint256 slashedWei);

    /// @notice Names the registry that is told of falling weights. Restricted, once.
    function setRegistry(address registry) external;

    /// @notice An operator's bond.
    function bondOf(address operator) external view returns (Bond memory);

    /// @notice Blocks between the start and the end of unbonding.
    function UNBONDING_BLOCKS() external view returns (uint256);

    /// @notice The registry that is told of falling weights.
    function registry() external view returns (address);
}
