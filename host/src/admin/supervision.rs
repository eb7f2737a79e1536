//! What an operator sees of the supervision tree, and does to it.

use axum::body::Body as HttpBody;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::openapi::{Api, Operation};
use super::problem::Problem;
use super::routes::{
    Asked, Name, NoQuery, Shared, Unread, read_body, read_message, read_name, read_name_in, read_query,
};
use super::telemetry::Within;
use super::view::Shown;
use crate::host::Host;
use crate::model::{
    ATTRIBUTES, ActorName, ActorSpec, Attributes, Body, ChildInfo, Counts, ErrorCode, GROUPS, GroupName, HostError,
    Phase, PluginName, Restart, Saved, Shutdown, Version, check_attribute,
};

/// Most that `init` may be given, in bytes, as in the configuration.
const ARGS_BYTES: usize = 1 << 20;
/// Largest child specification, in bytes: text of [`ARGS_BYTES`] with every byte escaped, and all the rest.
const SPEC_BYTES: usize = 8 << 20;

pub(super) fn routes() -> Api {
    let child = |path, id, says| Operation::post(path, id, says).part::<ActorName>("name");
    Api::default()
        .on(
            Operation::get("/v1/tree", "tree", "All children, each supervisor before its own")
                .answers::<Tree>(200, "The tree"),
            tree,
        )
        .on(
            Operation::get("/v1/children", "children", "The children of a supervisor, or of the root")
                .query::<Below>()
                .answers::<Children>(200, "In the order of their start"),
            children,
        )
        .on(
            Operation::post("/v1/children", "add_child", "Adds a child and starts it")
                .takes::<Given>()
                .answers::<Started>(201, "It has started"),
            add,
        )
        .on(
            Operation::get("/v1/children/count", "count_children", "How many children there are")
                .query::<Below>()
                .answers::<Counts>(200, "As OTP's `count_children`"),
            count,
        )
        .on(
            Operation::delete("/v1/children/{name}", "delete_child", "Removes a child that does not run")
                .part::<ActorName>("name")
                .answers::<Named>(200, "It is gone from the tree; its state is kept"),
            remove,
        )
        .on(
            child("/v1/actors/{name}/start", "start", "Starts a child that does not run, or an actor of a template")
                .answers::<Started>(200, "It has started"),
            start,
        )
        .on(
            child("/v1/actors/{name}/stop", "stop", "Stops a child, and waits until it is gone")
                .answers::<Stopped>(200, "What was saved"),
            stop,
        )
        .on(
            child("/v1/actors/{name}/restart", "restart", "Stops a child and starts it again, its state handed over")
                .answers::<Started>(200, "It has started"),
            restart,
        )
        .on(
            child("/v1/actors/{name}/kill", "kill", "Ends a child at once; nothing is saved")
                .answers::<Named>(202, "It ends, and its supervisor does what it does after a crash"),
            kill,
        )
        .on(
            child("/v1/actors/{name}/suspend", "suspend", "Lets an actor's messages and timers wait")
                .answers::<Named>(200, "It is suspended"),
            suspend,
        )
        .on(
            child("/v1/actors/{name}/resume", "resume", "Lets a suspended actor go on")
                .answers::<Named>(200, "It goes on"),
            resume,
        )
        .on(
            Operation::get("/v1/actors/{name}/state", "state", "An actor's state as it stands between two messages")
                .part::<ActorName>("name")
                .answers::<StateNow>(200, "Of a large one the beginning"),
            get_state,
        )
        .on(
            Operation::get("/v1/whereis/{name}", "whereis", "Where a name is in the tree")
                .part::<ActorName>("name")
                .answers::<Place>(200, "The child, and the supervisors above it"),
            whereis,
        )
        .on(
            Operation::get("/v1/groups/{group}", "members", "A group's members, in the order in which they came")
                .part::<GroupName>("group")
                .answers::<Members>(200, "None: there is no such group"),
            members,
        )
        .on(
            Operation::post("/v1/groups/{group}/dispatch", "dispatch", "Sends a message to each member of a group")
                .part::<GroupName>("group")
                .takes_bytes("*/*")
                .or_nothing()
                .answers::<Dispatched>(202, "How many mailboxes took it"),
            dispatch,
        )
}

