// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {BLS} from "../contracts/libraries/BLS.sol";
import {G1Point, G2Point, HashToCurveWitness} from "../contracts/libraries/BN254Types.sol";
import {OperatorKeys} from "./helpers/OperatorKeys.sol";
import {TestBase} from "./helpers/TestBase.sol";

contract BlsTest is TestBase {
    function verify(
        bytes32 digest,
        G1Point calldata keyG1,
        G2Point calldata keyG2,
        G1Point calldata signature,
        HashToCurveWitness calldata witness
    ) external view returns (bool) {
        return BLS.verify(digest, keyG1, keyG2, signature, witness);
    }

    function testFuzz_verify_rightSignatureOfAnySet_true(bytes32 digest, uint256 mask) public view {
        mask = bound(mask, 1, 15);
        (, HashToCurveWitness memory witness) = OperatorKeys.hashToCurve(digest);
        G1Point memory signature = OperatorKeys.sign(mask, digest);
        assertTrue(this.verify(digest, OperatorKeys.keyG1(mask), OperatorKeys.keyG2(mask), signature, witness), "valid");
    }

    function testFuzz_verify_anyPartOfAnother_false(bytes32 digest, bytes32 other, uint256 mask, uint256 wrong)
        public
        view
    {
        vm.assume(digest != other);
        mask = bound(mask, 1, 15);
        wrong = bound(wrong, 1, 15);
        vm.assume(mask != wrong);
        (, HashToCurveWitness memory witness) = OperatorKeys.hashToCurve(digest);
        G1Point memory g1 = OperatorKeys.keyG1(mask);
        G2Point memory g2 = OperatorKeys.keyG2(mask);
        G1Point memory signature = OperatorKeys.sign(mask, digest);
        assertTrue(!this.verify(other, g1, g2, signature, witness), "digest");
        assertTrue(!this.verify(digest, OperatorKeys.keyG1(wrong), g2, signature, witness), "key in G1");
        assertTrue(!this.verify(digest, g1, OperatorKeys.keyG2(wrong), signature, witness), "key in G2");
        assertTrue(!this.verify(digest, g1, g2, OperatorKeys.sign(wrong, digest), witness), "signer");
        assertTrue(!this.verify(digest, g1, g2, OperatorKeys.sign(mask, other), witness), "message");
    }

    /// @dev Garbage of any shape: false, no revert, and a bounded bill.
    function testFuzz_verify_garbage_falseWithBoundedGas(
        bytes32 digest,
        G1Point calldata g1,
        G2Point calldata g2,
        G1Point calldata signature
    ) public view {
        (, HashToCurveWitness memory witness) = OperatorKeys.hashToCurve(digest);
        uint256 before = gasleft();
        assertTrue(!this.verify(digest, g1, g2, signature, witness), "garbage");
        assertTrue(before - gasleft() < 200_000, "gas");
    }

    function testFuzz_negate_anyKey_sumsToInfinity(uint256 mask) public view {
        G1Point memory key = OperatorKeys.keyG1(bound(mask, 1, 15));
        (bool ok, G1Point memory sum) = BLS.addPoints(key, BLS.negate(key));
        assertTrue(ok && sum.X == 0 && sum.Y == 0, "infinity");
    }
}
