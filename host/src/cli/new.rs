//! `new`.

use std::path::PathBuf;

use baton_host::PluginName;
use baton_host::config::closest;
use baton_host::toolchain::{Language, NewPlugin, Project, ToolError, new_plugin, update_sdk};
use clap::Args;
use serde_json::json;

use super::output::{Failure, print_json, print_line};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The plugin's name: lower-case letters, digits, `-` and `_`, beginning with a letter
    #[arg(required_unless_present = "update_sdk")]
    name: Option<String>,
    /// What it is written in: rust, c, go, javascript, typescript, python, zig or assemblyscript
    #[arg(short, long, value_name = "LANGUAGE", required_unless_present = "update_sdk")]
    lang: Option<String>,
    /// The folder to make [default: the name]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Make nothing new, but bring the SDK in this plugin's folder to that of this `baton`
    #[arg(long, value_name = "DIR", conflicts_with_all = ["name", "lang", "dir"])]
    update_sdk: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl From<ToolError> for Failure {
    fn from(error: ToolError) -> Self {
        let failure = Self::new(error.message());
        match error.cure() {
            Some(cure) => failure.hint(cure),
            None => failure,
        }
    }
}

pub(super) fn new(options: &Options) -> Result<(), Failure> {
    if let Some(dir) = &options.update_sdk {
        let sdk = update_sdk(&Project::open(dir)?)?;
        if options.json {
            return print_json(&json!({ "sdk": sdk, "version": env!("CARGO_PKG_VERSION") }));
        }
        return Ok(print_line(&format!("{} is now the SDK of baton {}", sdk.display(), env!("CARGO_PKG_VERSION")))?);
    }
    let (Some(name), Some(lang)) = (&options.name, &options.lang) else { return Err(Failure::usage("no name")) };
    let name = PluginName::new(name).map_err(|error| Failure::usage(error.to_string()))?;
    let language = Language::named(lang).ok_or_else(|| no_such(lang))?;
    let dir = options.dir.clone().unwrap_or_else(|| name.as_str().into());
    let made = new_plugin(&NewPlugin { name: name.clone(), language, dir: dir.clone() })?;
    if options.json {
        return print_json(&json!({ "name": name, "language": language.name(), "dir": dir, "files": made }));
    }
    let mut text = format!("{} holds a plugin in {language}:\n", dir.display());
    for file in made {
        text.push_str(&format!("  {}\n", file.display()));
    }
    let npm = [Language::JavaScript, Language::TypeScript, Language::AssemblyScript].contains(&language);
    let fetch = if npm { "npm install      # once: the compiler, and nothing later\n  " } else { "" };
    text.push_str(&format!(
        "\nNext:\n  cd {}\n  {fetch}baton build      # makes {name}.wasm\n  baton test       # holds it to the contract, and to fixtures/\n  \
         baton dev        # runs it, and swaps it in anew whenever you save\n  baton call {name}/1 get",
        dir.display()
    ));
    Ok(print_line(&text)?)
}

fn no_such(lang: &str) -> Failure {
    let names: Vec<_> = Language::ALL.iter().map(|language| language.name()).collect();
    let failure = Failure::usage(format!("there is no SDK for `{lang}`; there are {}", names.join(", ")));
    match closest(lang, names.iter().copied()) {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure.hint(
            "a language that compiles to WebAssembly needs none: the book's page \"Plugins from the WIT alone\" says how",
        ),
    }
}