/// Whose it is.
#[derive(Serialize, JsonSchema)]
struct Named {
    name: ActorName,
}

/// A child as its supervisor sees it, and what is known of the actor, if it is one.
#[derive(Serialize, JsonSchema)]
struct Child {
    #[serde(flatten)]
    info: ChildInfo,
    plugin: Option<PluginName>,
    version: Option<Version>,
    phase: Option<Phase>,
}

impl Child {
    fn of(host: &Host, info: ChildInfo) -> Self {
        match host.actor(&info.name) {
            Some(actor) => Self { info, plugin: Some(actor.plugin), version: actor.version, phase: Some(actor.phase) },
            None => Self { info, plugin: None, version: None, phase: None },
        }
    }

    fn all(host: &Host, infos: Vec<ChildInfo>) -> Vec<Self> {
        infos.into_iter().map(|info| Self::of(host, info)).collect()
    }
}

#[derive(Serialize, JsonSchema)]
struct Tree {
    tree: Vec<Child>,
}

async fn tree(State(context): Shared, query: Asked<NoQuery>) -> Result<Json<Tree>, Problem> {
    read_query(query)?;
    Ok(Json(Tree { tree: Child::all(&context.host, context.host.tree().await?) }))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Below {
    /// A supervisor; none: the root.
    #[schemars(with = "Option<ActorName>")]
    supervisor: Option<String>,
}

impl Below {
    fn read(query: Asked<Self>) -> Result<Option<ActorName>, Problem> {
        read_name_in(read_query(query)?.supervisor.as_deref())
    }
}

#[derive(Serialize, JsonSchema)]
struct Children {
    children: Vec<Child>,
}

async fn children(State(context): Shared, query: Asked<Below>) -> Result<Json<Children>, Problem> {
    let above = Below::read(query)?;
    let found = context.host.which_children(above.as_ref()).await?;
    Ok(Json(Children { children: Child::all(&context.host, found) }))
}

async fn count(State(context): Shared, query: Asked<Below>) -> Result<Json<Counts>, Problem> {
    let above = Below::read(query)?;
    Ok(Json(context.host.count_children(above.as_ref()).await?))
}

/// A child specification as it is sent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Given {
    name: ActorName,
    plugin: Option<PluginName>,
    supervisor: Option<ActorName>,
    /// What `init` is given: text as it stands, everything else as JSON.
    #[schemars(with = "Option<Value>")]
    args: Option<Box<RawValue>>,
    restart: Option<Restart>,
    shutdown: Option<Shutdown>,
    significant: Option<bool>,
    attributes: Option<Attributes>,
    groups: Option<Vec<GroupName>>,
}

/// What is to be started.
#[derive(Debug, PartialEq, Eq)]
enum Start {
    Template(ActorName),
    Child(Option<ActorName>, Box<ActorSpec>),
}

impl Given {
    fn start(self) -> Result<Start, String> {
        let Some(plugin) = self.plugin.clone() else { return self.by_template() };
        let attributes = self.attributes.unwrap_or_default();
        let groups = self.groups.unwrap_or_default();
        for (what, found, limit) in [("attributes", attributes.len(), ATTRIBUTES), ("groups", groups.len(), GROUPS)] {
            if found > limit {
                return Err(format!("it has {found} {what}; at most {limit} are allowed"));
            }
        }
        attributes.iter().try_for_each(|(key, value)| check_attribute(key, value)).map_err(|e| e.to_string())?;
        let defaults = ActorSpec::new(self.name, plugin);
        let spec = ActorSpec {
            args: self.args.map_or(Ok(Body::new()), |args| read_args(&args))?,
            restart: self.restart.unwrap_or_default(),
            shutdown: self.shutdown.unwrap_or_default(),
            significant: self.significant.unwrap_or_default(),
            attributes,
            groups,
            ..defaults
        };
        Ok(Start::Child(self.supervisor, Box::new(spec)))
    }

