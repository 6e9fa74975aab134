#!/usr/bin/env bash
# Builds the guests into zkvm/elf, with their keys and program_ids.json, and writes each chunk guest's child.rs.
#
#   zkvm/build.sh                 everything; needs sp1-sdk for the keys (protoc, some 17 minutes of CPU)
#   zkvm/build.sh --toolchain     one line that says what it would build with
#   zkvm/build.sh --elf-only DIR  only the ELF files, into DIR, with the child ids that are there: to compare bytes
#
# The compiler is Debian's, which has the sources of std: apt-get install rustc-web rust-web-src cargo-web lld-22. The
# same compiler, Cargo.lock and sources give the same bytes wherever the clone and Cargo's folders are.
set -euo pipefail
zkvm="$(cd "$(dirname "$0")" && pwd -P)"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/aligned"
cargo_home="$(cd "${CARGO_HOME:-$HOME/.cargo}" && pwd -P)"
target="${GUEST_TARGET_DIR:-$cache/guest-target}"
prover_target="${PROVER_TARGET_DIR:-$cache/prover-target}"
elf="$zkvm/elf"

absent() {
  echo "zkvm/build.sh: $1" >&2
  echo "  apt-get install rustc-web rust-web-src lld-22   (or set RUSTC_GUEST and LLD_GUEST)" >&2
  exit 3
}

rustc="${RUSTC_GUEST:-/usr/bin/rustc}"
[ -x "$rustc" ] || absent "no compiler at $rustc"
sysroot="$("$rustc" --print sysroot)"
[ -d "$sysroot/lib/rustlib/src/rust/library" ] || absent "$rustc has no sources of the standard library"
lld="${LLD_GUEST:-$(command -v ld.lld-22 || true)}"
[ -x "$lld" ] || absent "no ld.lld-22"

# What the bytes depend on beside the sources. Cargo's version is part of symbols' names.
toolchain() { printf '%s; %s; %s\n' "$("$rustc" --version)" "$(cargo --version)" "$("$lld" --version)"; }

# guest_cargo SYSTEM TARGET FLAGS... -- PACKAGE...: builds packages of programs/SYSTEM for TARGET with these flags.
guest_cargo() {
  local system="$1" triple="$2" flags=() packages=()
  shift 2
  while [ "$1" != -- ]; do flags+=("$1"); shift; done
  shift
  for package in "$@"; do packages+=(-p "$package"); done
  # Paths appear in no message, and lines neither: a comment added above a check does not change a guest's bytes.
  flags+=(-C "linker=$lld" -C panic=abort -C passes=lower-atomic --cfg 'getrandom_backend="custom"' -Zlocation-detail=none
    --remap-path-prefix "$target=target" --remap-path-prefix "$zkvm=zkvm"
    --remap-path-prefix "$cargo_home=cargo" --remap-path-prefix "$sysroot/lib/rustlib/src=rust")
  (
    cd "$zkvm/programs/$system"
    export RUSTC="$rustc" RUSTC_BOOTSTRAP=1 RISC0_FEATURE_bigint2=1 CARGO_TARGET_DIR="$target/$system"
    CARGO_ENCODED_RUSTFLAGS="$(IFS=$'\x1f'; echo "${flags[*]}")"
    export CARGO_ENCODED_RUSTFLAGS
    unset CARGO_PROFILE_RELEASE_LTO RUSTFLAGS RUSTC_WRAPPER
    cargo build --release --locked --quiet --target "$triple" -Zjson-target-spec \
      -Zbuild-std=core,alloc,std,panic_abort -Zbuild-std-features=compiler-builtins-mem "${packages[@]}"
  )
}

# Flags of sp1-build 6.10.0; the image's base is SP1's end of the stack.
sp1() {
  guest_cargo sp1 riscv64im-succinct-zkvm-elf.json -C link-arg=--image-base=2013265920 \
    -C llvm-args=-misched-prera-direction=bottomup -C llvm-args=-misched-postra-direction=bottomup -- "$@"
  for name in "$@"; do
    install -m 644 "$target/sp1/riscv64im-succinct-zkvm-elf/release/$name" "$out/sp1_$name.elf"
  done
}

# Flags of risc0-build 3.0.6.
risc0() {
  guest_cargo risc0 riscv32im-risc0-zkvm-elf -C link-arg=-Ttext=0x00200800 -C link-arg=--fatal-warnings -- "$@"
  for name in "$@"; do
    install -m 644 "$target/risc0/riscv32im-risc0-zkvm-elf/release/$name" "$out/risc0_$name.elf"
  done
}

# identify SYSTEM NAME...: makes the keys of built guests and writes their ids.
identify() {
  local system="$1" suffix=vk
  shift
  [ "$system" = sp1 ] || suffix=bin
  CARGO_TARGET_DIR="$prover_target" cargo build --release --locked --quiet --features sp1,risc0 \
    --manifest-path "$zkvm/programs/identify/Cargo.toml"
  for name in "$@"; do
    id="$("$prover_target/release/identify-$system" "$out/${system}_$name.elf" "$elf/${system}_$name.$suffix")"
    [ "$system" != sp1 ] || install -m 644 "$out/sp1_$name.elf" "$elf/"
    python3 "$zkvm/../tools/program_ids.py" "$elf" program "$system" "$name" "$id"
  done
}

if [ "${1:-}" = --toolchain ]; then
  toolchain
  exit
fi
if [ "${1:-}" = --elf-only ]; then
  out="$(mkdir -p "$2" && cd "$2" && pwd -P)"
  sp1 user_proofs chunk fibonacci
  risc0 user_proofs chunk fibonacci
  exit
fi
out="$target/out"
mkdir -p "$out" "$elf"
for system in sp1 risc0; do
  "$system" user_proofs fibonacci
  identify "$system" user_proofs fibonacci
  python3 "$zkvm/../tools/program_ids.py" "$elf" child "$system" "$zkvm/programs/$system/chunk/src/child.rs"
  "$system" chunk
  identify "$system" chunk
done
python3 "$zkvm/../tools/program_ids.py" "$elf" toolchain "$(toolchain)"
