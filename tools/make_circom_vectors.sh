#!/usr/bin/env bash
# Makes tests/vectors/circom/*.json from the circuit there: two proofs under one key, and a second key of its own
# ceremony. circom2 and snarkjs (npm, GPL) are run as tools; only the data they make is kept. Each run draws new secrets
# for the ceremony, so the files change although the statements stay.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
vectors="$root/tests/vectors/circom"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
circom2() { node "$root/node_modules/circom2/cli.js" "$@"; }
snarkjs() { node "$root/node_modules/snarkjs/build/cli.cjs" "$@" >/dev/null; }

entropy() { head -c 64 /dev/urandom | od -An -tx1 | tr -d ' \n'; }

cp "$vectors/preimage.circom" "$work/"
cd "$work"
circom2 preimage.circom --r1cs --wasm

ceremony() { # NAME: a key from a ceremony of one
  snarkjs powersoftau new bn128 8 "$1.0.ptau"
  snarkjs powersoftau contribute "$1.0.ptau" "$1.1.ptau" --name=one -e="$(entropy)"
  snarkjs powersoftau prepare phase2 "$1.1.ptau" "$1.ptau"
  snarkjs groth16 setup preimage.r1cs "$1.ptau" "$1.0.zkey"
  snarkjs zkey contribute "$1.0.zkey" "$1.zkey" --name=one -e="$(entropy)"
  snarkjs zkey export verificationkey "$1.zkey" "$1.vk.json"
}

prove() { # NAME PREIMAGE KEY: a proof and its public signals
  echo "{\"preimage\": \"$2\", \"key\": \"$3\"}" >"$1.input.json"
  snarkjs wtns calculate preimage_js/preimage.wasm "$1.input.json" "$1.wtns"
  snarkjs groth16 prove first.zkey "$1.wtns" "$1.proof.json" "$1.public.json"
  snarkjs groth16 verify first.vk.json "$1.public.json" "$1.proof.json"
}

ceremony first
ceremony second
prove a 1234567 89
prove b 7654321 98
cp first.vk.json "$vectors/verification_key.json"
cp second.vk.json "$vectors/other_verification_key.json"
for name in a b; do
  cp "$name.proof.json" "$vectors/preimage_$name.proof.json"
  cp "$name.public.json" "$vectors/preimage_$name.public.json"
done
ls -l "$vectors"
