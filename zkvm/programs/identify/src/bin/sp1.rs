//! `identify-sp1 program.elf key.vk`: writes the verifying key (104 bytes) and says the program id, its hash.

use std::error::Error;
use std::fs;

use sp1_sdk::blocking::{LightProver, Prover};
use sp1_sdk::{Elf, HashableKey, ProvingKey};

fn main() -> Result<(), Box<dyn Error>> {
    let [_, elf, key_file] = &std::env::args().collect::<Vec<_>>()[..] else {
        return Err("usage: identify-sp1 program.elf key.vk".into());
    };
    let proving_key = LightProver::new().setup(Elf::Dynamic(fs::read(elf)?.into()))?;
    let key = proving_key.verifying_key();
    fs::write(key_file, bincode::serialize(key)?)?;
    println!("{}", key.bytes32());
    Ok(())
}
