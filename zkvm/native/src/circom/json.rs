//! snarkjs' JSON, strictly: known fields with their types only, affine points with canonical coordinates.

use ark_bn254::{Bn254, Fq2, G1Affine, G2Affine};
use ark_groth16::{Proof, VerifyingKey};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::inputs::element;
use super::kinds;
use crate::bn254;
use crate::verdict::{Code, Outcome};

type G1Text = [String; 3];
type G2Text = [[String; 2]; 3];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProofText {
    pi_a: G1Text,
    pi_b: G2Text,
    pi_c: G1Text,
    protocol: String,
    /// rapidsnark writes none; the key names it.
    #[serde(default = "bn128")]
    curve: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyText {
    protocol: String,
    curve: String,
    #[serde(rename = "nPublic")]
    n_public: usize,
    vk_alpha_1: G1Text,
    vk_beta_2: G2Text,
    vk_gamma_2: G2Text,
    vk_delta_2: G2Text,
    /// The pairing of alpha and beta; recomputed, so nothing depends on what is stated.
    #[serde(default, rename = "vk_alphabeta_12")]
    _alpha_beta: Option<IgnoredAny>,
    #[serde(rename = "IC")]
    ic: Vec<G1Text>,
}

/// Most public inputs: what a proof takes to verify grows with them, and operators verify what anybody posts.
const MAX_PUBLIC_INPUTS: usize = 4_096;
/// Bytes of a key for each point in it, at least: coordinates of a real key have 77 digits, and a batch that is full of
/// points like (1, 2) would take many times as long as any other batch of its size.
const LEAST_BYTES_PER_POINT: usize = 128;

const WANTED_PROOF: &str = "expected snarkjs' proof.json (fields pi_a, pi_b, pi_c, protocol and curve, no others)";
const WANTED_KEY: &str = "expected snarkjs' verification_key.json (`snarkjs zkey export verificationkey`)";

fn bn128() -> String {
    "bn128".into()
}

/// Decodes `proof.json`.
pub fn proof(json: &[u8]) -> Outcome<Proof<Bn254>> {
    let text: ProofText = read(json).map_err(|error| {
        let problem = foreign(json, "a Groth16 proof", WANTED_PROOF).unwrap_or(error);
        Code::MalformedProof.because(format!("proof: {problem}"))
    })?;
    parse_proof(&text).map_err(|error| Code::MalformedProof.because(format!("proof: {error}")))
}

/// Decodes `verification_key.json`.
pub fn key(json: &[u8]) -> Outcome<VerifyingKey<Bn254>> {
    let malformed = |error: String| Code::MalformedKey.because(format!("verification key: {error}"));
    let text: KeyText = read(json)
        .map_err(|error| malformed(foreign(json, "a Groth16 verification key", WANTED_KEY).unwrap_or(error)))?;
    check_size(text.ic.len(), json.len())?;
    parse_key(&text).map_err(malformed)
}

/// Before any point is looked at.
fn check_size(points: usize, bytes: usize) -> Outcome {
    if points > MAX_PUBLIC_INPUTS + 1 {
        let problem = format!("the key is for {} public inputs, at most {MAX_PUBLIC_INPUTS} are taken", points - 1);
        return Err(Code::TooManyPublicInputs.because(problem));
    }
    if bytes / LEAST_BYTES_PER_POINT < points {
        let problem = format!("verification key: {points} points in {bytes} bytes, not the key of a real setup");
        return Err(Code::MalformedKey.because(problem));
    }
    Ok(())
}

/// What the file is, if it is another one than it was given as, and what is wanted.
fn foreign(json: &[u8], own: &str, wanted: &str) -> Option<String> {
    let kind = kinds::describe(json).filter(|kind| *kind != own)?;
    Some(format!("this is {kind}; {wanted}"))
}

fn parse_proof(text: &ProofText) -> Result<Proof<Bn254>, String> {
    check_names(&text.protocol, &text.curve)?;
    Ok(Proof { a: g1("pi_a", &text.pi_a)?, b: g2("pi_b", &text.pi_b)?, c: g1("pi_c", &text.pi_c)? })
}

fn parse_key(text: &KeyText) -> Result<VerifyingKey<Bn254>, String> {
    check_names(&text.protocol, &text.curve)?;
    if text.ic.len().checked_sub(1) != Some(text.n_public) {
        return Err(format!("nPublic is {}, IC has {} points", text.n_public, text.ic.len()));
    }
    Ok(VerifyingKey {
        alpha_g1: g1("vk_alpha_1", &text.vk_alpha_1)?,
        beta_g2: g2("vk_beta_2", &text.vk_beta_2)?,
        gamma_g2: g2("vk_gamma_2", &text.vk_gamma_2)?,
        delta_g2: g2("vk_delta_2", &text.vk_delta_2)?,
        gamma_abc_g1: text.ic.iter().map(|point| g1("IC", point)).collect::<Result<_, _>>()?,
    })
}

fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, String> {
    serde_json::from_slice(json).map_err(|error| error.to_string())
}

fn check_names(protocol: &str, curve: &str) -> Result<(), String> {
    match (protocol, curve) {
        ("groth16", "bn128" | "bn254") => Ok(()),
        ("groth16", _) => Err("curve is not bn128".into()),
        _ => Err("protocol is not groth16".into()),
    }
}

fn g1(name: &str, [x, y, z]: &G1Text) -> Result<G1Affine, String> {
    let in_field = || Ok::<_, String>((element(x)?, element(y)?));
    let (x, y) = in_field().map_err(|error| format!("{name}: {error}"))?;
    affine(name, z == "1")?;
    bn254::checked(x, y).map_err(|error| format!("{name} {error}"))
}

fn g2(name: &str, [x, y, z]: &G2Text) -> Result<G2Affine, String> {
    let pair = |[re, im]: &[String; 2]| Ok::<_, String>(Fq2::new(element(re)?, element(im)?));
    let in_field = || Ok::<_, String>((pair(x)?, pair(y)?));
    let (x, y) = in_field().map_err(|error| format!("{name}: {error}"))?;
    affine(name, z[0] == "1" && z[1] == "0")?;
    bn254::checked(x, y).map_err(|error| format!("{name} {error}"))
}

/// snarkjs writes projective coordinates with Z = 1; the point at infinity has Z = 0.
fn affine(name: &str, z_is_one: bool) -> Result<(), String> {
    if z_is_one { Ok(()) } else { Err(format!("{name} is the point at infinity or not normalised (Z is not 1)")) }
}
