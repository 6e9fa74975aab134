//! Files of requests and results.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::failure::{Code, Failure};
use crate::level::Level;

/// More than a composite receipt of a full chunk takes.
const MAX_FILE_BYTES: u64 = 1 << 30;
const PROOF: &str = "proof.bin";
const PUBLIC_VALUES: &str = "public_values.bin";
const RESULT: &str = "result.json";

/// `result.json` of a result folder.
#[derive(Debug, Serialize, Deserialize)]
pub struct Summary {
    pub system: String,
    pub level: Level,
    pub program: String,
    pub program_id: String,
    pub public_values: String,
    pub cycles: u64,
    pub seconds: f64,
    pub peak_rss_bytes: u64,
    pub checked: Vec<String>,
    pub not_checked: Vec<String>,
}

/// A result folder.
pub struct Stored {
    pub summary: Summary,
    pub public_values: Vec<u8>,
    pub proof: Option<Vec<u8>>,
}

/// Writes a result folder; `result.json` comes last, so that a folder that has it is whole.
pub fn store(
    folder: &Path,
    summary: &Summary,
    public_values: &[u8],
    proof: Option<&[u8]>,
) -> Result<Option<PathBuf>, Failure> {
    let internal = |error: std::io::Error| Code::Internal.because(format!("{}: {error}", folder.display()));
    fs::create_dir_all(folder).map_err(internal)?;
    let path = proof.map(|_| folder.join(PROOF));
    if let Some(proof) = proof {
        write(folder, PROOF, proof).map_err(internal)?;
    }
    write(folder, PUBLIC_VALUES, public_values).map_err(internal)?;
    let json = serde_json::to_vec_pretty(summary).map_err(|error| internal(error.into()))?;
    write(folder, RESULT, &json).map_err(internal)?;
    Ok(path)
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let unfinished = folder.join(format!("{name}.part"));
    fs::write(&unfinished, bytes)?;
    File::open(&unfinished)?.sync_all()?;
    fs::rename(unfinished, folder.join(name))
}

/// Reads a result folder.
pub fn load(folder: &Path) -> Result<Stored, Failure> {
    let summary: Summary = read_json(&folder.join(RESULT))?;
    let proof = if summary.level.proves() { Some(read(&folder.join(PROOF))?) } else { None };
    Ok(Stored { summary, public_values: read(&folder.join(PUBLIC_VALUES))?, proof })
}

/// Reads a file up to a limit.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let problem = |problem: String| Code::Malformed.because(format!("{}: {problem}", path.display()));
    let file = File::open(path).map_err(|error| problem(error.to_string()))?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| problem(error.to_string()))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(problem(format!("larger than {MAX_FILE_BYTES} bytes")));
    }
    Ok(bytes)
}

pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    serde_json::from_slice(&read(path)?)
        .map_err(|error| Code::Malformed.because(format!("{}: {error}", path.display())))
}

/// Bytes as the protocol writes them.
pub fn hex(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

/// 32 bytes as the protocol writes them.
pub fn parse_hash(text: &str) -> Result<[u8; 32], Failure> {
    let malformed = || Code::Malformed.because(format!("expected 0x and 64 hex digits, got {text:?}"));
    let mut hash = [0; 32];
    hex::decode_to_slice(text.strip_prefix("0x").ok_or_else(malformed)?, &mut hash).map_err(|_| malformed())?;
    Ok(hash)
}
