//! Bincode from anyone: no more memory than the bytes that are there, and one encoding for each value.

use bincode::Options;
use serde::Serialize;
use serde::de::DeserializeOwned;

fn options(limit: usize) -> impl Options {
    // A length prefix is checked against the limit before anything is allocated for it.
    bincode::DefaultOptions::new().with_fixint_encoding().allow_trailing_bytes().with_limit(limit as u64)
}

/// Decodes a value from the start of `data`, without a look at what it says.
pub fn decode<T: DeserializeOwned>(data: &[u8]) -> Result<T, String> {
    options(data.len()).deserialize(data).map_err(|error| error.to_string())
}

/// Decodes a value and returns the bytes behind it. Encoding the value again must give the same bytes: otherwise
/// x + p would pass for the field element x, and one statement would have many proofs.
pub fn decode_canonical<T: DeserializeOwned + Serialize>(data: &[u8]) -> Result<(T, &[u8]), String> {
    let value: T = decode(data)?;
    let encoded = options(data.len()).serialize(&value).map_err(|error| error.to_string())?;
    let rest = data.strip_prefix(encoded.as_slice()).ok_or("is not encoded canonically")?;
    Ok((value, rest))
}

/// Like `decode_canonical`, with nothing behind the value.
pub fn decode_exactly<T: DeserializeOwned + Serialize>(data: &[u8]) -> Result<T, String> {
    match decode_canonical(data)? {
        (value, []) => Ok(value),
        (_, rest) => Err(format!("has {} bytes too many", rest.len())),
    }
}
