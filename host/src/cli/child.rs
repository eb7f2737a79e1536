//! `start`, `stop`, `restart`, `kill` and `delete`: what is done to one child.

use std::time::Duration;

use baton_host::model::{ActorName, PluginName, Restart, Shutdown};
use bytes::Bytes;
use clap::Args;
use hyper::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::body::JSON;
use super::client::{Ask, Client, Lost, PATIENCE, path_of};
use super::completions;
use super::output::{Failure, harmless, print_json, print_line};
use super::tree::{Child, read};
use super::{Listing, Place};

#[derive(Debug, Args)]
pub(super) struct Named {
    /// The child's name
    #[arg(add = completions::children())]
    name: String,
    #[command(flatten)]
    listing: Listing,
}

#[derive(Debug, Args)]
pub(super) struct StartOptions {
    #[command(flatten)]
    named: Named,
    /// Start a new actor that runs this plugin
    #[arg(long)]
    #[arg(add = completions::plugins())]
    plugin: Option<String>,
    /// The supervisor that it stands under [default: the root]
    #[arg(long, value_name = "NAME", requires = "plugin")]
    #[arg(add = completions::children())]
    supervisor: Option<String>,
    /// What its `init` is given, as it stands: JSON where the plugin takes JSON
    #[arg(long, value_name = "JSON", requires = "plugin", allow_hyphen_values = true)]
    args: Option<String>,
    /// When it is started again: permanent (always), transient (after a crash) or temporary (never) [default: permanent]
    #[arg(long, value_name = "RESTART", requires = "plugin", value_parser = word::<Restart>)]
    restart: Option<Restart>,
    /// How long it may take to stop: milliseconds, `infinity` or `brutal-kill` [default: 5000]
    #[arg(long, value_name = "MS|WORD", requires = "plugin", value_parser = shutdown)]
    shutdown: Option<Shutdown>,
}

fn word<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(Value::from(text)).map_err(|error| error.to_string())
}

fn shutdown(text: &str) -> Result<Shutdown, String> {
    text.parse().map(|ms| Shutdown::After(Duration::from_millis(ms))).or_else(|_| word(text))
}

impl Named {
    fn name(&self) -> Result<ActorName, Failure> {
        ActorName::new(&self.name).map_err(|error| Failure::usage(error.to_string()))
    }
}

impl StartOptions {
    /// The child specification; none: the host knows what it is.
    fn spec(&self, name: &ActorName) -> Result<Option<Value>, Failure> {
        let Some(plugin) = &self.plugin else { return Ok(None) };
        let plugin = PluginName::new(plugin).map_err(|error| Failure::usage(error.to_string()))?;
        let above = self.supervisor.as_deref().map(ActorName::new).transpose();
        let above = above.map_err(|error| Failure::usage(error.to_string()))?;
        Ok(Some(json!({
            "name": name,
            "plugin": plugin,
            "supervisor": above,
            // A string stands for its text, so this arrives as it was typed.
            "args": self.args,
            "restart": self.restart,
            "shutdown": self.shutdown,
        })))
    }
}

/// What is asked of the host.
struct Wish<'a> {
    method: Method,
    path: String,
    spec: Option<Value>,
    name: &'a str,
    supervisor: Option<&'a str>,
    /// What to do if it runs, where that is not what the host says.
    if_running: Option<&'static str>,
}

impl<'a> Wish<'a> {
    fn act(name: &'a ActorName, act: &str) -> Self {
        let path = path_of("actors", name.as_str(), &format!("/{act}"));
        Self { method: Method::POST, path, spec: None, name: name.as_str(), supervisor: None, if_running: None }
    }

    async fn ask(self, client: &mut Client) -> Result<Value, Failure> {
        let ask = Ask {
            method: self.method,
            path: self.path,
            id: None,
            signature: None,
            media_type: self.spec.is_some().then_some(JSON),
            body: self.spec.map_or(Bytes::new(), |spec| Bytes::from(spec.to_string())),
            timeout: PATIENCE,
        };
        let answer = match client.ask(&ask).await {
            Ok(answer) => answer,
            Err(Lost::Unknown(why)) => {
                let what = format!("{why}; whether it was done to `{}` is not known", self.name);
                return Err(Failure::new(what).hint("`baton tree` shows where it stands"));
            }
            Err(lost) => return Err(client.lost(lost)),
        };
        if let Some(mut problem) = answer.problem() {
            if let ("running", Some(hint)) = (problem.code.as_str(), self.if_running) {
                problem.hint = Some(hint.to_owned());
            }
            return Err(client.refused_child(&problem, self.name, self.supervisor).await);
        }
        serde_json::from_slice(&answer.body)
            .map_err(|error| Failure::new(format!("the host's answer cannot be read: {error}")))
    }
}

pub(super) async fn start(place: &Place, options: &StartOptions) -> Result<(), Failure> {
    let name = options.named.name()?;
    let wish = match options.spec(&name)? {
        Some(spec) => Wish {
            path: "/v1/children".to_owned(),
            spec: Some(spec),
            supervisor: options.supervisor.as_deref(),
            ..Wish::act(&name, "start")
        },
        None => Wish { if_running: Some("`baton restart` stops it and starts it again"), ..Wish::act(&name, "start") },
    };
    let answer = wish.ask(&mut place.client()?).await?;
    tell_started(answer, &name, "started", options.named.listing.json)
}

