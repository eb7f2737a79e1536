//! `tree`, `children` and `whereis`: who supervises whom.

use std::collections::HashMap;

use baton_host::model::{ActorName, Counts};
use clap::Args;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::client::{Ask, Client, escaped, path_of};
use super::completions;
use super::output::{Failure, print_json, print_line, print_table};
use super::{Listing, Place};

const TREE_HEAD: [&str; 6] = ["NAME", "STATE", "WHAT", "RESTARTS", "INTENSITY", "LAST EXIT"];
const CHILDREN_HEAD: [&str; 8] =
    ["NAME", "STATE", "WHAT", "RESTART", "SHUTDOWN", "SIGNIFICANT", "RESTARTS", "LAST EXIT"];
const WHEREIS_HEAD: [&str; 4] = ["NAME", "STATE", "WHAT", "UNDER"];

#[derive(Debug, Args)]
pub(super) struct ChildrenOptions {
    /// The supervisor [default: the root]
    #[arg(add = completions::children())]
    supervisor: Option<String>,
    /// Only how many they are
    #[arg(long)]
    count: bool,
    #[command(flatten)]
    listing: Listing,
}

#[derive(Debug, Args)]
pub(super) struct WhereisOptions {
    /// The name of an actor or a supervisor
    #[arg(add = completions::children())]
    name: String,
    #[command(flatten)]
    listing: Listing,
}

/// What of a child is shown.
#[derive(Debug, Deserialize)]
pub(super) struct Child {
    name: String,
    supervisor: Option<String>,
    state: String,
    phase: Option<String>,
    plugin: Option<String>,
    version: Option<String>,
    restart: String,
    shutdown: Value,
    significant: bool,
    restarts: u64,
    last_exit: Option<String>,
    supervises: Option<Supervises>,
}

#[derive(Debug, Deserialize)]
struct Supervises {
    strategy: String,
    dynamic: bool,
    max_restarts: u32,
    max_seconds: u32,
}

impl Child {
    /// An actor knows better than its supervisor where it stands: it may be held.
    pub(super) fn state(&self) -> &str {
        self.phase.as_deref().unwrap_or(&self.state)
    }

    fn what(&self) -> String {
        match (&self.supervises, &self.plugin) {
            (Some(above), _) if above.dynamic => format!("{}, dynamic", above.strategy),
            (Some(above), _) => above.strategy.clone(),
            (None, Some(plugin)) => {
                format!("{plugin} {}", self.version.as_deref().unwrap_or_default()).trim_end().to_owned()
            }
            // Nobody has its name while it is down.
            (None, None) => "-".to_owned(),
        }
    }

    fn intensity(&self) -> String {
        let words = |above: &Supervises| format!("{} in {} s", above.max_restarts, above.max_seconds);
        self.supervises.as_ref().map_or_else(|| "-".to_owned(), words)
    }

    fn shutdown(&self) -> String {
        match &self.shutdown {
            Value::String(word) => word.clone(),
            ms => format!("{ms} ms"),
        }
    }

    fn last_exit(&self) -> String {
        self.last_exit.clone().unwrap_or_default()
    }

    fn tree_cells(&self, drawn: String) -> Vec<String> {
        let state = self.state().to_owned();
        vec![drawn, state, self.what(), self.restarts.to_string(), self.intensity(), self.last_exit()]
    }

    fn children_cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.state().to_owned(),
            self.what(),
            self.restart.clone(),
            self.shutdown(),
            if self.significant { "yes" } else { "no" }.to_owned(),
            self.restarts.to_string(),
            self.last_exit(),
        ]
    }
}

/// The children in the order in which they are drawn, each with its name behind the lines that lead to it.
fn draw(children: &[Child]) -> Vec<(String, &Child)> {
    let mut below: HashMap<Option<&str>, Vec<&Child>> = HashMap::new();
    for child in children {
        below.entry(child.supervisor.as_deref()).or_default().push(child);
    }
    // Each with what stands before its own name, and before those below it.
    let mut waiting: Vec<(&Child, String, String)> = Vec::new();
    let roots = below.remove(&None).unwrap_or_default();
    waiting.extend(roots.into_iter().rev().map(|child| (child, String::new(), String::new())));
    let mut drawn = Vec::with_capacity(children.len());
    while let Some((child, own, lead)) = waiting.pop() {
        drawn.push((format!("{own}{}", child.name), child));
        // Removed: whatever the host answers, nobody is drawn twice.
        let Some(under) = below.remove(&Some(child.name.as_str())) else { continue };
        for (at, child) in under.into_iter().rev().enumerate() {
            let (branch, line) = if at == 0 { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            waiting.push((child, format!("{lead}{branch}"), format!("{lead}{line}")));
        }
    }
    drawn
}

pub(super) fn read<T: DeserializeOwned>(value: Value) -> Result<T, Failure> {
    serde_json::from_value(value).map_err(|error| Failure::new(format!("the host's answer cannot be read: {error}")))
}

/// What the host answers a GET about `name`, which may be of a supervisor or of a child that is down.
async fn get<T: DeserializeOwned>(client: &mut Client, path: String, name: Option<&str>) -> Result<T, Failure> {
    let answer = client.ask(&Ask::get(path)).await.map_err(|lost| client.lost(lost))?;
    if let Some(problem) = answer.problem() {
        return Err(client.refused_child(&problem, name.unwrap_or_default(), name).await);
    }
    let value = serde_json::from_slice(&answer.body);
    read(value.map_err(|error| Failure::new(format!("the host's answer cannot be read: {error}")))?)
}

pub(super) async fn tree(place: &Place, options: &Listing) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Tree {
        tree: Value,
    }
    let found: Tree = get(&mut place.client()?, "/v1/tree".to_owned(), None).await?;
    if options.json {
        return print_json(&found.tree);
    }
    let children: Vec<Child> = read(found.tree)?;
    print_table(&TREE_HEAD, draw(&children).into_iter().map(|(drawn, child)| child.tree_cells(drawn)))
}

