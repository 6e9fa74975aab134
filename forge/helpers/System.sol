// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {AlignedLayerServiceManager} from "../../contracts/AlignedLayerServiceManager.sol";
import {AlignedProxy} from "../../contracts/AlignedProxy.sol";
import {BatcherPaymentService} from "../../contracts/BatcherPaymentService.sol";
import {OperatorRegistry} from "../../contracts/OperatorRegistry.sol";
import {AlignedAccessManager} from "../../contracts/access/AlignedAccessManager.sol";
import {ServiceConfig} from "../../contracts/interfaces/IAlignedLayerServiceManager.sol";
import {RegistryConfig} from "../../contracts/interfaces/IOperatorRegistry.sol";
import {G1Point, HashToCurveWitness, NonSigner, QuorumSignature} from "../../contracts/libraries/BN254Types.sol";
import {LocalStakeSource} from "../../contracts/staking/LocalStakeSource.sol";
import {OperatorKeys} from "./OperatorKeys.sol";
import {TestBase} from "./TestBase.sol";

/// @notice Everything deployed behind proxies, with this contract as admin of all roles.
contract System is TestBase {
    uint256 public constant STAKE = 10 ether;
    uint256 public constant MIN_FEE = 1e14;
    uint24 public constant WINDOW = 20;
    uint64 public constant DEFAULT_CAP = 1e16;
    uint256 public constant EVERYBODY = (1 << OperatorKeys.COUNT) - 1;

    OperatorRegistry public registry;
    LocalStakeSource public stakeSource;
    AlignedLayerServiceManager public serviceManager;
    BatcherPaymentService public paymentService;
    address public immutable BATCHER = address(0xBA7C4E);

    constructor() {
        address manager = address(new AlignedAccessManager(address(this)));
        stakeSource = new LocalStakeSource(manager, WINDOW + 1);
        RegistryConfig memory bounds = RegistryConfig(1 ether, 8, 11_000, 1_000, 0);
        bytes memory call = abi.encodeCall(OperatorRegistry.initialize, (manager, bounds, address(stakeSource)));
        registry = OperatorRegistry(address(new AlignedProxy(address(new OperatorRegistry()), call)));
        stakeSource.setRegistry(address(registry));
        ServiceConfig memory config = ServiceConfig(20 ether, uint72(MIN_FEE), 2, 6_700, WINDOW, 10, false);
        call = abi.encodeCall(AlignedLayerServiceManager.initialize, (manager, config));
        address code = address(new AlignedLayerServiceManager(address(registry)));
        serviceManager = AlignedLayerServiceManager(payable(address(new AlignedProxy(code, call))));
        call = abi.encodeCall(BatcherPaymentService.initialize, (manager, BATCHER));
        code = address(new BatcherPaymentService(address(serviceManager), DEFAULT_CAP));
        paymentService = BatcherPaymentService(payable(address(new AlignedProxy(code, call))));
    }

    /// @notice Address of operator `i`.
    function operator(uint256 i) public pure returns (address) {
        return address(uint160(0x09E4A7040 + i));
    }

    /// @notice Bonds for operator `i` and registers it.
    function join(uint256 i, uint256 stake) external {
        vm.deal(operator(i), stake);
        vm.prank(operator(i));
        stakeSource.bond{value: stake}();
        register(i);
    }

    /// @notice Registers operator `i` with a right proof of possession.
    function register(uint256 i) public {
        bytes32 digest = registry.possessionDigest(operator(i));
        (, HashToCurveWitness memory witness) = OperatorKeys.hashToCurve(digest);
        uint256 mask = 1 << i;
        G1Point memory possession = OperatorKeys.sign(mask, digest);
        G1Point memory key = OperatorKeys.keyG1(mask);
        vm.prank(operator(i)); // holds for the next call only, precompiles included
        registry.register(key, OperatorKeys.keyG2(mask), possession, witness, "");
    }

    /// @notice Switches both intakes.
    function setPaused(bool paused) external {
        serviceManager.setIntakePaused(paused);
        paymentService.setIntakePaused(paused);
    }

    /// @notice Takes operator `i` out.
    function eject(uint256 i) external {
        registry.eject(operator(i));
    }

    /// @notice What the operators in `mask` together answer to a task, all four being registered with one stake record.
    function answer(bytes32 root, address sender, uint256 mask) external view returns (QuorumSignature memory quorum) {
        bytes32 id = keccak256(abi.encodePacked(root, sender));
        (uint32 createdBlock,,) = serviceManager.batchesState(id);
        bytes32 digest = serviceManager.taskDigest(id, createdBlock);
        quorum.snapshotIndex = registry.snapshotIndexAt(createdBlock);
        quorum.aggregateKey = registry.aggregateKey();
        quorum.signersKeyG2 = OperatorKeys.keyG2(mask);
        quorum.signature = OperatorKeys.sign(mask, digest);
        (, quorum.witness) = OperatorKeys.hashToCurve(digest);
        quorum.nonSigners = _absent(mask);
    }

    function _absent(uint256 mask) private view returns (NonSigner[] memory list) {
        list = new NonSigner[](OperatorKeys.COUNT);
        uint256 count = 0;
        for (uint256 i = 0; i < OperatorKeys.COUNT; i++) {
            if (mask >> i & 1 == 1) continue;
            NonSigner memory entry = NonSigner(OperatorKeys.keyG1(1 << i), 0);
            uint256 at = count++;
            while (at > 0 && _id(list[at - 1]) > _id(entry)) {
                list[at] = list[at - 1];
                at--;
            }
            list[at] = entry;
        }
        assembly {
            mstore(list, count)
        }
    }

    function _id(NonSigner memory entry) private pure returns (bytes32) {
        return keccak256(abi.encode(entry.publicKey.X, entry.publicKey.Y));
    }
}
