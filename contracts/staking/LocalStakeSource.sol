// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

import {Bond, ILocalStakeSource} from "../interfaces/ILocalStakeSource.sol";
import {IOperatorRegistry} from "../interfaces/IOperatorRegistry.sol";
import {IStakeSource} from "../interfaces/IStakeSource.sol";

/// @title Weight from ETH bonded in this contract.
/// @notice Contract and invariants: ILocalStakeSource.
contract LocalStakeSource is ILocalStakeSource, AccessManaged {
    /// @inheritdoc ILocalStakeSource
    uint256 public immutable UNBONDING_BLOCKS;

    /// @inheritdoc ILocalStakeSource
    address public registry;

    mapping(address operator => Bond) private _bonds;

    /// @param authority_ Access manager.
    /// @param unbondingBlocks Waiting time of a withdrawal; longer than the service manager's response window.
    constructor(address authority_, uint256 unbondingBlocks) AccessManaged(authority_) {
        if (authority_ == address(0)) revert ZeroAddress("authority");
        if (unbondingBlocks == 0) revert DelayTooShort(unbondingBlocks);
        UNBONDING_BLOCKS = unbondingBlocks;
    }

    /// @inheritdoc ILocalStakeSource
    function bond() external payable {
        Bond storage own = _bonds[msg.sender];
        uint256 bonded = own.bonded + msg.value;
        if (msg.value == 0 || bonded > type(uint96).max) revert InvalidBond(msg.value);
        own.bonded = uint96(bonded);
        emit Bonded(msg.sender, msg.value, bonded);
    }

    /// @inheritdoc ILocalStakeSource
    function startUnbonding(uint256 amount) external {
        Bond storage own = _bonds[msg.sender];
        if (amount == 0 || amount > own.bonded) revert InsufficientBond(msg.sender, own.bonded, amount);
        uint256 releaseBlock = block.number + UNBONDING_BLOCKS;
        own.bonded -= uint96(amount);
        own.unbonding += uint96(amount);
        own.releaseBlock = uint40(releaseBlock);
        emit UnbondingStarted(msg.sender, amount, releaseBlock);
        _tellRegistry(msg.sender);
    }

    /// @inheritdoc ILocalStakeSource
    function finishUnbonding() external {
        Bond storage own = _bonds[msg.sender];
        uint256 amount = own.unbonding;
        if (amount == 0) revert NothingUnbonding(msg.sender);
        if (block.number < own.releaseBlock) revert StillUnbonding(msg.sender, own.releaseBlock, block.number);
        own.unbonding = 0;
        emit Unbonded(msg.sender, amount);
        _send(msg.sender, amount);
    }

    /// @inheritdoc ILocalStakeSource
    function slash(address operator, uint256 amount, address recipient)
        external
        restricted
        returns (uint256 slashedWei)
    {
        if (recipient == address(0)) revert ZeroAddress("recipient");
        Bond storage own = _bonds[operator];
        uint256 fromUnbonding = _min(amount, own.unbonding);
        uint256 fromBonded = _min(amount - fromUnbonding, own.bonded);
        own.unbonding -= uint96(fromUnbonding);
        own.bonded -= uint96(fromBonded);
        slashedWei = fromUnbonding + fromBonded;
        emit Slashed(operator, slashedWei, recipient);
        _tellRegistry(operator);
        _send(recipient, slashedWei);
    }

    /// @inheritdoc ILocalStakeSource
    function setRegistry(address registry_) external restricted {
        if (registry_ == address(0)) revert ZeroAddress("registry");
        if (registry != address(0)) revert RegistryAlreadySet(registry);
        registry = registry_;
        emit RegistrySet(registry_);
    }

    /// @inheritdoc IStakeSource
    function weightOf(address operator) external view returns (uint256) {
        return _bonds[operator].bonded;
    }

    /// @inheritdoc ILocalStakeSource
    function bondOf(address operator) external view returns (Bond memory) {
        return _bonds[operator];
    }

    /// @dev Weight that fell must not count for another block.
    function _tellRegistry(address operator) private {
        if (registry == address(0)) return;
        address[] memory operators = new address[](1);
        operators[0] = operator;
        IOperatorRegistry(registry).updateStakes(operators);
    }

    function _send(address to, uint256 amount) private {
        (bool sent,) = to.call{value: amount}("");
        if (!sent) revert TransferFailed(to, amount);
    }

    function _min(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }
}
