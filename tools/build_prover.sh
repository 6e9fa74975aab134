#!/usr/bin/env bash
# Builds the prover workers: tools/build_prover.sh MODE [sp1|risc0...], and prints the folder with the binaries.
#   execute   executors and verifiers only; some minutes, needs only Rust and a C compiler. This is what tests use.
#   test      the tests of the workers, in the build of `execute`
#   prove     also the provers: SP1 Compressed (needs protoc with google/protobuf), RISC0 Composite; 20 GiB to run SP1.
# RECURSION_SRC_PATH=recursion_zkr.zip (59,768,781 bytes, sha256 744b999f...) adds RISC0's Succinct and Groth16 to `prove`.
# SP1_NETWORK=1 adds SP1's prover network. Cargo's output stays outside the clone.
set -euo pipefail
cd "$(dirname "$0")/.."
mode=${1:?execute, test or prove}
shift
systems=("$@")
[ ${#systems[@]} -gt 0 ] || systems=(sp1 risc0)
cache="${XDG_CACHE_HOME:-$HOME/.cache}/aligned"
case "$mode" in
execute | test) target=$cache/prover-execute-target ;;
prove) target=$cache/prover-target ;;
*) echo "unknown mode $mode: execute, test or prove" >&2 && exit 2 ;;
esac
export CARGO_TARGET_DIR=${PROVER_TARGET_DIR:-$target}

sp1_features() {
  [ "$mode" = prove ] || return 0
  if ! command -v protoc >/dev/null; then
    echo "the SP1 prover needs protoc and its includes (Debian: protobuf-compiler libprotobuf-dev)" >&2
    exit 3
  fi
  echo "${SP1_NETWORK:+network,}prove"
}

risc0_features() {
  [ "$mode" = prove ] || return 0
  if [ -n "${RECURSION_SRC_PATH:-}" ]; then echo recursion; else echo prove; fi
}

# The build script of a circuit is replaced by a link to answers that say what is missing: compiling the kernels takes
# longer than all the rest, and without recursion programs those of keccak and recursion are never of use.
leave_out() { # CIRCUIT...
  local stubs=$CARGO_TARGET_DIR/stubs host circuit define=()
  mkdir -p "$stubs"
  [ "$mode" = prove ] || define=(-DWITHOUT_RV32IM)
  "${CC:-cc}" -O1 "${define[@]}" -c zkvm/prover/stubs/absent_kernels.c -o "$stubs/absent_kernels.o"
  ar rcs "$stubs/libaligned_absent_kernels.a" "$stubs/absent_kernels.o"
  host=$(rustc -vV | sed -n 's/^host: //p')
  for circuit in "$@"; do
    overrides+=(--config "target.$host.risc0-circuit-$circuit-sys.rustc-link-search=['$stubs']"
      --config "target.$host.risc0-circuit-$circuit-sys.rustc-link-lib=['static=aligned_absent_kernels']")
  done
}

build() { # PACKAGE FEATURES
  local command=build
  [ "$mode" != test ] || command=test
  "${NICE[@]}" cargo "$command" --release --locked --manifest-path zkvm/prover/Cargo.toml -p "$1" --features "$2" \
    "${overrides[@]}" >&2
}

NICE=(nice -n "${PROVER_BUILD_NICE:-0}")
for system in "${systems[@]}"; do
  overrides=()
  if [ "$system" = risc0 ]; then
    if [ "$mode" != prove ]; then
      leave_out keccak recursion rv32im
    elif [ -z "${RECURSION_SRC_PATH:-}" ]; then
      leave_out keccak recursion
    fi
    # No download of recursion programs: the build script of risc0-circuit-recursion then makes an empty file.
    [ -n "${RECURSION_SRC_PATH:-}" ] || export DOCS_RS=1
    export CXXFLAGS="${CXXFLAGS:--O1}"
  fi
  build "aligned-prover-$system" "$("${system}_features")"
done
if [ "$mode" = test ]; then
  overrides=()
  build aligned-prover-protocol ""
fi
echo "$CARGO_TARGET_DIR/release"
