//! `identify-risc0 program.elf program.bin`: joins a program with RISC Zero's kernel and says the program id, the image
//! id of both.

use std::error::Error;
use std::fs;

use risc0_binfmt::ProgramBinary;
use risc0_zkos_v1compat::V1COMPAT_ELF;

fn main() -> Result<(), Box<dyn Error>> {
    let [_, elf, binary_file] = &std::env::args().collect::<Vec<_>>()[..] else {
        return Err("usage: identify-risc0 program.elf program.bin".into());
    };
    let program = fs::read(elf)?;
    let binary = ProgramBinary::new(&program, V1COMPAT_ELF);
    fs::write(binary_file, binary.encode())?;
    println!("0x{}", hex::encode(binary.compute_image_id()?.as_bytes()));
    Ok(())
}
