//! Who it is, and how it begins: `description`, `init`, `fresh`.

use std::path::Path;

use super::super::Ground;
use super::super::actor::{Actor, Stage};
use super::super::dice::Dice;
use super::super::fault::Fault;
use super::super::media::show;
use super::super::report::{Broken, Finding, Found};
use super::super::world::Asked;
use super::count;
use crate::model::{Description, Failure};
use crate::sandbox::TurnBase;

/// Instances that are asked who they are.
const ASKED: usize = 3;

pub(super) async fn description(ground: &Ground<'_>) -> Found {
    let stage = ground.stage;
    let known = stage.program.description();
    for _ in 0..ASKED {
        let world = stage.world();
        let mut guest = stage.instance(&world).await?;
        // An instance that has done something says the same as one that has not.
        for _ in 0..2 {
            let said = guest.describe(TurnBase::outside()).await.map_err(|crash| Fault::crash(crash, &world))?;
            if said != *known {
                let why = changed(known, &said);
                return Err(Broken::new(why).advice("describe the plugin by constants"));
            }
        }
    }
    let mut notes = Vec::new();
    let name = Path::new(ground.file).file_name().map(|name| name.to_string_lossy().into_owned());
    if let Some(file) = name.filter(|file| !file.starts_with(known.name.as_str())) {
        notes.push(format!(
            "the file is called {file}, and the plugin {}: it is easier to find as {0}.wasm",
            known.name
        ));
    }
    let (from, to) = (known.reads_from, known.reads_to);
    let reads = if from == to { format!("schema {from}") } else { format!("schemas {from} to {to}") };
    let why = format!(
        "{} {}, writes schema {}, reads {reads}, takes {}",
        known.name, known.version, known.schema, known.messages
    );
    Ok(Finding::Kept { why, notes })
}

/// What of a description was another when it was asked again.
fn changed(known: &Description, said: &Description) -> String {
    let parts = |of: &Description| {
        let Description { name, version, schema, reads_from, reads_to, messages, metadata } = of;
        [
            ("name", name.to_string()),
            ("version", version.to_string()),
            ("schema", schema.to_string()),
            ("reads-from", reads_from.to_string()),
            ("reads-to", reads_to.to_string()),
            ("messages", messages.clone()),
            ("metadata", format!("{metadata:?}")),
        ]
    };
    let both = parts(known).into_iter().zip(parts(said));
    let differ = both.filter(|(one, other)| one != other);
    let told: Vec<_> = differ.map(|((what, one), (_, other))| format!("{what} {one}, then {other}")).collect();
    format!("it was asked again, and described itself otherwise: {}", told.join("; "))
}

/// One `init`: what it answered, and what it asked of others.
pub(super) async fn init_with(stage: &Stage, args: &[u8]) -> Result<(Result<bool, Failure>, Vec<Asked>), Fault> {
    let world = stage.world();
    let mut guest = stage.instance(&world).await?;
    let answer = guest.init(args, TurnBase::outside()).await.map_err(|crash| Fault::crash(crash, &world))?;
    Ok((answer, world.take_asked()))
}

pub(super) async fn init(ground: &Ground<'_>) -> Found {
    let given = &ground.fixtures.args;
    let named: Vec<(String, Vec<u8>)> = match given.as_slice() {
        [] => vec![("empty arguments".to_owned(), Vec::new())],
        given => given.iter().map(|args| (args.name.clone(), args.bytes.clone())).collect(),
    };
    let (mut taken, mut refused) = (0, Vec::new());
    for (name, args) in &named {
        match tried(ground, name, args).await? {
            Ok(_) => taken += 1,
            Err(failure) => refused.push(format!("{name}: {failure}")),
        }
    }
    if taken == 0 {
        let why = format!("`init` fails with {}", refused.join("; "));
        let place = ground.fixtures.place("args");
        return Err(Broken::new(why).advice(format!("put arguments that it takes into a file in {place}")));
    }
    let mut rubbish = rubbish(ground.options.seed);
    rubbish.extend(named.iter().map(|(_, args)| args[..args.len() / 2].to_vec()));
    for args in &rubbish {
        // A failure is a fine answer to rubbish; so is to do without.
        drop(tried(ground, &format!("the arguments {}", show(args)), args).await?);
    }
    let notes = refused.into_iter().map(|refused| format!("it fails with {refused}")).collect();
    let why = format!("started with {}, and with {} that are rubbish", count(taken, "argument"), rubbish.len());
    Ok(Finding::Kept { why, notes })
}

async fn tried(ground: &Ground<'_>, name: &str, args: &[u8]) -> Result<Result<bool, Failure>, Broken> {
    let began = init_with(ground.stage, args).await;
    let (answer, asked) = began.map_err(|fault| fault.breaks(&format!("started with {name}")))?;
    if let Some(asked) = asked.first() {
        let why = format!("started with {name}, its `init` {}", asked.what);
        return Err(Broken::new(why).advice(
            "`init` has no effect on the world, and its supervisor waits for it: ask others in `continue` (`started`, `resumed`) or when a message comes",
        ));
    }
    Ok(answer)
}

fn rubbish(seed: u64) -> Vec<Vec<u8>> {
    let mut dice = Dice::of(seed, "args");
    let deep = [b"[".repeat(50_000), b"{\"a\":".repeat(20_000)];
    let texts: [&[u8]; 9] =
        [b"", b"null", b"{", b"-1", b"1e999", b"[]", b"\"x\"", b"{\"unknown\":{}}", b"\xff\xfe\x00"];
    let texts = texts.into_iter().map(<[u8]>::to_vec);
    let drawn: Vec<_> = [1, 16, 300, 64 << 10].into_iter().map(|length| dice.bytes(length)).collect();
    texts.chain(deep).chain(drawn).collect()
}

pub(super) async fn fresh(ground: &Ground<'_>) -> Found {
    ground.first_args()?;
    let (mut with, mut without) = (0, 0);
    for args in &ground.args {
        let begun = Actor::begin(ground.stage, args, None, 0).await;
        let mut actor = begun
            .map_err(|fault| fault.breaks(&format!("begun without a state, with the arguments {}", show(args))))?;
        let first = actor.snapshot().await.map_err(|fault| fault.breaks("begun without a state"))?;
        match first {
            Some(_) => with += 1,
            None => without += 1,
        }
    }
    let why = match (with, without) {
        (_, 0) => "begins with a state of its own",
        (0, _) => "begins, and has nothing worth keeping yet",
        _ => "begins; with some arguments it has nothing worth keeping yet",
    };
    Ok(Finding::kept(why))
}
