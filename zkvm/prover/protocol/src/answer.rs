//! Answers, one JSON object a line.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::level::Level;

/// First line of a worker.
#[derive(Serialize)]
pub struct Ready {
    pub system: &'static str,
    pub version: &'static str,
    pub levels: Vec<Level>,
    pub programs: Map<String, Value>,
}

/// What a job gave.
#[derive(Serialize)]
pub struct Done {
    pub level: Level,
    pub public_values: String,
    pub cycles: u64,
    pub proof: Option<PathBuf>,
    pub checked: Vec<String>,
    pub not_checked: Vec<String>,
    pub seconds: f64,
    /// Highest resident memory of the process up to now.
    pub peak_rss_bytes: u64,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event<'a> {
    Ready(Ready),
    Progress { step: &'a str, seconds: f64 },
    Done(Done),
    Failed(Failure),
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(flatten)]
    event: Event<'a>,
}

/// Where answers go.
pub struct Answers {
    out: File,
}

impl Answers {
    pub fn new(out: File) -> Self {
        Self { out }
    }

    pub fn send(&mut self, id: Option<&str>, event: Event) -> io::Result<()> {
        let mut line = serde_json::to_vec(&Line { id, event })?;
        line.push(b'\n');
        self.out.write_all(&line)
    }
}

/// Tells the owner of the worker how far a job is.
pub struct Progress<'a> {
    answers: &'a mut Answers,
    id: &'a str,
    started: Instant,
}

impl<'a> Progress<'a> {
    pub(crate) fn new(answers: &'a mut Answers, id: &'a str) -> Self {
        Self { answers, id, started: Instant::now() }
    }

    /// Says what begins now.
    pub fn step(&mut self, step: &str) {
        let event = Event::Progress { step, seconds: self.seconds() };
        // An owner that no longer reads is noticed when the result is sent.
        let _ = self.answers.send(Some(self.id), event);
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }
}
