// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice A user's account in one word, read by one SLOAD and written by one SSTORE. From the lowest bit:
/// uint96 balance in wei · uint64 fee cap in wei · uint40 unlock time · uint40 nonce.
type PackedAccount is uint256;

using PackedAccounts for PackedAccount global;

/// @title Fields of a PackedAccount.
library PackedAccounts {
    uint256 private constant CAP_SHIFT = 96;
    uint256 private constant UNLOCK_SHIFT = 160;
    uint256 private constant NONCE_SHIFT = 200;

    /// @notice Charges `user` for `count` proofs at `feeWei`, if its cap and its balance allow all of them: the common case
    /// of a batch, in one read and one write.
    /// @param defaultCapWei Cap of users that set none; below 2^64.
    /// @return done False if not, and then nothing was changed.
    function charge(
        mapping(address user => PackedAccount) storage accounts,
        address user,
        uint256 count,
        uint256 feeWei,
        uint256 defaultCapWei
    ) internal returns (bool done) {
        assembly ("memory-safe") {
            mstore(0, user)
            mstore(32, accounts.slot)
            let slot := keccak256(0, 64)
            let account := sload(slot)
            let cap := and(shr(CAP_SHIFT, account), 0xffffffffffffffff)
            if iszero(cap) { cap := defaultCapWei }
            // With feeWei <= cap < 2^64 the product cannot overflow.
            let price := mul(count, feeWei)
            let available := and(account, 0xffffffffffffffffffffffff)
            if iszero(or(gt(feeWei, cap), gt(price, available))) {
                sstore(slot, add(sub(account, price), shl(NONCE_SHIFT, count)))
                done := 1
            }
        }
    }

    /// @notice Balance in wei.
    function balanceWei(PackedAccount account) internal pure returns (uint96) {
        return uint96(PackedAccount.unwrap(account));
    }

    /// @notice Cap in wei, 0 if none was set.
    function feeCapWei(PackedAccount account) internal pure returns (uint64) {
        return uint64(PackedAccount.unwrap(account) >> CAP_SHIFT);
    }

    /// @notice Unix seconds from which on the balance may be withdrawn, 0 if locked.
    function unlockTime(PackedAccount account) internal pure returns (uint40) {
        return uint40(PackedAccount.unwrap(account) >> UNLOCK_SHIFT);
    }

    /// @notice Next nonce.
    function nonce(PackedAccount account) internal pure returns (uint40) {
        return uint40(PackedAccount.unwrap(account) >> NONCE_SHIFT);
    }

    /// @notice The account with another balance.
    function withBalance(PackedAccount account, uint96 balance) internal pure returns (PackedAccount) {
        uint256 rest = PackedAccount.unwrap(account) & ~uint256(type(uint96).max);
        return PackedAccount.wrap(rest | balance);
    }

    /// @notice The account with another cap.
    function withFeeCap(PackedAccount account, uint64 capWei) internal pure returns (PackedAccount) {
        uint256 rest = PackedAccount.unwrap(account) & ~(uint256(type(uint64).max) << CAP_SHIFT);
        return PackedAccount.wrap(rest | uint256(capWei) << CAP_SHIFT);
    }

    /// @notice The account with another unlock time.
    function withUnlockTime(PackedAccount account, uint40 time) internal pure returns (PackedAccount) {
        uint256 rest = PackedAccount.unwrap(account) & ~(uint256(type(uint40).max) << UNLOCK_SHIFT);
        return PackedAccount.wrap(rest | uint256(time) << UNLOCK_SHIFT);
    }

    /// @notice The account after `messages` more messages, of which `paid` wei were charged (at most the balance).
    /// @dev The nonce is the topmost field: 2^40 messages of one user are out of reach, and even they would spill into
    /// unused bits only.
    function charged(PackedAccount account, uint256 messages, uint256 paid) internal pure returns (PackedAccount) {
        unchecked {
            return PackedAccount.wrap(PackedAccount.unwrap(account) + (messages << NONCE_SHIFT) - paid);
        }
    }
}
