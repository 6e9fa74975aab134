pragma circom 2.1.0;

// Knowledge of `preimage` with digest = E(preimage, key): a toy cipher of x -> (x + key + constant)^7 rounds.
// It is here to have real Groth16 proofs with two public signals; the cipher is not meant to be secure.

template Seventh() {
    signal input in;
    signal output out;
    signal square <== in * in;
    signal fourth <== square * square;
    signal sixth <== fourth * square;
    out <== sixth * in;
}

template Preimage(rounds) {
    signal input preimage;
    signal input key;
    signal output digest;
    component seventh[rounds];
    signal state[rounds + 1];
    state[0] <== preimage;
    for (var round = 0; round < rounds; round++) {
        seventh[round] = Seventh();
        seventh[round].in <== state[round] + key + (round + 1) * (round + 1);
        state[round + 1] <== seventh[round].out;
    }
    digest <== state[rounds] + key;
}

component main {public [key]} = Preimage(12);
