//! A new plugin: its language's template, and the SDK that belongs to this version of Baton beside it.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use rust_embed::RustEmbed;

use super::{Language, Project, ToolError};
use crate::model::PluginName;

/// The SDKs, with the templates in them.
#[derive(RustEmbed)]
#[folder = "../guest-sdk"]
#[exclude = "*/node_modules/*"]
#[exclude = "*/target/*"]
#[exclude = "*/__pycache__/*"]
#[exclude = "*/build/plugin*"]
#[exclude = "*/.zig-cache/*"]
struct Sdks;

/// The folder of the SDK in a new plugin.
const SDK: &str = "sdk";

/// What `baton new` makes.
#[derive(Debug, Clone)]
pub struct NewPlugin {
    /// Its name.
    pub name: PluginName,
    /// What it is written in.
    pub language: Language,
    /// The folder to make.
    pub dir: PathBuf,
}

/// Makes the folder of a new plugin: sources that build and pass their tests, fixtures, a `baton.toml` to run it with, and
/// the SDK. Gives the files that are the author's, as paths in the folder.
///
/// # Errors
/// If the folder is there and not empty, or cannot be written.
pub fn new_plugin(plugin: &NewPlugin) -> Result<Vec<PathBuf>, ToolError> {
    let dir = &plugin.dir;
    if std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(ToolError::new(format!("{} is there and not empty", dir.display()))
            .hint("choose another name, or remove it first"));
    }
    let (folder, template) = plugin.language.folders();
    let mut made = Vec::new();
    copy_sdk(plugin.language, &dir.join(SDK))?;
    let from = format!("{folder}/{template}/");
    for path in Sdks::iter().filter(|path| path.starts_with(&from)) {
        let to = in_place(&path[from.len()..]);
        let text = filled(&file(&path)?, &plugin.name);
        write(&dir.join(&to), &text)?;
        if !to.starts_with(SDK) {
            made.push(to);
        }
    }
    if made.is_empty() {
        return Err(ToolError::new(format!("there is no template for {}", plugin.language)));
    }
    let baton_toml = PathBuf::from("baton.toml");
    if !made.contains(&baton_toml) {
        write(&dir.join(&baton_toml), configuration(&plugin.name).as_bytes())?;
        made.push(baton_toml);
    }
    made.sort();
    Ok(made)
}

/// Brings the SDK in a plugin's folder to that of this version of Baton.
///
/// # Errors
/// If it lies elsewhere than in the plugin's folder, or cannot be written.
pub fn update_sdk(project: &Project) -> Result<PathBuf, ToolError> {
    if project.sdk != project.dir.join(SDK) || project.language == Language::Other {
        return Err(ToolError::new(format!("{}: its SDK is not a copy that Baton made", project.dir.display())));
    }
    if let Err(error) = std::fs::remove_dir_all(&project.sdk)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(ToolError::new(format!("{}: {error}", project.sdk.display())));
    }
    copy_sdk(project.language, &project.sdk)?;
    // What a template has of the SDK's own files stands above what the SDK has.
    let (folder, template) = project.language.folders();
    let from = format!("{folder}/{template}/{SDK}/");
    for path in Sdks::iter().filter(|path| path.starts_with(&from)) {
        write(&project.sdk.join(in_place(&path[from.len()..])), &file(&path)?)?;
    }
    Ok(project.sdk.clone())
}

fn copy_sdk(language: Language, to: &Path) -> Result<(), ToolError> {
    let from = format!("{}/", language.folders().0);
    for path in Sdks::iter() {
        let Some(below) = path.strip_prefix(&from) else { continue };
        if !below.starts_with("template") && !below.starts_with("tests/") {
            write(&to.join(below), &file(&path)?)?;
        }
    }
    Ok(())
}

fn file(path: &str) -> Result<Cow<'static, [u8]>, ToolError> {
    Sdks::get(path).map(|file| file.data).ok_or_else(|| ToolError::new(format!("{path} is not there")))
}

/// A file that git would obey has another name as long as it is a template.
fn in_place(path: &str) -> PathBuf {
    let path = Path::new(path);
    if path.file_name().is_some_and(|name| name == "gitignore") {
        path.with_file_name(".gitignore")
    } else {
        path.into()
    }
}

/// The template's text with the plugin's name in place of its marks; what is no text stays.
fn filled(template: &[u8], name: &PluginName) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(template) else { return template.to_vec() };
    let ident = name.as_str().replace('-', "_");
    let words = ident.split('_').map(|word| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    });
    let kind: String = words.collect();
    text.replace("{{name}}", name.as_str()).replace("{{ident}}", &ident).replace("{{Type}}", &kind).into_bytes()
}

fn configuration(name: &PluginName) -> String {
    format!(
        "# `baton run` starts this host, and `baton dev` as well, with the plugin built anew whenever its sources change.\n\
         [[plugin]]\npath = \"{name}.wasm\"\n\n[[actor]]\nname = \"{name}/1\"\nplugin = \"{name}\"\n"
    )
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), ToolError> {
    let folder = file.parent().unwrap_or(file);
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(file, bytes));
    written.map_err(|error| ToolError::new(format!("{} cannot be written: {error}", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_put_in_as_text_as_identifier_and_as_type() {
        let name = PluginName::new("word-count_2").expect("is a name");
        let text = filled(b"{{name}} {{ident}} {{Type}} {{other}}", &name);
        assert_eq!(text, b"word-count_2 word_count_2 WordCount2 {{other}}");
        assert_eq!(filled(&[0xff, b'{'], &name), [0xff, b'{']);
    }

    #[test]
    fn every_language_has_an_sdk_and_a_template_with_what_a_plugin_needs() {
        for language in Language::ALL {
            let dir = tempfile::tempdir().expect("a folder can be made");
            let name = PluginName::new("my-plugin").expect("is a name");
            let plugin = NewPlugin { name, language, dir: dir.path().join("made") };
            let made = new_plugin(&plugin).unwrap_or_else(|error| panic!("{language}: {error}"));
            for needed in ["plugin.toml", "baton.toml", "README.md", ".gitignore"] {
                assert!(made.contains(&needed.into()), "{language}: {needed}: {made:?}");
            }
            let messages = made.iter().filter(|file| file.starts_with("fixtures/messages")).count();
            assert!(messages >= 3, "{language}: {messages} messages");
            assert!(made.iter().any(|file| file.starts_with("fixtures/scripts")), "{language} has no script");
            for file in &made {
                let text = std::fs::read(plugin.dir.join(file)).expect("it was made");
                let text = String::from_utf8_lossy(&text).into_owned();
                assert!(
                    !["{{name}}", "{{ident}}", "{{Type}}"].iter().any(|mark| text.contains(mark)),
                    "{}",
                    file.display()
                );
            }
            let project = Project::open(&plugin.dir).expect("is a plugin's folder");
            assert_eq!(project.language, language);
            assert!(project.sdk.join("README.md").is_file(), "{language} has no SDK");
            let again = new_plugin(&plugin).expect_err("it is there").to_string();
            assert!(again.contains("is there and not empty"), "{again}");
            std::fs::remove_file(project.sdk.join("README.md")).expect("it is there");
            update_sdk(&project).unwrap_or_else(|error| panic!("{language}: {error}"));
            assert!(project.sdk.join("README.md").is_file());
        }
    }
}