    /// A template says all but the name.
    fn by_template(self) -> Result<Start, String> {
        let given = [
            ("supervisor", self.supervisor.is_some()),
            ("args", self.args.is_some()),
            ("restart", self.restart.is_some()),
            ("shutdown", self.shutdown.is_some()),
            ("significant", self.significant.is_some()),
            ("attributes", self.attributes.is_some()),
            ("groups", self.groups.is_some()),
        ];
        match given.iter().find(|(_, given)| *given) {
            Some((what, _)) => Err(format!(
                "it has `{what}` and no `plugin`: without one its template says everything; name the plugin as well"
            )),
            None => Ok(Start::Template(self.name)),
        }
    }
}

/// As in the configuration: text as it stands, everything else as JSON.
fn read_args(args: &RawValue) -> Result<Body, String> {
    let bytes = match serde_json::from_str::<String>(args.get()) {
        Ok(text) => Body::from(text),
        Err(_) => Body::copy_from_slice(args.get().as_bytes()),
    };
    match bytes.len() {
        found if found > ARGS_BYTES => Err(format!("its args have {found} bytes; at most {ARGS_BYTES} are allowed")),
        _ => Ok(bytes),
    }
}

async fn add(State(context): Shared, query: Asked<NoQuery>, body: HttpBody) -> Result<Response, Problem> {
    read_query(query)?;
    let body = read_body(&context, body, SPEC_BYTES).await.map_err(|unread| match unread {
        Unread::Stopping => HostError::new(ErrorCode::ShuttingDown, "the host is going down").into(),
        Unread::TooLarge => Problem::too_large(format!("a child specification has at most {SPEC_BYTES} bytes")),
        Unread::Told(problem) => problem,
    })?;
    let given: Given = serde_json::from_slice(&body)
        .map_err(|error| Problem::bad_request(format!("the child specification cannot be read: {error}")))?;
    let name = given.name.clone();
    let unfit = |what| {
        let what = format!("the child specification of `{name}` cannot be used: {what}");
        HostError::new(ErrorCode::ChildSpec, what)
    };
    match given.start().map_err(unfit)? {
        Start::Template(name) => context.host.start_from_template(&name).await?,
        Start::Child(above, spec) => context.host.start_child(above.as_ref(), *spec).await?,
    }
    Ok((StatusCode::CREATED, started(&context.host, &name).await?).into_response())
}

#[derive(Serialize, JsonSchema)]
struct Started {
    name: ActorName,
    /// None: it has ended already, and left nothing in the tree.
    child: Option<Child>,
}

async fn started(host: &Host, name: &ActorName) -> Result<Json<Started>, Problem> {
    let child = host.child(name).await?.map(|info| Child::of(host, info));
    Ok(Json(Started { name: name.clone(), child }))
}

async fn start(State(context): Shared, name: Name, query: Asked<NoQuery>) -> Result<Json<Started>, Problem> {
    let name = read_name(name)?;
    read_query(query)?;
    let host = &context.host;
    match host.restart_child(&name).await {
        // Those of templates are in the tree only while they run.
        Err(error) if error.code() == ErrorCode::UnknownActor => host.start_from_template(&name).await?,
        done => done?,
    }
    started(host, &name).await
}

#[derive(Serialize, JsonSchema)]
struct Stopped {
    name: ActorName,
    /// Whether it is one, and what was saved is about those below it.
    supervisor: bool,
    saved: Saved,
    /// Why nothing was saved, in words.
    not_saved: Option<String>,
}

