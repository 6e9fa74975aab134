//! Says what a JSON file is that is not the one that is wanted. For messages only: no verdict depends on it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::foreign;

/// Fields by which files are told apart, all of one row; the first row that is there counts.
const KINDS: [(&[&str], &str); 15] = [
    (&["proof", "publicSignals"], "what fullProve returns: its `proof` and `publicSignals` are two files"),
    (&["proof", "inputs"], "a proof of ZoKrates"),
    (&["proof"], "a proof within an object"),
    (&["publicSignals"], "the public signals within an object"),
    (&["pi_ap"], "a Pinocchio proof of an old snarkjs"),
    (&["polynomials"], "an fflonk proof"),
    (&["pi_a", "pi_b", "pi_c"], "a Groth16 proof"),
    (&["vk_alfa_1"], "a key of an old snarkjs (vk_alfa_1)"),
    (&["vk_alpha_1"], "a Groth16 verification key"),
    (&["X_2", "Qm"], "a PLONK key"),
    (&["X_2", "C0"], "an fflonk key"),
    (&["Wxi"], "a PLONK proof"),
    (&["G1"], "a key of gnark"),
    (&["Krs"], "a proof of gnark"),
    (&["a", "b", "c"], "a proof of another tool (a, b, c)"),
];

/// What kind of file this is; none when that cannot be told.
pub fn describe(bytes: &[u8]) -> Option<&'static str> {
    let Ok(fields) = serde_json::from_slice::<BTreeMap<String, IgnoredAny>>(bytes) else {
        let is_list = serde_json::from_slice::<Vec<IgnoredAny>>(bytes).is_ok();
        return if is_list { Some("a list") } else { foreign::describe(bytes).filter(|kind| *kind != "JSON") };
    };
    match serde_json::from_slice(bytes).ok().and_then(|Named { protocol }| protocol).as_deref() {
        Some("plonk") => Some("of PLONK, only Groth16 is verified"),
        Some("fflonk") => Some("of fflonk, only Groth16 is verified"),
        _ => {
            let has = |names: &[&str]| names.iter().all(|name| fields.contains_key(*name));
            KINDS.iter().find(|(names, _)| has(names)).map(|(_, kind)| *kind)
        }
    }
}

#[derive(Deserialize)]
struct Named {
    protocol: Option<String>,
}
