// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {
    AccessManagedUpgradeable
} from "@openzeppelin/contracts-upgradeable/access/manager/AccessManagedUpgradeable.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts-upgradeable/proxy/utils/UUPSUpgradeable.sol";

import {
    IOperatorRegistry,
    OperatorView,
    RegistryConfig,
    Snapshot,
    StakeRecord
} from "./interfaces/IOperatorRegistry.sol";
import {IStakeSource} from "./interfaces/IStakeSource.sol";
import {BLS} from "./libraries/BLS.sol";
import {G1Point, G2Point, HashToCurveWitness, NonSigner} from "./libraries/BN254Types.sol";
import {Eip712} from "./libraries/Eip712.sol";

/// @title Registry of BN254 keys and stakes, with a history per block.
/// @notice Contract and invariants: IOperatorRegistry.
contract OperatorRegistry is IOperatorRegistry, AccessManagedUpgradeable, UUPSUpgradeable {
    /// @dev Hard bound of the set: it keeps `operators()` readable and the sum of capped weights inside uint96.
    uint256 private constant MAX_OPERATORS = 1024;
    uint256 private constant MAX_WEIGHT = type(uint96).max / MAX_OPERATORS;
    uint256 private constant MAX_SOCKET_BYTES = 256;
    uint256 private constant BPS = 10_000;

    bytes32 private constant NAME_HASH = keccak256("AlignedOperatorRegistry");
    bytes32 private constant POSSESSION_TYPE_HASH = keccak256("BN254PubkeyRegistration(address operator)");

    /// @dev What is known of a key. Never deleted: a key belongs to one operator for ever.
    struct Key {
        address owner;
        /// Position in `members` plus one; 0 when the operator is not in the set.
        uint32 position;
        uint32 recordCount;
        G1Point g1;
        G2Point g2;
        string socket;
    }

    /// @custom:storage-location erc7201:aligned.storage.OperatorRegistry
    struct RegistryStorage {
        RegistryConfig config;
        address stakeSource;
        uint64 snapshotCount;
        G1Point aggregateKey;
        bytes32[] members;
        mapping(uint256 index => Snapshot) snapshots;
        mapping(bytes32 operatorId => Key) keys;
        mapping(bytes32 operatorId => mapping(uint256 index => StakeRecord)) stakeRecords;
        mapping(address operator => bytes32 operatorId) operatorIds;
        mapping(address operator => uint256 timestamp) barredUntil;
    }

    // keccak256(abi.encode(uint256(keccak256("aligned.storage.OperatorRegistry")) - 1)) & ~bytes32(uint256(0xff))
    bytes32 private constant STORAGE = 0xe95ac9e6a7e92cc50be4e7fbd626d38c82706fbd9205ab4b088b19f45ac9bf00;

    constructor() {
        _disableInitializers();
    }

    /// @notice Sets the registry up; the proxy calls it in its constructor.
    /// @param authority_ Access manager.
    /// @param config_ Bounds of the operator set.
    /// @param stakeSource_ Where weights come from.
    function initialize(address authority_, RegistryConfig calldata config_, address stakeSource_)
        external
        initializer
    {
        if (authority_ == address(0)) revert ZeroAddress("authority");
        __AccessManaged_init(authority_);
        _setConfig(config_);
        _setStakeSource(stakeSource_);
        _takeSnapshot(_storage(), 0);
    }

    // ------------------------------------------------------------------------------------------ membership

    /// @inheritdoc IOperatorRegistry
    function register(
        G1Point calldata publicKeyG1,
        G2Point calldata publicKeyG2,
        G1Point calldata possession,
        HashToCurveWitness calldata witness,
        string calldata socket
    ) external {
        RegistryStorage storage $ = _storage();
        if ($.members.length >= $.config.maxOperators) revert OperatorSetFull($.members.length, $.config.maxOperators);
        bytes32 operatorId = _claimKey($, publicKeyG1, publicKeyG2, possession, witness, socket);
        _takeSnapshot($, int256(_join($, operatorId)));
    }

    /// @inheritdoc IOperatorRegistry
    function registerWithChurn(
        G1Point calldata publicKeyG1,
        G2Point calldata publicKeyG2,
        G1Point calldata possession,
        HashToCurveWitness calldata witness,
        string calldata socket,
        address incumbent
    ) external {
        RegistryStorage storage $ = _storage();
        bool full = $.members.length >= $.config.maxOperators;
        uint256 totalStake = $.snapshots[$.snapshotCount - 1].totalStake;
        bytes32 operatorId = _claimKey($, publicKeyG1, publicKeyG2, possession, witness, socket);
        int256 change = int256(_join($, operatorId));
        if (full) change -= int256(_churn($, incumbent, uint256(change), totalStake));
        _takeSnapshot($, change);
    }

    /// @inheritdoc IOperatorRegistry
    function deregister() external {
        RegistryStorage storage $ = _storage();
        bytes32 operatorId = $.operatorIds[msg.sender];
        if ($.keys[operatorId].position == 0) revert NotRegistered(msg.sender);
        _takeSnapshot($, -int256(_leave($, operatorId)));
    }

    /// @inheritdoc IOperatorRegistry
    function eject(address operator) external restricted {
        RegistryStorage storage $ = _storage();
        bytes32 operatorId = $.operatorIds[operator];
        if (operatorId == 0) return;
        // Also somebody who has just left: deregistering ahead of the ejection must not save the way back.
        $.barredUntil[operator] = block.timestamp + $.config.ejectionCooldownSeconds;
        emit OperatorEjected(operator, operatorId, msg.sender);
        if ($.keys[operatorId].position != 0) _takeSnapshot($, -int256(_leave($, operatorId)));
    }

    /// @inheritdoc IOperatorRegistry
    function updateStakes(address[] calldata operators_) external {
        RegistryStorage storage $ = _storage();
        int256 change;
        bool changed;
        for (uint256 i = 0; i < operators_.length; i++) {
            bytes32 operatorId = $.operatorIds[operators_[i]];
            Key storage key = $.keys[operatorId];
            if (key.position == 0) continue;
            uint256 before = $.stakeRecords[operatorId][key.recordCount - 1].stake;
            uint256 weight = _weightOf($, operators_[i]);
            if (weight < $.config.minStake) {
                change -= int256(_leave($, operatorId));
            } else if (weight != before) {
                _recordStake($, operatorId, uint96(weight));
                change += int256(weight) - int256(before);
            } else {
                continue;
            }
            changed = true;
        }
        if (changed) _takeSnapshot($, change);
    }

    /// @inheritdoc IOperatorRegistry
    function updateSocket(string calldata socket) external {
        RegistryStorage storage $ = _storage();
        bytes32 operatorId = $.operatorIds[msg.sender];
        if ($.keys[operatorId].position == 0) revert NotRegistered(msg.sender);
        _setSocket($, operatorId, socket);
        emit OperatorSocketUpdated(operatorId, socket);
    }

    // ------------------------------------------------------------------------------------------ configuration

    /// @inheritdoc IOperatorRegistry
    function setConfig(RegistryConfig calldata config_) external restricted {
        _setConfig(config_);
    }

    /// @inheritdoc IOperatorRegistry
    function setStakeSource(address stakeSource_) external restricted {
        _setStakeSource(stakeSource_);
    }

    // ------------------------------------------------------------------------------------------ signature checks

    /// @inheritdoc IOperatorRegistry
    function signersAt(
        uint32 referenceBlock,
        uint256 snapshotIndex,
        G1Point calldata aggregateKey_,
        NonSigner[] calldata nonSigners
    ) external view returns (G1Point memory signersKey, uint256 signedStake, uint256 totalStake, uint256 signerCount) {
        RegistryStorage storage $ = _storage();
        if (referenceBlock >= block.number) revert ReferenceBlockNotPast(referenceBlock, block.number);
        Snapshot storage snapshot = $.snapshots[snapshotIndex];
        signersKey = aggregateKey_;
        bytes32 keyHash = BLS.id(signersKey);
        if (snapshot.aggregateKeyHash != keyHash) revert AggregateKeyMismatch(snapshot.aggregateKeyHash, keyHash);
        if (!_covers(snapshot.fromBlock, snapshot.nextBlock, referenceBlock)) {
            revert SnapshotDoesNotCover(snapshotIndex, referenceBlock);
        }
        totalStake = snapshot.totalStake;
        signedStake = totalStake - _subtract($, referenceBlock, signersKey, nonSigners);
        signerCount = snapshot.operatorCount - nonSigners.length;
    }

    // ------------------------------------------------------------------------------------------ views

    /// @inheritdoc IOperatorRegistry
    function possessionDigest(address operator) public view returns (bytes32) {
        return Eip712.digest(NAME_HASH, keccak256(abi.encode(POSSESSION_TYPE_HASH, operator)));
    }

    /// @inheritdoc IOperatorRegistry
    function operators() external view returns (OperatorView[] memory list) {
        RegistryStorage storage $ = _storage();
        list = new OperatorView[]($.members.length);
        for (uint256 i = 0; i < list.length; i++) {
            bytes32 operatorId = $.members[i];
            Key storage key = $.keys[operatorId];
            uint256 stakeIndex = key.recordCount - 1;
            uint96 stake = $.stakeRecords[operatorId][stakeIndex].stake;
            list[i] = OperatorView(key.owner, operatorId, stake, stakeIndex, key.g1, key.g2, key.socket);
        }
    }

    /// @inheritdoc IOperatorRegistry
    function operatorCount() external view returns (uint256) {
        return _storage().members.length;
    }

    /// @inheritdoc IOperatorRegistry
    function operatorIdOf(address operator) external view returns (bytes32) {
        return _storage().operatorIds[operator];
    }

    /// @inheritdoc IOperatorRegistry
    function ownerOf(bytes32 operatorId) external view returns (address) {
        return _storage().keys[operatorId].owner;
    }

    /// @inheritdoc IOperatorRegistry
    function isRegistered(address operator) external view returns (bool) {
        RegistryStorage storage $ = _storage();
        return $.keys[$.operatorIds[operator]].position != 0;
    }

    /// @inheritdoc IOperatorRegistry
    function aggregateKey() external view returns (G1Point memory) {
        return _storage().aggregateKey;
    }

    /// @inheritdoc IOperatorRegistry
    function snapshotCount() external view returns (uint256) {
        return _storage().snapshotCount;
    }

    /// @inheritdoc IOperatorRegistry
    function snapshots(uint256 index) external view returns (Snapshot memory) {
        return _storage().snapshots[index];
    }

    /// @inheritdoc IOperatorRegistry
    function snapshotIndexAt(uint32 blockNumber) external view returns (uint256) {
        RegistryStorage storage $ = _storage();
        uint256 low = 0;
        uint256 high = $.snapshotCount;
        while (low < high) {
            uint256 middle = (low + high) / 2;
            if ($.snapshots[middle].fromBlock <= blockNumber) low = middle + 1;
            else high = middle;
        }
        if (low == 0) revert SnapshotDoesNotCover(0, blockNumber);
        return low - 1;
    }

    /// @inheritdoc IOperatorRegistry
    function stakeRecordCount(bytes32 operatorId) external view returns (uint256) {
        return _storage().keys[operatorId].recordCount;
    }

    /// @inheritdoc IOperatorRegistry
    function stakeRecords(bytes32 operatorId, uint256 index) external view returns (StakeRecord memory) {
        return _storage().stakeRecords[operatorId][index];
    }

    /// @inheritdoc IOperatorRegistry
    function config() external view returns (RegistryConfig memory) {
        return _storage().config;
    }

    /// @inheritdoc IOperatorRegistry
    function stakeSource() external view returns (address) {
        return _storage().stakeSource;
    }

    // ------------------------------------------------------------------------------------------ internals

    /// @dev Checks that the caller holds the key and may (still) use it; stores it at first use.
    function _claimKey(
        RegistryStorage storage $,
        G1Point calldata g1,
        G2Point calldata g2,
        G1Point calldata possession,
        HashToCurveWitness calldata witness,
        string calldata socket
    ) private returns (bytes32 operatorId) {
        G1Point memory point = g1;
        operatorId = BLS.id(point);
        Key storage key = $.keys[operatorId];
        if (key.position != 0 && key.owner == msg.sender) revert AlreadyRegistered(msg.sender);
        if (key.owner != address(0) && key.owner != msg.sender) revert KeyAlreadyOwned(operatorId, key.owner);
        bytes32 ownId = $.operatorIds[msg.sender];
        if (ownId != 0 && ownId != operatorId) revert OperatorHasAnotherKey(msg.sender, ownId);
        if (block.timestamp < $.barredUntil[msg.sender]) {
            revert EjectionCooldown(msg.sender, $.barredUntil[msg.sender]);
        }
        if (!BLS.verify(possessionDigest(msg.sender), point, g2, possession, witness)) {
            revert InvalidPossessionProof(msg.sender);
        }
        if (key.owner == address(0)) {
            key.owner = msg.sender;
            key.g1 = point;
            key.g2 = g2;
            $.operatorIds[msg.sender] = operatorId;
        }
        _setSocket($, operatorId, socket);
        emit OperatorRegistered(msg.sender, operatorId, g1, g2, socket);
    }

    /// @dev Puts a claimed key into the set; returns its stake.
    function _join(RegistryStorage storage $, bytes32 operatorId) private returns (uint256 stake) {
        stake = _weightOf($, msg.sender);
        if (stake < $.config.minStake) revert StakeTooLow(msg.sender, stake, $.config.minStake);
        $.members.push(operatorId);
        $.keys[operatorId].position = uint32($.members.length);
        _recordStake($, operatorId, uint96(stake));
        _addToAggregate($, $.keys[operatorId].g1);
    }

    /// @dev Takes a member out of the set; returns the stake it had.
    function _leave(RegistryStorage storage $, bytes32 operatorId) private returns (uint256 stake) {
        Key storage key = $.keys[operatorId];
        stake = $.stakeRecords[operatorId][key.recordCount - 1].stake;
        bytes32 last = $.members[$.members.length - 1];
        $.members[key.position - 1] = last;
        $.keys[last].position = key.position;
        $.members.pop();
        key.position = 0;
        _recordStake($, operatorId, 0);
        _addToAggregate($, BLS.negate(key.g1));
        emit OperatorDeregistered(key.owner, operatorId);
    }

    /// @dev Takes the incumbent out if the newcomer is enough heavier; returns the stake it had.
    function _churn(RegistryStorage storage $, address incumbent, uint256 newcomerStake, uint256 totalStake)
        private
        returns (uint256 stake)
    {
        bytes32 operatorId = $.operatorIds[incumbent];
        if ($.keys[operatorId].position == 0 || incumbent == msg.sender) revert NotRegistered(incumbent);
        stake = _leave($, operatorId);
        bool heavier = newcomerStake * BPS > stake * $.config.churnOperatorBps;
        bool small = stake * BPS < totalStake * $.config.churnTotalBps;
        if (!heavier || !small) revert ChurnNotAllowed(incumbent, stake, newcomerStake);
        emit OperatorChurned(incumbent, msg.sender);
    }

    /// @dev Sum of the non-signers' stakes at `referenceBlock`; takes their keys out of `signersKey`.
    function _subtract(
        RegistryStorage storage $,
        uint256 referenceBlock,
        G1Point memory signersKey,
        NonSigner[] calldata nonSigners
    ) private view returns (uint256 absentStake) {
        bytes32 previousId;
        for (uint256 i = 0; i < nonSigners.length; i++) {
            G1Point calldata key = nonSigners[i].publicKey;
            bytes32 operatorId = keccak256(abi.encode(key.X, key.Y));
            if (operatorId <= previousId) revert NonSignersNotAscending(previousId, operatorId);
            previousId = operatorId;
            StakeRecord memory record = $.stakeRecords[operatorId][nonSigners[i].stakeIndex];
            if (!_covers(record.fromBlock, record.nextBlock, referenceBlock)) {
                revert StakeRecordDoesNotCover(operatorId, nonSigners[i].stakeIndex, referenceBlock);
            }
            if (record.stake == 0 || !BLS.subtractInPlace(signersKey, key)) {
                revert NonSignerNotInQuorum(operatorId, referenceBlock);
            }
            absentStake += record.stake;
        }
    }

    /// @dev Block 0 marks a record that does not exist.
    function _covers(uint256 fromBlock, uint256 nextBlock, uint256 blockNumber) private pure returns (bool) {
        return fromBlock != 0 && fromBlock <= blockNumber && (nextBlock == 0 || blockNumber < nextBlock);
    }

    /// @dev Writes the stake that holds from this block on; a second change in one block overwrites the first.
    function _recordStake(RegistryStorage storage $, bytes32 operatorId, uint96 stake) private {
        Key storage key = $.keys[operatorId];
        uint32 count = key.recordCount;
        StakeRecord storage last = $.stakeRecords[operatorId][count == 0 ? 0 : count - 1];
        if (last.fromBlock == block.number) {
            last.stake = stake;
        } else {
            if (count != 0) last.nextBlock = uint32(block.number);
            $.stakeRecords[operatorId][count] = StakeRecord(uint32(block.number), 0, stake);
            key.recordCount = count + 1;
        }
        emit OperatorStakeUpdated(operatorId, stake);
    }

    /// @dev Writes the quorum's state that holds from this block on; later changes in the block overwrite it.
    function _takeSnapshot(RegistryStorage storage $, int256 stakeChange) private {
        uint64 count = $.snapshotCount;
        uint256 index = count == 0 ? 0 : count - 1;
        Snapshot storage last = $.snapshots[index];
        uint96 totalStake = uint96(uint256(int256(uint256(last.totalStake)) + stakeChange));
        if (last.fromBlock != block.number) {
            if (count != 0) {
                last.nextBlock = uint32(block.number);
                index = count;
            }
            $.snapshotCount = count + 1;
        }
        bytes32 keyHash = BLS.id($.aggregateKey);
        uint32 members = uint32($.members.length);
        $.snapshots[index] = Snapshot(keyHash, uint32(block.number), 0, members, totalStake);
        emit SnapshotTaken(index, keyHash, totalStake, members);
    }

    function _addToAggregate(RegistryStorage storage $, G1Point memory point) private {
        // Both points passed a check of possession (or are sums of such), so the precompile cannot refuse them.
        (bool ok, G1Point memory sum) = BLS.addPoints($.aggregateKey, point);
        assert(ok);
        $.aggregateKey = sum;
    }

    function _weightOf(RegistryStorage storage $, address operator) private view returns (uint256) {
        uint256 weight = IStakeSource($.stakeSource).weightOf(operator);
        return weight < MAX_WEIGHT ? weight : MAX_WEIGHT;
    }

    function _setSocket(RegistryStorage storage $, bytes32 operatorId, string calldata socket) private {
        if (bytes(socket).length > MAX_SOCKET_BYTES) revert SocketTooLong(bytes(socket).length, MAX_SOCKET_BYTES);
        $.keys[operatorId].socket = socket;
    }

    function _setConfig(RegistryConfig calldata config_) private {
        // A stake of 0 marks an operator that left, so a member's stake is at least 1.
        if (config_.minStake == 0 || config_.minStake > MAX_WEIGHT) revert InvalidConfig("minStake", config_.minStake);
        if (config_.maxOperators == 0 || config_.maxOperators > MAX_OPERATORS) {
            revert InvalidConfig("maxOperators", config_.maxOperators);
        }
        if (config_.churnOperatorBps <= BPS) revert InvalidConfig("churnOperatorBps", config_.churnOperatorBps);
        if (config_.churnTotalBps > BPS) revert InvalidConfig("churnTotalBps", config_.churnTotalBps);
        _storage().config = config_;
        emit RegistryConfigUpdated(config_);
    }

    function _setStakeSource(address stakeSource_) private {
        if (stakeSource_.code.length == 0) revert ZeroAddress("stakeSource");
        RegistryStorage storage $ = _storage();
        emit StakeSourceUpdated($.stakeSource, stakeSource_);
        $.stakeSource = stakeSource_;
    }

    function _authorizeUpgrade(address) internal override restricted {}

    function _storage() private pure returns (RegistryStorage storage $) {
        assembly {
            $.slot := STORAGE
        }
    }
}