async fn stop(State(context): Shared, name: Name, query: Asked<NoQuery>) -> Result<Json<Stopped>, Problem> {
    let name = read_name(name)?;
    read_query(query)?;
    let supervisor = context.host.child(&name).await?.is_some_and(|child| child.supervises.is_some());
    let saved = context.host.stop(&name).await?;
    let not_saved = match &saved {
        Saved::Not(why) => Some(why.to_string()),
        _ => None,
    };
    Ok(Json(Stopped { name, supervisor, saved, not_saved }))
}

async fn restart(State(context): Shared, name: Name, query: Asked<NoQuery>) -> Result<Json<Started>, Problem> {
    let name = read_name(name)?;
    read_query(query)?;
    context.host.restart(&name).await?;
    started(&context.host, &name).await
}

async fn kill(State(context): Shared, name: Name, query: Asked<NoQuery>) -> Result<(StatusCode, Json<Named>), Problem> {
    let name = read_name(name)?;
    read_query(query)?;
    context.host.kill(&name).await?;
    Ok((StatusCode::ACCEPTED, Json(Named { name })))
}

async fn suspend(State(context): Shared, name: Name, query: Asked<NoQuery>) -> Result<Json<Named>, Problem> {
    let name = read_name(name)?;
    read_query(query)?;
    context.host.suspend(&name).await?;
    Ok(Json(Named { name }))
}

async fn resume(State(context): Shared, name: Name, query: Asked<NoQuery>) -> Result<Json<Named>, Problem> {
    let name = read_name(name)?;
    read_query(query)?;
    context.host.resume(&name).await?;
    Ok(Json(Named { name }))
}

/// The state as it stands.
#[derive(Serialize, JsonSchema)]
struct StateNow {
    name: ActorName,
    generation: u64,
    version: Version,
    /// None: there is nothing worth keeping.
    schema: Option<u32>,
    state: Shown,
}

/// The state as it stands; of a large one the beginning.
async fn get_state(State(context): Shared, name: Name, query: Asked<NoQuery>) -> Result<Json<StateNow>, Problem> {
    let name = read_name(name)?;
    read_query(query)?;
    let state = context.host.get_state(&name).await?;
    let shown = Shown::of(&state.data);
    let (generation, version, schema) = (state.generation, state.version, state.schema);
    Ok(Json(StateNow { name, generation, version, schema, state: shown }))
}

async fn remove(State(context): Shared, name: Name, query: Asked<NoQuery>) -> Result<Json<Named>, Problem> {
    let name = read_name(name)?;
    read_query(query)?;
    context.host.delete_child(&name).await?;
    Ok(Json(Named { name }))
}

#[derive(Serialize, JsonSchema)]
struct Place {
    name: ActorName,
    /// The supervisors above it, from the root down; the root itself has no name.
    path: Vec<ActorName>,
    child: Child,
}

async fn whereis(State(context): Shared, name: Name, query: Asked<NoQuery>) -> Result<Json<Place>, Problem> {
    let name = read_name(name)?;
    read_query(query)?;
    let host = &context.host;
    let Some(info) = host.child(&name).await? else {
        let more = match host.media_type(&name) {
            Some(_) => "; its first message, or `start`, would start it",
            None => "",
        };
        return Err(HostError::new(ErrorCode::UnknownActor, format!("nobody here has the name `{name}`{more}")).into());
    };
    let mut path = Vec::new();
    let mut above = info.supervisor.clone();
    while let Some(supervisor) = above {
        above = host.child(&supervisor).await?.and_then(|info| info.supervisor);
        path.insert(0, supervisor);
    }
    Ok(Json(Place { name, path, child: Child::of(host, info) }))
}

fn read_group(name: Name) -> Result<GroupName, Problem> {
    Ok(GroupName::new(read_name(name)?.as_str())?)
}

/// A group.
#[derive(Serialize, JsonSchema)]
struct Members {
    group: GroupName,
    members: Vec<ActorName>,
}

/// A message has gone to a group.
#[derive(Serialize, JsonSchema)]
struct Dispatched {
    group: GroupName,
    /// How many members' mailboxes took it.
    taken: usize,
}

