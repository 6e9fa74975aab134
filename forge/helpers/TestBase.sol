// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice The cheat codes that these tests use; forge knows their address and the names of the tests by itself.
interface Vm {
    function assume(bool condition) external pure;
    function deal(address account, uint256 balance) external;
    function prank(address sender) external;
    function roll(uint256 blockNumber) external;
    function warp(uint256 timestamp) external;
    function fee(uint256 baseFee) external;
    function txGasPrice(uint256 price) external;
    function expectRevert() external;
    function mockCall(address callee, bytes calldata data, bytes calldata answer) external;
    function getBlockNumber() external view returns (uint256);
    function getBlockTimestamp() external view returns (uint256);
}

/// @notice Base of tests and handlers.
abstract contract TestBase {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    function assertTrue(bool condition, string memory what) internal pure {
        require(condition, what);
    }

    function assertEq(uint256 got, uint256 want, string memory what) internal pure {
        require(got == want, what);
    }

    function assertEq(bytes32 got, bytes32 want, string memory what) internal pure {
        require(got == want, what);
    }

    function bound(uint256 value, uint256 low, uint256 high) internal pure returns (uint256) {
        return low + value % (high - low + 1);
    }

    function actor(uint256 i) internal pure returns (address) {
        return address(uint160(0xA11CE0000 + i));
    }

    /// @dev forge takes a call's gas from whoever it picks as sender, our contracts included: only while answers are paid
    /// may it have a price.
    function freeGas() internal {
        vm.fee(0);
        vm.txGasPrice(0);
    }

    /// @dev With via-IR the compiler may move `block.number` across `vm.roll`; this it cannot.
    function mine(uint256 blocks) internal {
        vm.roll(vm.getBlockNumber() + blocks);
        vm.warp(vm.getBlockTimestamp() + 12 * blocks);
    }
}