pub(super) async fn children(place: &Place, options: &ChildrenOptions) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Children {
        children: Value,
    }
    let supervisor = options.supervisor.as_deref();
    let query = match supervisor.map(ActorName::new).transpose() {
        Ok(name) => name.map(|name| format!("?supervisor={}", escaped(name.as_str()))).unwrap_or_default(),
        Err(error) => return Err(Failure::usage(error.to_string())),
    };
    let mut client = place.client()?;
    if options.count {
        let counts: Counts = get(&mut client, format!("/v1/children/count{query}"), supervisor).await?;
        let Counts { specs, active, supervisors, workers } = counts;
        return match options.listing.json {
            true => print_json(&counts),
            false => Ok(print_line(&format!(
                "{specs} children, {active} of them active: {supervisors} supervisors, {workers} workers"
            ))?),
        };
    }
    let found: Children = get(&mut client, format!("/v1/children{query}"), supervisor).await?;
    if options.listing.json {
        return print_json(&found.children);
    }
    let children: Vec<Child> = read(found.children)?;
    print_table(&CHILDREN_HEAD, children.iter().map(Child::children_cells))
}

pub(super) async fn whereis(place: &Place, options: &WhereisOptions) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Found {
        path: Vec<String>,
        child: Child,
    }
    let name = ActorName::new(&options.name).map_err(|error| Failure::usage(error.to_string()))?;
    let path = path_of("whereis", name.as_str(), "");
    let found: Value = get(&mut place.client()?, path, Some(name.as_str())).await?;
    if options.listing.json {
        return print_json(&found);
    }
    let Found { path, child } = read(found)?;
    let under = if path.is_empty() { "the root".to_owned() } else { path.join(" > ") };
    let cells = vec![child.name.clone(), child.state().to_owned(), child.what(), under];
    print_table(&WHEREIS_HEAD, [cells])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn child(name: &str, supervisor: Option<&str>, more: &Value) -> Child {
        let mut child = json!({
            "name": name, "supervisor": supervisor, "state": "running", "restart": "permanent", "shutdown": 5_000,
            "significant": false, "restarts": 0, "last_exit": null, "supervises": null, "plugin": null, "version": null,
            "phase": null,
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            child[key] = value.clone();
        }
        serde_json::from_value(child).expect("a child")
    }

    #[test]
    fn a_tree_is_drawn_with_lines_that_lead_to_each_name() {
        let none = json!({});
        let children = [
            child("a", None, &none),
            child("top", None, &none),
            child("b", Some("top"), &none),
            child("inner", Some("top"), &none),
            child("c", Some("inner"), &none),
            child("last", Some("top"), &none),
            child("d", Some("last"), &none),
        ];
        let drawn: Vec<String> = draw(&children).into_iter().map(|(drawn, _)| drawn).collect();
        assert_eq!(drawn, ["a", "top", "├─ b", "├─ inner", "│  └─ c", "└─ last", "   └─ d"]);
        let odd = [child("x", Some("y"), &none), child("y", Some("x"), &none)];
        assert!(draw(&odd).is_empty(), "a circle is no tree, and ends all the same");
    }

    #[test]
    fn a_child_is_a_line() {
        let held =
            json!({ "phase": "held", "plugin": "counter", "version": "1.0.0", "restarts": 2, "last_exit": "trap" });
        let held = child("a", None, &held);
        assert_eq!(held.tree_cells("└─ a".into()), ["└─ a", "held", "counter 1.0.0", "2", "-", "trap"]);
        let supervises = json!({ "supervises": {
            "strategy": "one_for_one", "dynamic": true, "max_restarts": 3, "max_seconds": 5, "auto_shutdown": "never",
            "max_children": 10, "children": { "specs": 0, "active": 0, "supervisors": 0, "workers": 0 } } });
        let pool = child("pool", None, &supervises);
        assert_eq!(pool.tree_cells("pool".into()), ["pool", "running", "one_for_one, dynamic", "0", "3 in 5 s", ""]);
        let down = child("b", None, &json!({ "state": "down", "shutdown": "brutal-kill", "significant": true }));
        let cells = down.children_cells();
        assert_eq!(cells, ["b", "down", "-", "permanent", "brutal-kill", "yes", "0", ""]);
        assert_eq!((cells.len(), held.children_cells()[4].as_str()), (CHILDREN_HEAD.len(), "5000 ms"));
    }
}
