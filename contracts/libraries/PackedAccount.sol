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

    /// @notice Charges the submitters from position `at` of a PayerList on, one read and one write per run of equal entries,
    /// and stops at the first run that cannot pay in full: the common case of a batch, without any branch it does not need.
    /// @param kept Position behind the last entry that paid; those charged here are moved down to it.
    /// @param feeWei Price of a proof, above 0.
    /// @param defaultCapWei Cap of users that set none, below 2^64.
    /// @return stoppedAt Position of the run that was not charged, or `end`.
    /// @return keptNow `kept` after this call.
    function chargeInFull(
        mapping(address user => PackedAccount) storage accounts,
        uint256 at,
        uint256 end,
        uint256 kept,
        uint256 feeWei,
        uint256 defaultCapWei
    ) internal returns (uint256 stoppedAt, uint256 keptNow) {
        assembly ("memory-safe") {
            let withinDefault := iszero(gt(feeWei, defaultCapWei))
            mstore(32, accounts.slot)
            for {} lt(at, end) {} {
                let user := mload(at)
                let next := add(at, 32)
                for {} // ends at the list's sentinel at the latest
                 eq(mload(next), user) {} { next := add(next, 32) }
                let size := sub(next, at)
                mstore(0, user)
                let slot := keccak256(0, 64)
                let account := sload(slot)
                let cap := and(shr(CAP_SHIFT, account), 0xffffffffffffffff)
                // A product that overflowed has a fee above 2^64, hence above the cap, and is stopped by that.
                let price := mul(feeWei, shr(5, size))
                let withinCap := or(and(iszero(cap), withinDefault), iszero(gt(feeWei, cap)))
                let payable_ := iszero(gt(price, and(account, 0xffffffffffffffffffffffff)))
                // 0 (locked) becomes the largest number, so this holds for an unlock time that is set and past only.
                let withdrawable := lt(sub(and(shr(UNLOCK_SHIFT, account), 0xffffffffff), 1), timestamp())
                if iszero(and(iszero(or(shr(160, user), withdrawable)), and(withinCap, payable_))) { break }
                sstore(slot, add(sub(account, price), shl(sub(NONCE_SHIFT, 5), size))) // size = 32 · messages
                if xor(kept, at) { mcopy(kept, at, size) }
                kept := add(kept, size)
                at := next
            }
            stoppedAt := at
            keptNow := kept
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

    /// @notice Whether the balance may be withdrawn now; it is not charged any more then.
    function isWithdrawable(PackedAccount account) internal view returns (bool) {
        uint256 time = account.unlockTime();
        return time != 0 && time <= block.timestamp;
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
