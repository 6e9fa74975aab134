// Stand-in for the native `solc` where it cannot be downloaded: npm's wasm build of the same compiler.
// It answers what py-solc-x, ape-solidity and forge ask: --version, --help, --standard-json (input from stdin
// or a file, with sources inline or as "urls" below --base-path / --include-path).
// `soljson.js` is expected beside this file, so that an installed copy does not depend on any checkout.
'use strict';
const fs = require('fs');
const path = require('path');

const HELP = `solc, the Solidity commandline compiler (wasm build).

Output Components:
  --combined-json abi,asm,bin,bin-runtime,devdoc,hashes,metadata,opcodes,srcmap,srcmap-runtime,userdoc
  --standard-json
  --base-path path
  --include-path path
  --allow-paths path(s)
`;

function parseArguments(argv) {
  const options = { roots: [], files: [] };
  for (let i = 0; i < argv.length; i++) {
    const [name, inline] = argv[i].split(/=(.*)/s);
    const value = () => (inline !== undefined ? inline : argv[++i]);
    if (name === '--version' || name === '--help' || name === '--standard-json') options[name.slice(2)] = true;
    else if (name === '--base-path' || name === '--include-path') options.roots.push(value());
    else if (name === '--allow-paths') value();
    else if (name.startsWith('-') && name !== '-') fail(`option '${name}' is not supported by the wasm solc`);
    else if (name !== '-') options.files.push(argv[i]);
  }
  return options;
}

function fail(message) {
  process.stderr.write(message + '\n');
  process.exit(1);
}

function loadCompiler() {
  const soljson = require(path.join(__dirname, 'soljson.js'));
  return {
    version: soljson.cwrap('solidity_version', 'string', []),
    compile: soljson.cwrap('solidity_compile', 'string', ['string', 'number', 'number']),
  };
}

function readSource(roots, url) {
  const name = url.replace(/^file:\/\//, '');
  const found = [...roots.map((root) => path.resolve(root, name)), path.resolve(name)].find((file) => fs.existsSync(file));
  if (found === undefined) fail(`source ${url} not found below ${JSON.stringify(roots)}`);
  return fs.readFileSync(found, 'utf8');
}

function inlineSources(input, roots) {
  for (const source of Object.values(input.sources || {})) {
    if (source.content === undefined && source.urls) {
      source.content = readSource(roots, source.urls[0]);
      delete source.urls;
    }
  }
  return input;
}

function writeFully(text) {
  const bytes = Buffer.from(text);
  for (let offset = 0; offset < bytes.length; ) {
    try {
      offset += fs.writeSync(1, bytes, offset);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error; // a full pipe: try again
    }
  }
}

const options = parseArguments(process.argv.slice(2));
if (options.help) {
  process.stdout.write(HELP);
} else if (options.version) {
  process.stdout.write(`solc, the solidity compiler commandline interface\nVersion: ${loadCompiler().version()}\n`);
} else if (options['standard-json']) {
  const input = JSON.parse(fs.readFileSync(options.files.length ? options.files[0] : 0, 'utf8'));
  writeFully(loadCompiler().compile(JSON.stringify(inlineSources(input, options.roots)), 0, 0) + '\n');
} else {
  fail('only --version, --help and --standard-json are supported by the wasm solc');
}