async fn members(State(context): Shared, group: Name, query: Asked<NoQuery>) -> Result<Json<Members>, Problem> {
    let group = read_group(group)?;
    read_query(query)?;
    let members = context.host.members(&group);
    Ok(Json(Members { group, members }))
}

async fn dispatch(
    State(context): Shared,
    group: Name,
    query: Asked<NoQuery>,
    Extension(trace): Within,
    body: HttpBody,
) -> Result<Response, Problem> {
    let group = read_group(group)?;
    read_query(query)?;
    let body = read_message(&context, group.as_str(), body).await?;
    let taken = context.host.dispatch_within(&group, &body, trace.as_ref());
    Ok((StatusCode::ACCEPTED, Json(Dispatched { group, taken })).into_response())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn start(given: &Value) -> Result<Start, String> {
        serde_json::from_value::<Given>(given.clone()).map_err(|error| error.to_string())?.start()
    }

    #[test]
    fn a_child_specification_says_what_it_says_and_has_defaults_for_the_rest() {
        let name = |text: &str| ActorName::new(text).expect("valid");
        let spec = || ActorSpec::new(name("a"), PluginName::new("p").expect("valid"));
        assert_eq!(start(&json!({ "name": "a" })), Ok(Start::Template(name("a"))));
        let plain = json!({ "name": "a", "plugin": "p" });
        assert_eq!(start(&plain), Ok(Start::Child(None, Box::new(spec()))));
        let all = json!({
            "name": "a", "plugin": "p", "supervisor": "s", "args": { "first": 3 }, "restart": "transient", "shutdown": 250,
            "significant": true, "attributes": { "region": "eu" }, "groups": ["workers"],
        });
        let expected = ActorSpec {
            args: Body::from_static(br#"{"first":3}"#),
            restart: Restart::Transient,
            shutdown: Shutdown::After(Duration::from_millis(250)),
            significant: true,
            attributes: Attributes::from([("region".into(), "eu".into())]),
            groups: vec![GroupName::new("workers").expect("valid")],
            ..spec()
        };
        assert_eq!(start(&all), Ok(Start::Child(Some(name("s")), Box::new(expected))));
    }

    #[test]
    fn arguments_are_text_as_it_stands_and_all_else_as_json() {
        for (args, expected) in [(r#""say \"hi\"""#, r#"say "hi""#), ("40", "40"), ("[1, 2]", "[1, 2]")] {
            let args: Box<RawValue> = serde_json::from_str(args).expect("JSON");
            assert_eq!(read_args(&args), Ok(Body::from(expected)), "{args}");
        }
        let long = serde_json::value::to_raw_value(&"x".repeat(ARGS_BYTES + 1)).expect("plain data");
        assert!(read_args(&long).is_err_and(|why| why.contains("at most 1048576")));
    }

    #[test]
    fn a_child_specification_that_is_wrong_says_where() {
        let key = "k".repeat(65);
        let many: Vec<String> = (0..=GROUPS).map(|n| n.to_string()).collect();
        let cases = [
            (json!({ "plugin": "p" }), "missing field `name`"),
            (json!({ "name": "a//b", "plugin": "p" }), "empty segment"),
            (json!({ "name": "a", "plugin": "p", "restrat": "never" }), "unknown field `restrat`"),
            (json!({ "name": "a", "plugin": "p", "restart": "never" }), "expected one of `permanent`"),
            (json!({ "name": "a", "plugin": "p", "shutdown": "soon" }), "brutal-kill"),
            (json!({ "name": "a", "args": 3 }), "`args` and no `plugin`"),
            (json!({ "name": "a", "plugin": "p", "attributes": { key: "" } }), "at most 64"),
            (json!({ "name": "a", "plugin": "p", "groups": many }), "65 groups; at most 64"),
        ];
        for (given, expected) in cases {
            let why = start(&given).expect_err("wrong");
            assert!(why.contains(expected), "{given}: {why}");
        }
    }
}
