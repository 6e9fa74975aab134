// SPDX-License-Identifier: MIT
pragma solidity >=0.8.24;

import {G1Point, G2Point, HashToCurveWitness, NonSigner} from "../libraries/BN254Types.sol";

/// @title Errors of the operator registry. Each carries the value that was wrong.
interface IOperatorRegistryErrors {
    error AlreadyRegistered(address operator);
    error NotRegistered(address operator);
    error KeyAlreadyOwned(bytes32 operatorId, address owner);
    error OperatorHasAnotherKey(address operator, bytes32 operatorId);
    error InvalidPossessionProof(address operator);
    error StakeTooLow(address operator, uint256 stake, uint256 required);
    error OperatorSetFull(uint256 operatorCount, uint256 maxOperators);
    error ChurnNotAllowed(address incumbent, uint256 incumbentStake, uint256 newcomerStake);
    error EjectionCooldown(address operator, uint256 availableAtTimestamp);
    error ReferenceBlockNotPast(uint256 referenceBlock, uint256 currentBlock);
    error SnapshotDoesNotCover(uint256 snapshotIndex, uint256 referenceBlock);
    error StakeRecordDoesNotCover(bytes32 operatorId, uint256 stakeIndex, uint256 referenceBlock);
    error AggregateKeyMismatch(bytes32 expectedHash, bytes32 givenHash);
    error NonSignersNotAscending(bytes32 previousId, bytes32 operatorId);
    error NonSignerNotInQuorum(bytes32 operatorId, uint256 referenceBlock);
    error InvalidConfig(string field, uint256 value);
    error ZeroAddress(string field);
    error SocketTooLong(uint256 length, uint256 maxLength);
}

/// @title Events of the operator registry.
interface IOperatorRegistryEvents {
    event OperatorRegistered(
        address indexed operator, bytes32 indexed operatorId, G1Point publicKeyG1, G2Point publicKeyG2, string socket
    );
    event OperatorDeregistered(address indexed operator, bytes32 indexed operatorId);
    event OperatorEjected(address indexed operator, bytes32 indexed operatorId, address indexed by);
    event OperatorChurned(address indexed incumbent, address indexed newcomer);
    event OperatorSocketUpdated(bytes32 indexed operatorId, string socket);
    event OperatorStakeUpdated(bytes32 indexed operatorId, uint96 stake);
    event SnapshotTaken(
        uint256 indexed snapshotIndex, bytes32 aggregateKeyHash, uint96 totalStake, uint32 operatorCount
    );
    event RegistryConfigUpdated(RegistryConfig config);
    event StakeSourceUpdated(address indexed previous, address indexed current);
}

/// @notice Bounds of the operator set.
/// @param minStake Least weight with which an operator may register or stay, in the stake source's unit.
/// @param maxOperators Most operators at a time.
/// @param churnOperatorBps A newcomer to a full set must have more than incumbent·bps/10,000 (so > 10,000).
/// @param churnTotalBps ... and the incumbent must have less than total·bps/10,000.
/// @param ejectionCooldownSeconds How long an ejected operator must wait before it registers again.
struct RegistryConfig {
    uint96 minStake;
    uint32 maxOperators;
    uint16 churnOperatorBps;
    uint16 churnTotalBps;
    uint32 ejectionCooldownSeconds;
}

/// @notice One operator as the aggregator needs it.
struct OperatorView {
    address operator;
    bytes32 operatorId;
    uint96 stake;
    uint256 stakeIndex;
    G1Point publicKeyG1;
    G2Point publicKeyG2;
    string socket;
}

/// @notice The quorum's aggregate state from `fromBlock` (inclusive) to `nextBlock` (exclusive; 0 = still valid).
struct Snapshot {
    bytes32 aggregateKeyHash;
    uint32 fromBlock;
    uint32 nextBlock;
    uint32 operatorCount;
    uint96 totalStake;
}

/// @notice One operator's weight from `fromBlock` (inclusive) to `nextBlock` (exclusive; 0 = still valid).
struct StakeRecord {
    uint32 fromBlock;
    uint32 nextBlock;
    uint96 stake;
}

/// @title Registry of BN254 keys and stakes, with a history per block.
/// @notice An operator id is keccak256(X ‖ Y) of the operator's G1 key. Invariants, each with a test of the same name:
/// I1 the current snapshot's key is the sum of the registered operators' G1 keys, its stake the sum of their stakes;
/// I2 for every past block exactly one snapshot, and at most one stake record per operator, covers it;
/// I3 a key belongs to one operator for ever, an operator has one key for ever.
interface IOperatorRegistry is IOperatorRegistryErrors, IOperatorRegistryEvents {
    /// @notice Registers the caller with a proof that it holds the BLS secret key (closes rogue-key attacks).
    /// @dev Anyone with enough weight in the stake source. Reverts for: an operator or key that is registered already
    /// (AlreadyRegistered, KeyAlreadyOwned, OperatorHasAnotherKey), a wrong proof, an infinite, off-curve or non-canonical
    /// point or keys of different secrets (InvalidPossessionProof), too little stake (StakeTooLow), a full set
    /// (OperatorSetFull), a recent ejection (EjectionCooldown). Emits OperatorRegistered, OperatorStakeUpdated, SnapshotTaken.
    /// @param publicKeyG1 The key in G1.
    /// @param publicKeyG2 The same key in G2.
    /// @param possession BLS signature over `possessionDigest(msg.sender)`.
    /// @param witness Hash-to-curve witnesses of that digest.
    /// @param socket Where the operator can be reached; informative.
    function register(
        G1Point calldata publicKeyG1,
        G2Point calldata publicKeyG2,
        G1Point calldata possession,
        HashToCurveWitness calldata witness,
        string calldata socket
    ) external;

