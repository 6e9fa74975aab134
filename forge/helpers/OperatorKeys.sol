// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {G1Point, G2Point, HashToCurveWitness} from "../../contracts/libraries/BN254Types.sol";

/// @notice Four BLS keys, and signatures by any set of them, made with the precompiles (G2 has none: its points are data).
library OperatorKeys {
    uint256 internal constant COUNT = 4;
    uint256 internal constant P = 0x30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47;
    uint256 internal constant R = 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001;

    /// @dev G2 key of every set of operators, 4 words each; bit i of the index stands for operator i.
    bytes private constant G2_SUMS = hex"0000000000000000000000000000000000000000000000000000000000000000"
        hex"0000000000000000000000000000000000000000000000000000000000000000"
        hex"0000000000000000000000000000000000000000000000000000000000000000"
        hex"0000000000000000000000000000000000000000000000000000000000000000"
        hex"06fa0c676a8b26198bc8db09d880f8703df5b1e4c4fb5f8220f03b31c7f9b933"
        hex"0f20645d5e16414fa9fbbbbb67af0be49a2ed09d29922284bfa4cb5cdd997fd6"
        hex"12db8200b9fe77acd32a05c117fa23fc9b492cca12812dc8daf9c0457c6f243c"
        hex"1ae9eabc96384773b896f9eddc60f03d67b7256851748b7069c0e8be8c2476ac"
        hex"0c8b4d0771527b39888f4d263ba04da8d66f30ec3c08a2aefc6d2aac77df1f0f"
        hex"22ab1c0ef504ccfe41de8140ed747d13a6b17c002c6390878fa8af8aaed683a6"
        hex"1a69e873ec91f21adc5fd13e15151ea645c70b39f8bcbdf5193e36ddb29d4abe"
        hex"0924cbd2cdcf89be56881c03346cb21ad611cc98ba920fd9238d23109a1a0c94"
        hex"15b01e38b9563ae67cd8902bf62a481dabb107a12150a5bc9c267aad76e24b83"
        hex"2714ebc85afc52a2a9b602e1082db21dd58e2fbcdf32f1bf8aa5c6330c6f70fd"
        hex"09d62937c92b51d44bcf00a0c913fc0cabe0755e1def77e963bdecf0f7743e9e"
        hex"30399ccf2e9ffe8d8857f82ef3b6c0094372ed823f19972255045a50ad0a3fa1"
        hex"05285734d37279c6e79dd5a6836821a06e70e4bd0158846241e479cf65b98c82"
        hex"1afe8d2491b78340c119703b7a55aef604479f2e54e691c1d6994b082271110e"
        hex"0454f5b53af7b1c2c0f0d466faf43ec4bddb54360671d11722715691f2bfaecc"
        hex"21d934d4ab4c898b7737dc0d2ec8d28d15c47347608098d7948f842cf5313dbd"
        hex"25700eb2bd2764ad99b9c55672ab382e63124d7b7c9d6bdfe512f0b46ab022f8"
        hex"20676de3bce0faf7b5d715ed7cf369005a3c73c13fd56b6cb6e2904192bc1cd0"
        hex"1b0495d6ff9921fbc7b86686408c2995e4eab75097f7f06f04095c37917c5cea"
        hex"2574de15f392e1d1de60d0b300ed8d177e11daf63f1f690eb3ef38b0075f92b8"
        hex"0ad0cad5ca8165f9f2b6bbc6a5f1d14c06db5eb4d618dc03dda6536720dd66e7"
        hex"01658011f7668d9ec234c7dc1fd13d15257fc234e48b04d6a5a41e32b5d447d3"
        hex"1345b0c3bcaa871096716624db5c1de9166e5eeed8dd343bc28fb1721af4fba8"
        hex"1a9f5339c95cf9291ca2d66a703b26069725e7451aa506f2843cae69efebe7b0"
        hex"2e25c322f9bbf8e940ddee1b7141d8722b86a782ff4c34e9c9809c106ec6af77"
        hex"222e63eeeee39a46b4048503193505f36449d28cf13a2a80d19ad528e49edff6"
        hex"14752770867701596f9f9ec230e56529c6c6356ab080c008e241e2f9b45758c2"
        hex"06e09adff5615e4ffd56d6d4c6db26ac6d5c0e6904d03e82b169ac908a51f33c"
        hex"269ebb9f8bc46e43e60f8a42648b36695152972890913e08ea011bf5524e5c12"
        hex"09350f9ff5008cb5abaa19c60aff659d0837a2fc935d526797223484cb306271"
        hex"1a699db461cadd26e53f5e4c289c65418b251c423ed9247359dbd69c59c84c4f"
        hex"2b45724e57a9976357b9c1b8311c2ed1ee03d9544324d63bea6412c45916ac0d"
        hex"1036c8ec6bdad5af4f77b4ad6cb2f0b54a19dc23dff0fafb3a6716c9a5bea2d2"
        hex"24e54774ed3790a7a2942410799a3f3e3d59b26ec426f7afce14919da14111de"
        hex"205308a03259c24f5f622ab8195610bea9035b0278cf9ccc1264fc43188b1105"
        hex"09c56b745c57fb84f5183fc2538f95a016075d6da6f9af50be96bafa6871e9ed"
        hex"177e195ac500765cb9023e429e42ec89b98018ca4871978a386b983e48730440"
        hex"2020395c3d81bb5d241c5fe6dcffe1d7f47e67c63b1ce981a68df8d273fd6276"
        hex"1a6b6e582b1aafc5e0472268a1b80994a84c478f2ed91feb8a1cbc528183bfa3"
        hex"2d926851bab13b7e26454767382d2b4e01fe6b5aa0ee669a798b2e510243192d"
        hex"0082c121640e409f61a632ae4a6b80872ec88fc46211020fdcb2a8a11e45bb38"
        hex"27ff8fffffbf5e98413696aff7f4230c36d32509f162996ca25fad946f14cdb2"
        hex"1ed1a59c0a568da8a46ae6e18cbcbcd75fb1e0ad2e163cf239b74918bc645c78"
        hex"1d6b6c37c97d22cf515e62e1a913340719d4ca5bdd2612143c59e2f98a55299a"
        hex"274251184a276fd655bd38217770b2e0e42174c28384fbe42eb409d191751f39"
        hex"09cc032a1f25c4519d0a03f77f3e7bb8fb7a0310e960a0c9069a328f409a24ac"
        hex"2aef334645a06aec89a827b9c366d051c34d330dc867cf20ab264e22ee4df52a"
        hex"2ae9051c286c93e4a02fb1b54ddc0bfa62d4131987b368fcc127773486e50ea2"
        hex"0845d30316a278aa8db6f5fc545abf96b050f2283b225023c081db6eb0113212"
        hex"02c9ef0b5e646f60901b7536377f651fe5ba279761bb621253e169717a897eda"
        hex"10574254dd9ff66b48027f3890ff21b6da94a7d23b0145773fa75c5ec4e8235a"
        hex"2cf607d1729d6d1aa54cb986b155d0a9b170c8b375b7ec63539db9c26582430d"
        hex"1d47dcb97cc8844764db47e50c59257a8dfdce4b46e1639b701367b36ded3005"
        hex"1d4c0c9da35f9578a625931aa45d4df3a0af190c7b9eca33bc527079bf2cdd02"
        hex"01f5f7cbbfd9ec916dfa8ae7f97e75bd3c75dfa3bc4623d56e57cb2f4e388249"
        hex"0e4789b6c5c536ef079bf56ea70e07611e0f0ce94f98e7de03f7bcabd7f4acc9"
        hex"0c41e354ec842baa6cb47972b798298997bd369930745d64ccdda4259836e187"
        hex"1166527e9ce3ea7798aab000e9cca32b970a20c1ba381643d56ffa11e9466ff7"
        hex"12001383da72d5a811f58030356f1156717111d04b45b10af612d9145ff017fe"
        hex"0fe0302d68903183cbffea29345a53717b50fac3c198f9851e1763c6f97b55bf";

    /// @notice Secret key of an operator.
    function secret(uint256 i) internal pure returns (uint256) {
        return uint256(keccak256(abi.encodePacked("forge operator ", bytes1(uint8(48 + i))))) % R;
    }

    /// @notice Sum of the secrets of the operators in `mask`.
    function secretOf(uint256 mask) internal pure returns (uint256 sum) {
        for (uint256 i = 0; i < COUNT; i++) {
            if (mask >> i & 1 == 1) sum = addmod(sum, secret(i), R);
        }
    }

    /// @notice G1 key of the operators in `mask` together.
    function keyG1(uint256 mask) internal view returns (G1Point memory) {
        return multiply(G1Point(1, 2), secretOf(mask));
    }

    /// @notice G2 key of the operators in `mask` together.
    function keyG2(uint256 mask) internal pure returns (G2Point memory key) {
        bytes memory all = G2_SUMS;
        uint256[4] memory words;
        for (uint256 i = 0; i < 4; i++) {
            uint256 offset = 32 + mask * 128 + i * 32;
            uint256 word;
            assembly {
                word := mload(add(all, offset))
            }
            words[i] = word;
        }
        return G2Point([words[0], words[1]], [words[2], words[3]]);
    }

    /// @notice Signature of the operators in `mask` together over `digest`.
    function sign(uint256 mask, bytes32 digest) internal view returns (G1Point memory) {
        (G1Point memory point,) = hashToCurve(digest);
        return multiply(point, secretOf(mask));
    }

    /// @notice Point and witnesses of a digest.
    function hashToCurve(bytes32 digest)
        internal
        view
        returns (G1Point memory point, HashToCurveWitness memory witness)
    {
        uint256 x = uint256(digest) % P;
        uint256[] memory found = new uint256[](64);
        uint256 count = 0;
        while (true) {
            uint256 beta = addmod(mulmod(mulmod(x, x, P), x, P), 3, P);
            uint256 y = squareRoot(beta);
            if (mulmod(y, y, P) == beta) {
                uint256[] memory skips = new uint256[](count);
                for (uint256 i = 0; i < count; i++) {
                    skips[i] = found[i];
                }
                return (G1Point(x, y), HashToCurveWitness(squareRoot(y), skips));
            }
            found[count++] = squareRoot(P - beta);
            x = addmod(x, 1, P);
        }
    }

    /// @notice value^((p+1)/4): a root of it, if there is one.
    function squareRoot(uint256 value) internal view returns (uint256) {
        (bool ok, bytes memory result) = address(5).staticcall(abi.encode(32, 32, 32, value, (P + 1) / 4, P));
        require(ok, "modexp");
        return abi.decode(result, (uint256));
    }

    /// @notice scalar · point.
    function multiply(G1Point memory point, uint256 scalar) internal view returns (G1Point memory) {
        (bool ok, bytes memory result) = address(7).staticcall(abi.encode(point.X, point.Y, scalar));
        require(ok, "ecMul");
        return abi.decode(result, (G1Point));
    }
}
