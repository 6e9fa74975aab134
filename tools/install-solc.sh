#!/bin/sh
# Puts a solc where py-solc-x and tools/solc look for it, so that compiling works with and without internet:
#   1. keep what is there and runs;  2. the native build, if py-solc-x can download it;
#   3. else npm's wasm build of the same compiler behind a wrapper, copied so that it outlives this checkout.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
version=$(sed -n 's/^  version: *\(0\.8\.[0-9]*\)$/\1/p' "$root/ape-config.yaml")
home=${SOLCX_BINARY_PATH:-$HOME/.solcx}
bin="$home/solc-v$version"
works() { printf '{"language":"Solidity","sources":{}}' | "$bin" --standard-json 2>/dev/null | grep -q errors; }

mkdir -p "$home"
if [ -x "$bin" ] && works; then
  echo "solc $version: $bin"
  exit 0
fi
rm -f "$bin"
python=${PYTHON:-$root/.venv/bin/python}
if [ "${SOLC_WASM_ONLY:-0}" != 1 ] && "$python" -c "import solcx; solcx.install_solc('$version')" >/dev/null 2>&1 && works; then
  echo "solc $version: native, $bin"
  exit 0
fi
[ "$(node -p "require('$root/node_modules/solc/package.json').version")" = "$version" ] || {
  echo "node_modules/solc is not version $version" >&2
  exit 1
}
wasm="$home/wasm-$version"
mkdir -p "$wasm"
cp "$root/node_modules/solc/soljson.js" "$root/tools/solc-shim.cjs" "$wasm/"
# py-solc-x asks for the version often: answer from a stored string instead of loading the compiler each time.
full=$(node "$wasm/solc-shim.cjs" --version | sed -n 's/^Version: //p')
cat >"$bin.tmp" <<WRAPPER
#!/bin/sh
case "\$1" in --version) printf 'solc, the solidity compiler commandline interface\nVersion: %s\n' '$full'; exit 0 ;; esac
exec node --stack-size=4096 '$wasm/solc-shim.cjs' "\$@"
WRAPPER
chmod +x "$bin.tmp"
mv "$bin.tmp" "$bin"
works || { echo "the wasm solc does not run" >&2; exit 1; }
echo "solc $version: wasm, $bin"