    /// @notice As `register`, and takes the place of `incumbent` when the set is full.
    /// @dev Reverts also for ChurnNotAllowed when the stakes are not as `RegistryConfig` demands.
    function registerWithChurn(
        G1Point calldata publicKeyG1,
        G2Point calldata publicKeyG2,
        G1Point calldata possession,
        HashToCurveWitness calldata witness,
        string calldata socket,
        address incumbent
    ) external;

    /// @notice Takes the caller out of the set. Never pausable.
    function deregister() external;

    /// @notice Copies the current weights of `operators` from the stake source; those below `minStake` leave the set.
    /// @dev Anyone may call; operators that are not registered are passed over.
    function updateStakes(address[] calldata operators) external;

    /// @notice Changes the caller's socket.
    function updateSocket(string calldata socket) external;

    /// @notice Takes `operator` out of the set and bars it for the cooldown, also if it has just left by itself. Restricted
    /// (ejector). No error, and no effect, for somebody who never registered. Emits OperatorEjected.
    function eject(address operator) external;

    /// @notice Changes the bounds. Restricted.
    function setConfig(RegistryConfig calldata config) external;

    /// @notice Changes the stake source. Restricted. Weights change only at the next `updateStakes`.
    function setStakeSource(address stakeSource) external;

    /// @notice The stake and key of those who signed: all of the snapshot less `nonSigners`.
    /// @dev Reverts for: reference block not in the past, snapshot or stake records that do not cover it, an aggregate
    /// key other than the snapshot's, non-signers unsorted, repeated, or not in the quorum at that block.
    /// @param referenceBlock Block whose end state counts; must be < block.number.
    /// @param snapshotIndex Snapshot that covers it.
    /// @param aggregateKey G1 sum of all keys at that block.
    /// @param nonSigners Strictly ascending by operator id.
    /// @return signersKey G1 sum of the signers' keys (may be the point at infinity: the caller must refuse it).
    /// @return signedStake Stake of the signers.
    /// @return totalStake Stake of all.
    /// @return signerCount How many signed.
    function signersAt(
        uint32 referenceBlock,
        uint256 snapshotIndex,
        G1Point calldata aggregateKey,
        NonSigner[] calldata nonSigners
    ) external view returns (G1Point memory signersKey, uint256 signedStake, uint256 totalStake, uint256 signerCount);

    /// @notice EIP-712 digest that an operator signs with its BLS key to register:
    /// `BN254PubkeyRegistration(address operator)` in the domain ("AlignedOperatorRegistry", "1", chain id, this contract).
    function possessionDigest(address operator) external view returns (bytes32);

    /// @notice All registered operators now (call it at a past block for the state then).
    function operators() external view returns (OperatorView[] memory);

    /// @notice The number of registered operators.
    function operatorCount() external view returns (uint256);

    /// @notice The operator id of `operator`'s key, 0 if it never registered one.
    function operatorIdOf(address operator) external view returns (bytes32);

    /// @notice The address that owns key `operatorId`, 0 if none.
    function ownerOf(bytes32 operatorId) external view returns (address);

    /// @notice Whether `operator` is in the set now.
    function isRegistered(address operator) external view returns (bool);

    /// @notice G1 sum of all registered keys now.
    function aggregateKey() external view returns (G1Point memory);

    /// @notice Number of snapshots; the last one is current.
    function snapshotCount() external view returns (uint256);

    /// @notice Snapshot by index; zeros when there is none.
    function snapshots(uint256 index) external view returns (Snapshot memory);

    /// @notice Index of the snapshot that covers `blockNumber`; reverts SnapshotDoesNotCover before the first.
    function snapshotIndexAt(uint32 blockNumber) external view returns (uint256);

    /// @notice Number of stake records of an operator.
    function stakeRecordCount(bytes32 operatorId) external view returns (uint256);

    /// @notice Stake record by index; zeros when there is none.
    function stakeRecords(bytes32 operatorId, uint256 index) external view returns (StakeRecord memory);

    /// @notice The bounds in force.
    function config() external view returns (RegistryConfig memory);

    /// @notice The stake source in force.
    function stakeSource() external view returns (address);
}
