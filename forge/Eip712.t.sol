// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {System} from "./helpers/System.sol";
import {TestBase} from "./helpers/TestBase.sol";

interface ChainIdCheat {
    function chainId(uint256 id) external;
}

/// @notice Digests follow the chain id of the moment (a split of the chain makes old signatures void) and the contract.
contract Eip712Test is TestBase {
    System private system;

    function setUp() public {
        system = new System();
    }

    function testFuzz_taskDigest_anyOtherChain_differs(bytes32 id, uint32 createdBlock, uint64 chainId) public {
        chainId = uint64(bound(chainId, 1, type(uint64).max - 1));
        vm.assume(chainId != block.chainid);
        bytes32 here = system.serviceManager().taskDigest(id, createdBlock);
        ChainIdCheat(address(vm)).chainId(chainId);
        assertTrue(system.serviceManager().taskDigest(id, createdBlock) != here, "chain id");
    }

    function testFuzz_possessionDigest_anyOtherChain_differs(address operator, uint64 chainId) public {
        chainId = uint64(bound(chainId, 1, type(uint64).max - 1));
        vm.assume(chainId != block.chainid);
        bytes32 here = system.registry().possessionDigest(operator);
        ChainIdCheat(address(vm)).chainId(chainId);
        assertTrue(system.registry().possessionDigest(operator) != here, "chain id");
    }

    function testFuzz_taskDigest_otherContractTaskOrBlock_differs(bytes32 id, bytes32 other, uint32 createdBlock)
        public
    {
        vm.assume(id != other && createdBlock != type(uint32).max);
        bytes32 here = system.serviceManager().taskDigest(id, createdBlock);
        assertTrue(system.serviceManager().taskDigest(other, createdBlock) != here, "task");
        assertTrue(system.serviceManager().taskDigest(id, createdBlock + 1) != here, "block");
        assertTrue(new System().serviceManager().taskDigest(id, createdBlock) != here, "contract");
    }
}
