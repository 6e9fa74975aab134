// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {G1Point, G2Point} from "../../libraries/BN254Types.sol";
import {Groth16Key} from "../../libraries/Groth16.sol";

/// @title Groth16 key of RISC Zero's circuit, the same from 1.0 to 5.0.
/// @notice From the crate risc0-groth16; its digest is computed where it is used and compared in a test.
library Risc0Key {
    /// @notice The key.
    function key() internal pure returns (Groth16Key memory k) {
        k.alpha = G1Point(
            0x2d4d9aa7e302d9df41749d5507949d05dbea33fbb16c643b22f599a2be6df2e2,
            0x14bedd503c37ceb061d8ec60209fe345ce89830a19230301f076caff004d1926
        );
        k.beta = G2Point(
            [
                0x0967032fcbf776d1afc985f88877f182d38480a653f2decaa9794cbc3bf3060c,
                0x0e187847ad4c798374d0d6732bf501847dd68bc0e071241e0213bc7fc13db7ab
            ],
            [
                0x304cfbd1e08a704a99f5e847d93f8c3caafddec46b7a0d379da69a4d112346a7,
                0x1739c1b1a457a8c7313123d24d2f9192f896b7c63eea05a9d57f06547ad0cec8
            ]
        );
        k.gamma = G2Point(
            [
                0x198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2,
                0x1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed
            ],
            [
                0x090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b,
                0x12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa
            ]
        );
        k.delta = G2Point(
            [
                0x03b03cd5effa95ac9bee94f1f5ef907157bda4812ccf0b4c91f42bb629f83a1c,
                0x1aa085ff28179a12d922dba0547057ccaae94b9d69cfaa4e60401fea7f3e0333
            ],
            [
                0x110c10134f200b19f6490846d518c9aea868366efb7228ca5c91d2940d030762,
                0x1e60f31fcbf757e837e867178318832d0b2d74d59e2fea1c7142df187d3fc6d3
            ]
        );
        k.ic[0] = G1Point(
            0x12ac9a25dcd5e1a832a9061a082c15dd1d61aa9c4d553505739d0f5d65dc3be4,
            0x025aa744581ebe7ad91731911c898569106ff5a2d30f3eee2b23c60ee980acd4
        );
        k.ic[1] = G1Point(
            0x0707b920bc978c02f292fae2036e057be54294114ccc3c8769d883f688a1423f,
            0x2e32a094b7589554f7bc357bf63481acd2d55555c203383782a4650787ff6642
        );
        k.ic[2] = G1Point(
            0x0bca36e2cbe6394b3e249751853f961511011c7148e336f4fd974644850fc347,
            0x2ede7c9acf48cf3a3729fa3d68714e2a8435d4fa6db8f7f409c153b1fcdf9b8b
        );
        k.ic[3] = G1Point(
            0x1b8af999dbfbb3927c091cc2aaf201e488cbacc3e2c6b6fb5a25f9112e04f2a7,
            0x2b91a26aa92e1b6f5722949f192a81c850d586d81a60157f3e9cf04f679cccd6
        );
        k.ic[4] = G1Point(
            0x2b5f494ed674235b8ac1750bdfd5a7615f002d4a1dcefeddd06eda5a076ccd0d,
            0x2fe520ad2020aab9cbba817fcbb9a863b8a76ff88f14f912c5e71665b2ad5e82
        );
        k.ic[5] = G1Point(
            0x0f1c3c0d5d9da0fa03666843cde4e82e869ba5252fce3c25d5940320b1c4d493,
            0x214bfcff74f425f6fe8c0d07b307482d8bc8bb2f3608f68287aa01bd0b69e809
        );
    }
}
