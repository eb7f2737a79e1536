//! Measures: what each language costs, and how fast it all is.

use crate::all_guests;
use crate::args::Speed;
use crate::failure::Result;
use crate::process::stream;
use crate::progress::{Steps, say};
use crate::project::Project;
use crate::setup::Source;

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
    let mut steps = Steps::new(1 + if guests { 4 } else { 0 } + usize::from(options.rivals));
    if guests {
        all_guests(project, source, &mut steps)?;
    }
    let mut bench = project.cargo();
    // Of the whole workspace: another choice of packages would be another choice of features.
    bench.args(["bench", "--workspace", "--bench", "speed", "--locked", "--"]).env("BATON_TARGET", &project.target);
    if options.rivals {
        steps.begin("Extism, with a wasmtime of its own");
        match extism(project) {
            Ok(program) => {
                bench.env("BATON_EXTISM", program);
                steps.done("built");
            }
            Err(failure) => {
                project.interrupt.check()?;
                say(&format!("      left out: {failure}"));
                steps.done("not built");
            }
        }
    }
    steps.begin("how fast it is, beside the same work without Baton");
    let flags = [("--quick", options.quick), ("--rivals", options.rivals), ("--keep", options.keep)];
    bench.args(flags.iter().filter(|(_, given)| *given).map(|(flag, _)| flag)).args(&options.groups);
    stream(&mut bench, &project.interrupt)?;
    steps.done("measured");
    Ok(())
}

/// Builds the program of `tests/rivals/extism`, apart from everything else.
fn extism(project: &Project) -> Result<std::path::PathBuf> {
    let target = project.target.join("rivals");
    let mut build = project.cargo_into(&target);
    build.args(["build", "--release", "--locked", "--manifest-path"]);
    stream(build.arg(project.root.join("tests/rivals/extism/Cargo.toml")), &project.interrupt)?;
    Ok(target.join("release/rival-extism"))
}
