// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {G1Point, G2Point} from "../../libraries/BN254Types.sol";
import {Groth16Key} from "../../libraries/Groth16.sol";

/// @title Groth16 key of SP1's circuits v6.1.0 (SP1 6.1 to 6.10).
/// @notice Decoded from `groth16_vk.bin` of the crate sp1-verifier 6.10.0; sha256 of that file is
/// 0x4388a21c687fdd5f218d7e3d13190cac4c5355818d3605fd5fb811df468ee696. A test compares.
library SP1KeyV610 {
    /// @notice The key.
    function key() internal pure returns (Groth16Key memory k) {
        k.alpha = G1Point(
            0x21c7d728a5fd961fc179ec5eab938f564deba5b271e1c90c2c29a79648418fc1,
            0x2317bd9b644830ef5ffec1c2d46b5442aa8029d41eb58fb8fc939fb03365e00e
        );
        k.beta = G2Point(
            [
                0x1c3c9339849225980c7d3f824f80d19e2a9c2554b6ab2160fa9635528f693fc0,
                0x0d964538da2653f2e62499571e6c78afb8909d3ea8107f306bd6928253680a3a
            ],
            [
                0x2c8e3c3c5153ef35c01baddac0d2e24dfee9dd922d819aae54fa90e175f9625e,
                0x2677b02e199903c8131b8e9fafaa7d5b0eeda406cf3d190e01cfdce881ab30ca
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
                0x11b7e9276171bb0efd647fc63e38bbfba3076f20daca8cd52bcc7284d9b1c6eb,
                0x1723616533dd6ae53502c9c506a81f23f543d68750b5133ebfbe1f4746b3b011
            ],
            [
                0x0c4684810202d51d39e2b093a0a9187afacb75e203000170f23687b2cc786b26,
                0x05865c701a782e7a81549613e8f8832f6a6d86a809ca794fd7e99b54e626080c
            ]
        );
        k.ic[0] = G1Point(
            0x2cd6bf7f164af0b6b0bbbe0fdcb06ee0c1ba07f8e6eb2f9f3943a90cb1d40290,
            0x0a76f7e6e8a78d71649eb7e3132018885e2f57ccca64394738e746c63c9fa83b
        );
        k.ic[1] = G1Point(
            0x0f5460f3b7221705435e745da21e276536379c0113c13c4255e7ae101f1e90bf,
            0x022b4d6c4b7dbdeed528d5abe6eddd6f2bd4ae4b9b0450dc18901fc727da799c
        );
        k.ic[2] = G1Point(
            0x0b0ae6e491bc04c544da9e8cd4857d201b4cfa0222dbe96aac97f044fdf1c922,
            0x123e064d2ffdb7f8094b727cde1c0beea6d4d551e5743a336804f8effb7f07ac
        );
        k.ic[3] = G1Point(
            0x097c875a6ebd0999b06e7267ff3d8a6bf859bb9635abae07cb6b3534ba409a83,
            0x2d84b73fb0f397e356b524f2d0e9ddc9d0f6ac75e566041147ee8554879183ec
        );
        k.ic[4] = G1Point(
            0x1807204ddcd27506ba72e17b55227b0bf310136ecb40c74acd52f3ccfbcba9f7,
            0x011078b5c7767fe73bb54241dcd143ee805ea4383d48d46bced129482c8c2021
        );
        k.ic[5] = G1Point(
            0x008c7b7c98d78c07a2c4be5f6be7082ba41021611f9a2dfc016f8bbb37d36bee,
            0x09ce6d246baeac24b5a404ca175c2cc4a974e217176fe2ec2a6c22eb60fd65c1
        );
    }
}
