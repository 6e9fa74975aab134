//! Public inputs: a JSON list of decimal strings, or 32 bytes big-endian for each.

use ark_bn254::Fr;
use ark_ff::{BigInt, PrimeField};

use super::kinds;
use crate::bn254;
use crate::verdict::{Code, Outcome};

const WANTED: &str = "expected snarkjs' public.json (a list of decimal strings), or 32 bytes big-endian for each";

/// Decodes public inputs. A list begins with `[`, which no canonical field element does.
pub fn parse(bytes: &[u8]) -> Outcome<Vec<Fr>> {
    let malformed = |error: String| {
        // Not for a list: what is wrong in it has been said.
        let foreign = kinds::describe(bytes).filter(|kind| *kind != "a list");
        Code::MalformedPublicInput.because(foreign.map_or(error, |kind| format!("this is {kind}; {WANTED}")))
    };
    if bytes.first() == Some(&b'[') {
        let texts: Vec<String> =
            serde_json::from_slice(bytes).map_err(|error| malformed(format!("public inputs: {error}")))?;
        return texts.iter().map(|text| element(text).map_err(malformed)).collect();
    }
    let (words, rest) = bytes.as_chunks::<32>();
    if !rest.is_empty() {
        return Err(malformed(format!("public inputs: {} bytes are no multiple of 32 and no list", bytes.len())));
    }
    let decode = |word| bn254::field(word).ok_or_else(|| malformed("a public input is not below the order".into()));
    words.iter().map(decode).collect()
}

/// A field element from its only decimal form: digits, no leading zero, below the modulus.
pub fn element<F: PrimeField<BigInt = BigInt<4>>>(text: &str) -> Result<F, String> {
    let bad = |problem: &str| Err(format!("{:?} {problem}", text.chars().take(90).collect::<String>()));
    let digits = text.as_bytes();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) || (digits.len() > 1 && digits[0] == b'0') {
        return bad("is not a decimal number in its shortest form");
    }
    let mut value = BigInt::<4>::zero();
    for digit in digits {
        let Some(next) = times_ten_plus(value, u64::from(digit - b'0')) else { return bad("exceeds 256 bits") };
        value = next;
    }
    F::from_bigint(value).map_or_else(|| bad("is not below the field's modulus"), Ok)
}

fn times_ten_plus(value: BigInt<4>, digit: u64) -> Option<BigInt<4>> {
    let mut carry = u128::from(digit);
    let mut result = BigInt::<4>::zero();
    for (limb, product) in value.0.into_iter().zip(&mut result.0) {
        let sum = u128::from(limb) * 10 + carry;
        let [low, high] = [sum & u128::from(u64::MAX), sum >> 64];
        *product = u64::try_from(low).ok()?;
        carry = high;
    }
    (carry == 0).then_some(result)
}
