//! The same work elsewhere, as programs that say what they measured: one JSON object a line.

use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::measure::{Figure, Rival};

/// What a rival's program says of one thing.
#[derive(Debug, Deserialize)]
struct Said {
    /// The figure of Baton's that is the same work.
    figure: String,
    who: String,
    name: String,
    p50: u64,
    p99: u64,
    per_second: Option<f64>,
}

/// What cannot be had here, with what was published or measured elsewhere.
const ELSEWHERE: [&str; 1] = [
    "Horde (three nodes and Redis): published figures alone: starts 700 to 1,370 a second, a node of three drained of 3,638 of 10,000 actors in 6.1 s",
];

/// Runs each program that is there, and puts what it says beside the figures. What is not there, or fails, is said.
pub(crate) fn run(quick: bool, root: &Path, figures: &mut [Figure], missing: &mut Vec<String>) {
    let mut otp = Command::new("escript");
    otp.arg(root.join("tests/rivals/otp/otp.escript"));
    let extism = std::env::var_os("BATON_EXTISM").map(Command::new);
    let guest = std::env::var_os("BATON_LUNATIC_GUEST");
    let lunatic = std::env::var_os("BATON_LUNATIC").zip(guest).map(|(program, guest)| {
        let mut lunatic = Command::new(program);
        lunatic.arg("run").arg(guest);
        lunatic
    });
    for (who, program) in [("Erlang/OTP", Some(otp)), ("Extism", extism), ("lunatic", lunatic)] {
        let Some(mut program) = program else {
            missing.push(format!("{who}: its program was not built; `cargo xtask bench --rivals` builds it"));
            continue;
        };
        // With it lunatic takes ten times as long: each message makes errors that are thrown away, with a backtrace.
        program.env("RUST_BACKTRACE", "0");
        program.arg(if quick { "quick" } else { "whole" });
        match output(&mut program) {
            Ok(text) => text.lines().for_each(|line| match serde_json::from_str::<Said>(line) {
                Ok(said) => beside(said, figures),
                Err(error) => missing.push(format!("{who}: {line:?} was not understood: {error}")),
            }),
            Err(why) => missing.push(format!("{who}: {why}")),
        }
    }
    missing.extend(ELSEWHERE.map(str::to_owned));
}

fn output(program: &mut Command) -> Result<String, String> {
    let name = program.get_program().to_string_lossy().into_owned();
    let output = program.output().map_err(|error| format!("`{name}` cannot be run: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => {
            let said = String::from_utf8_lossy(&output.stderr).trim().chars().take(400).collect::<String>();
            Err(format!("`{name}` failed ({}): {said}", output.status))
        }
    }
}

fn beside(Said { figure, who, name, p50, p99, per_second }: Said, figures: &mut [Figure]) {
    let same = figures.iter_mut().find(|own| own.name == figure);
    if let Some(own) = same {
        own.rivals.push(Rival { who, name, p50, p99, per_second });
    }
}
