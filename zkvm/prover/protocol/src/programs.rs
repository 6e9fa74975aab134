//! The guests' binaries, checked against `program_ids.json`.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::failure::{Code, Failure};
use crate::files;

/// A guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Program {
    /// Verifies user proofs.
    UserProofs,
    /// Joins chunks.
    Chunk,
    /// Makes user proofs for tests.
    Fibonacci,
}

impl Program {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::UserProofs, Self::Chunk, Self::Fibonacci];

    /// Name in file names and in `program_ids.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::UserProofs => "user_proofs",
            Self::Chunk => "chunk",
            Self::Fibonacci => "fibonacci",
        }
    }
}

/// A guest's files.
pub struct Binary {
    /// What the executor takes.
    pub code: Vec<u8>,
    /// What a verifier takes: SP1 the saved verifying key, RISC Zero the image id.
    pub key: Vec<u8>,
    /// Identity.
    pub id: [u8; 32],
}

/// All guests of one system.
pub struct Programs {
    binaries: [Binary; 3],
}

#[derive(Deserialize)]
struct Entry {
    program_id: String,
    #[serde(alias = "bin_sha256", alias = "sha256")]
    elf_sha256: String,
}

impl Programs {
    /// Reads the guests of a system; `binary` is the ending of their files.
    ///
    /// # Errors
    /// `Malformed` if a file is missing or not the one that `program_ids.json` names.
    pub fn load(folder: &Path, system: &str, binary: &str) -> Result<Self, Failure> {
        let ids: Map<String, Value> = files::read_json(&folder.join("program_ids.json"))?;
        let load = |program: Program| {
            let entry = ids.get(system).and_then(|programs| programs.get(program.name())).cloned();
            let entry = serde_json::from_value(entry.unwrap_or_default())
                .map_err(|error| Code::Malformed.because(format!("program_ids.json, {}: {error}", program.name())))?;
            load_one(folder, system, program, binary, &entry)
        };
        let [user_proofs, chunk, fibonacci] = Program::ALL.map(load);
        Ok(Self { binaries: [user_proofs?, chunk?, fibonacci?] })
    }

    /// A guest's files.
    pub fn get(&self, program: Program) -> &Binary {
        &self.binaries[match program {
            Program::UserProofs => 0,
            Program::Chunk => 1,
            Program::Fibonacci => 2,
        }]
    }

    pub(crate) fn ids(&self) -> Map<String, Value> {
        let entry = |program: Program| (program.name().to_owned(), files::hex(&self.get(program).id).into());
        Program::ALL.map(entry).into_iter().collect()
    }
}

fn load_one(folder: &Path, system: &str, program: Program, ending: &str, entry: &Entry) -> Result<Binary, Failure> {
    let stem = format!("{system}_{}", program.name());
    let code = files::read(&folder.join(format!("{stem}.{ending}")))?;
    if files::hex(&Sha256::digest(&code)) != entry.elf_sha256 && hex::encode(Sha256::digest(&code)) != entry.elf_sha256
    {
        return Err(Code::Malformed.because(format!("{stem}.{ending} is not the one that program_ids.json names")));
    }
    let id = files::parse_hash(&entry.program_id)?;
    let saved_key = folder.join(format!("{stem}.vk"));
    let key = if saved_key.exists() { files::read(&saved_key)? } else { id.to_vec() };
    Ok(Binary { code, key, id })
}
