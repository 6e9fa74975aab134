//! Says what a file is that is not one of those that are wanted. For messages only: no verdict depends on it.

/// Files that are told by how they begin.
const BEGINNINGS: [(&[u8], &str); 22] = [
    (b"\xef\xbb\xbf", "text with a byte order mark"),
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
    (b"\x1f\x8b", "compressed with gzip"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
    (b"\xfd7zXZ", "compressed with xz"),
    (b"BZh", "compressed with bzip2"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x7fELF", "a program (ELF)"),
    (b"R0BF", "a program of RISC Zero"),
    (b"\x00asm", "a WebAssembly program"),
    (b"zkey", "a zkey (proving key of snarkjs)"),
    (b"wtns", "a witness of snarkjs"),
    (b"r1cs", "a circuit (r1cs)"),
    (b"ptau", "a powers-of-tau file"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself (`git lfs pull` fetches it)"),
    (b"-----BEGIN", "PEM text"),
    (b"<!DOCTYPE", "a web page"),
    (b"<!doctype", "a web page"),
    (b"<html", "a web page"),
    (b"\x89PNG", "a picture"),
    (b"%PDF", "a PDF"),
];
/// Shorter digits may be anything.
const LEAST_HEX_DIGITS: usize = 16;

/// What kind of file this is; none when that cannot be told.
pub fn describe(bytes: &[u8]) -> Option<&'static str> {
    if bytes.is_empty() {
        return Some("an empty file");
    }
    let known = BEGINNINGS.iter().find(|(beginning, _)| bytes.starts_with(beginning));
    known.map(|(_, kind)| *kind).or_else(|| describe_content(bytes))
}

/// `problem`, or what the file is, and then what is wanted instead.
pub fn explain(bytes: &[u8], problem: &str, wanted: &str) -> String {
    match describe(bytes) {
        Some(kind) => format!("this is {kind}; {wanted}"),
        None => format!("{problem}; {wanted}"),
    }
}

/// Whether this is text of hexadecimal digits, as tools print digests and proofs.
fn is_hex(bytes: &[u8]) -> bool {
    let text = bytes.trim_ascii();
    let digits = text.strip_prefix(b"0x").or_else(|| text.strip_prefix(b"0X")).unwrap_or(text);
    digits.len() >= LEAST_HEX_DIGITS && digits.iter().all(u8::is_ascii_hexdigit)
}

/// `problem`, with a word on bytes that were given as text.
pub fn with_hex_hint(bytes: &[u8], problem: &str) -> String {
    let hint = if is_hex(bytes) { " (as hexadecimal text; send the bytes themselves)" } else { "" };
    format!("{problem}{hint}")
}

fn describe_content(bytes: &[u8]) -> Option<&'static str> {
    let text = bytes.trim_ascii();
    match bytes {
        _ if text.is_empty() => Some("nothing but white space"),
        _ if is_hex(bytes) => Some("hexadecimal text, not the bytes themselves"),
        _ if matches!(text.first(), Some(b'{' | b'[' | b'"')) && is_text(text) => Some("JSON"),
        // A map of CBOR (small, or of unknown length) whose first key is a short text.
        [0xa1..=0xb7 | 0xbf, 0x61..=0x77, key, ..] if key.is_ascii_graphic() => Some("CBOR"),
        _ => None,
    }
}

/// Whether the file begins like text.
fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().take(64).all(|byte| !byte.is_ascii_control() || byte.is_ascii_whitespace())
}