pub(super) async fn restart(place: &Place, options: &Named) -> Result<(), Failure> {
    let name = options.name()?;
    let answer = Wish::act(&name, "restart").ask(&mut place.client()?).await?;
    tell_started(answer, &name, "restarted", options.listing.json)
}

fn tell_started(answer: Value, name: &ActorName, done: &str, as_json: bool) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Started {
        child: Option<Child>,
    }
    if as_json {
        return print_json(&answer);
    }
    let started: Started = read(answer)?;
    let state = started.child.as_ref().map_or("it has ended already", Child::state);
    tell(&format!("{done}: {name}: {state}"))
}

pub(super) async fn stop(place: &Place, options: &Named) -> Result<(), Failure> {
    let name = options.name()?;
    let answer = Wish::act(&name, "stop").ask(&mut place.client()?).await?;
    let not_saved = answer["not_saved"].as_str().map(ToOwned::to_owned);
    match options.listing.json {
        true => print_json(&answer)?,
        false if answer["supervisor"] == true && not_saved.is_none() => {
            tell(&format!("stopped: {name}, and all below it; nothing was lost"))?;
        }
        false => tell(&format!("stopped: {name}: {}", saved(&answer["saved"])))?,
    }
    match not_saved {
        Some(why) => {
            let failure = Failure::new(format!("not saved: {name}: {why}"));
            Err(failure.hint("what was saved before stays").code(Failure::NOT_SAVED))
        }
        None => Ok(()),
    }
}

/// What became of the state, in words.
fn saved(saved: &Value) -> String {
    match (saved.as_str(), saved["committed"].as_u64()) {
        (_, Some(sequence)) => format!("saved as record {sequence}"),
        (Some("kept"), _) => "there was nothing to save, and what was saved before stays".to_owned(),
        (Some("forgotten"), _) => "its state is erased, as it wished".to_owned(),
        _ => "not saved".to_owned(),
    }
}

pub(super) async fn kill(place: &Place, options: &Named) -> Result<(), Failure> {
    let name = options.name()?;
    let answer = Wish::act(&name, "kill").ask(&mut place.client()?).await?;
    if options.listing.json { print_json(&answer) } else { tell(&format!("killed: {name}")) }
}

pub(super) async fn suspend(place: &Place, options: &Named) -> Result<(), Failure> {
    let name = options.name()?;
    let answer = Wish::act(&name, "suspend").ask(&mut place.client()?).await?;
    if options.listing.json { print_json(&answer) } else { tell(&format!("suspended: {name}; its messages wait")) }
}

pub(super) async fn resume(place: &Place, options: &Named) -> Result<(), Failure> {
    let name = options.name()?;
    let answer = Wish::act(&name, "resume").ask(&mut place.client()?).await?;
    if options.listing.json { print_json(&answer) } else { tell(&format!("resumed: {name}")) }
}

pub(super) async fn state(place: &Place, options: &Named) -> Result<(), Failure> {
    let name = options.name()?;
    let wish = Wish { method: Method::GET, ..Wish::act(&name, "state") };
    let answer = wish.ask(&mut place.client()?).await?;
    if options.listing.json {
        return print_json(&answer);
    }
    let Some(schema) = answer["schema"].as_u64() else { return tell(&format!("{name} has nothing worth keeping")) };
    let (version, generation) = (answer["version"].as_str().unwrap_or("?"), &answer["generation"]);
    let state = &answer["state"];
    tell(&format!("schema {schema}, version {version}, generation {generation}, {} bytes", state["body_bytes"]))?;
    tell(state["body_text"].as_str().or(state["body_hex"].as_str()).unwrap_or_default())
}

pub(super) async fn delete(place: &Place, options: &Named) -> Result<(), Failure> {
    let name = options.name()?;
    let path = path_of("children", name.as_str(), "");
    let wish = Wish { method: Method::DELETE, path, ..Wish::act(&name, "") };
    let answer = wish.ask(&mut place.client()?).await?;
    if options.listing.json { print_json(&answer) } else { tell(&format!("deleted: {name}; its state is kept")) }
}

fn tell(line: &str) -> Result<(), Failure> {
    Ok(print_line(&harmless(line))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shutdown_is_typed_as_it_stands_in_the_configuration() {
        assert_eq!(shutdown("250"), Ok(Shutdown::After(Duration::from_millis(250))));
        assert_eq!(shutdown("brutal-kill"), Ok(Shutdown::BrutalKill));
        assert_eq!(shutdown("infinity"), Ok(Shutdown::Infinity));
        assert!(shutdown("soon").is_err_and(|why| why.contains("brutal-kill")));
        assert!(shutdown("-1").is_err());
    }

    #[test]
    fn what_a_stop_saved_is_told_in_words() {
        for (told, words) in [
            (json!({ "committed": 7 }), "saved as record 7"),
            (json!("kept"), "there was nothing to save, and what was saved before stays"),
            (json!("forgotten"), "its state is erased, as it wished"),
            (json!({ "not": { "budget": 200 } }), "not saved"),
        ] {
            assert_eq!(saved(&told), words);
        }
    }
}
