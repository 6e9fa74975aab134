//! Reads a receipt for its shape before the library does.
//!
//! Composite receipts hold receipts. The library decodes, verifies and drops them by recursion, so that some thousand
//! nested ones of a few bytes would overflow the stack, which nothing can catch. The types here have the same encoding
//! and stop at a depth; and since nothing is built from them, they are also where kinds that are refused are found.

use std::cell::Cell;

use risc0_zkvm::sha::Digest;
use risc0_zkvm::{Groth16Receipt, ReceiptClaim, SegmentReceipt, SuccinctReceipt, Unknown};
use serde::{Deserialize, Deserializer, de};

use crate::bounded::decode;
use crate::foreign;
use crate::verdict::{Code, Outcome};

/// Receipts within receipts: an aggregation of aggregations needs three.
const MAX_DEPTH: usize = 8;
const FAKE: &str = "a receipt of the development mode, without proof: unset RISC0_DEV_MODE and prove again";
const WANTED: &str = "expected bincode of a Receipt or InnerReceipt (`bincode::serialize(&receipt)`, bincode 1)";
const TOO_DEEP: &str = "holds receipts within receipts too deeply";

/// Refuses what is no receipt, too deep or fake.
pub fn check(receipt: &[u8]) -> Outcome {
    DEPTH.set(0);
    let Err(error) = decode::<Shape<ReceiptClaim>>(receipt) else { return Ok(()) };
    Err(if error.contains(FAKE) {
        Code::FakeReceipt.because(FAKE)
    } else {
        Code::MalformedProof
            .because(format!("receipt: {}", foreign::explain(receipt, problem(receipt, &error), WANTED)))
    })
}

/// Borsh writes the kind in one byte, bincode in four.
fn problem<'a>(receipt: &[u8], error: &'a str) -> &'a str {
    match receipt {
        [0..4, 0, 0, 0, ..] => error,
        [0..4, ..] => "this looks like Borsh",
        _ => error,
    }
}

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "decoded for their shape only")]
enum Shape<Claim> {
    Composite(Composite),
    Succinct(SuccinctReceipt<Claim>),
    Groth16(Groth16Receipt<Claim>),
    Fake(Refused),
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "decoded for their shape only")]
struct Composite {
    segments: Vec<SegmentReceipt>,
    assumption_receipts: Vec<Nested>,
    verifier_parameters: Digest,
}

#[allow(dead_code, reason = "decoded for their shape only")]
struct Nested(Shape<Unknown>);

impl<'de> Deserialize<'de> for Nested {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let depth = DEPTH.get() + 1;
        if depth > MAX_DEPTH {
            return Err(de::Error::custom(TOO_DEEP));
        }
        DEPTH.set(depth);
        let nested = Shape::deserialize(deserializer).map(Nested);
        DEPTH.set(depth - 1);
        nested
    }
}

/// The content of a variant that is refused whatever it is.
struct Refused;

impl<'de> Deserialize<'de> for Refused {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(de::Error::custom(FAKE))
    }
}
