//! Measures: what each language costs, and how fast it all is.

use std::path::PathBuf;

use crate::all_guests;
use crate::args::Speed;
use crate::failure::Result;
use crate::process::stream;
use crate::progress::{Steps, say};
use crate::project::Project;
use crate::setup::{self, Source, TARGET};

/// What each language costs.
pub(crate) fn languages(project: &Project, source: Source) -> Result<()> {
    let mut steps = Steps::new(5);
    all_guests(project, source, &mut steps)?;
    steps.begin("what each language costs");
    let mut bench = project.cargo();
    // Of the whole workspace, for the same reason.
    // In the profile of the tests, in which the engine and all other dependencies are optimised: languages are compared here.
    bench
        .args(["bench", "--profile", "dev", "--workspace", "--bench", "languages", "--locked"])
        .env("BATON_GUESTS", project.guests_out());
    stream(&mut bench, &project.interrupt)?;
    steps.done("measured");
    Ok(())
}

/// How fast it all is, in the release build.
pub(crate) fn speed(project: &Project, source: Source, options: &Speed) -> Result<()> {
    let guests = options.groups.is_empty() || options.groups.iter().any(|group| group == "memory");
    let mut steps = Steps::new(1 + if guests { 4 } else { 0 } + if options.rivals { 2 } else { 0 });
    if guests {
        all_guests(project, source, &mut steps)?;
    }
    let mut bench = project.cargo();
    // Of the whole workspace: another choice of packages would be another choice of features.
    bench.args(["bench", "--workspace", "--bench", "speed", "--locked", "--"]).env("BATON_TARGET", &project.target);
    if options.rivals {
        steps.begin("Extism, with a wasmtime of its own");
        if let Some(program) = had(project, &mut steps, extism(project))? {
            bench.env("BATON_EXTISM", program);
        }
        steps.begin("lunatic, with a wasmtime of its own");
        if let Some((program, guest)) = had(project, &mut steps, lunatic(project, source))? {
            bench.env("BATON_LUNATIC", program).env("BATON_LUNATIC_GUEST", guest);
        }
    }
    steps.begin("how fast it is, beside the same work without Baton");
    let flags = [("--quick", options.quick), ("--rivals", options.rivals), ("--keep", options.keep)];
    bench.args(flags.iter().filter(|(_, given)| *given).map(|(flag, _)| flag)).args(&options.groups);
    stream(&mut bench, &project.interrupt)?;
    steps.done("measured");
    Ok(())
}

/// What was built of a rival; one that cannot be had is left out.
fn had<T>(project: &Project, steps: &mut Steps, built: Result<T>) -> Result<Option<T>> {
    match built {
        Ok(built) => {
            steps.done("built");
            Ok(Some(built))
        }
        Err(failure) => {
            project.interrupt.check()?;
            say(&format!("      left out: {failure}"));
            steps.done("not built");
            Ok(None)
        }
    }
}

/// Builds the program of `tests/rivals/extism`, apart from everything else.
fn extism(project: &Project) -> Result<PathBuf> {
    let target = project.target.join("rivals");
    let mut build = project.cargo_into(&target);
    build.args(["build", "--release", "--locked", "--manifest-path"]);
    stream(build.arg(project.root.join("tests/rivals/extism/Cargo.toml")), &project.interrupt)?;
    Ok(target.join("release/rival-extism"))
}

/// The last release of lunatic, of 2023.
const LUNATIC: &str = "0.13.2";

/// Installs lunatic into the target folder, and builds the guest of `tests/rivals/lunatic`: its program, and that guest.
fn lunatic(project: &Project, source: Source) -> Result<(PathBuf, PathBuf)> {
    let target = project.target.join("rivals");
    let program = target.join("bin/lunatic");
    let mut install = project.cargo_into(&target);
    // Not `--locked`: what its lock file names does not compile any more.
    install.args(["install", "lunatic-runtime", "--version", LUNATIC, "--root"]).arg(&target);
    stream(&mut install, &project.interrupt)?;
    let toolchain = setup::toolchain(project, source)?;
    let mut build = project.cargo_into(&toolchain.target_dir);
    toolchain.apply(&mut build);
    build.args(["build", "--release", "--locked", "--target", TARGET, "--manifest-path"]);
    stream(build.arg(project.root.join("tests/rivals/lunatic/Cargo.toml")), &project.interrupt)?;
    Ok((program, toolchain.target_dir.join(TARGET).join("release/rival_lunatic.wasm")))
}
