//! What a plugin may import of `supervision`. Linked for all, and used by those plugins alone that import it.

use wasmtime::component::LinkerInstance;

use super::supervision::{ChildInfo, ChildSpec, Counts, Phase, SupervisionError};
use super::types::SendError;
use crate::sandbox::ChildChange;
use crate::sandbox::guest::Data;
use crate::sandbox::imports::{Cx, Refused};
use crate::sandbox::supervision::{listed, waits};

pub(in crate::sandbox::contract) fn add_to(interface: &mut LinkerInstance<'_, Data>) -> wasmtime::Result<()> {
    add_children(interface)?;
    add_names(interface)?;
    add_effects(interface)
}

/// Those that wait for a supervisor.
fn add_children(to: &mut LinkerInstance<'_, Data>) -> wasmtime::Result<()> {
    waits::<_, _, _, SupervisionError>(
        to,
        "start-child",
        |data, (supervisor, child): (Option<String>, ChildSpec)| {
            let child = child.checked(&data.env.limits)?;
            data.start_child(supervisor, child)
        },
        Ok,
    )?;
    let changes = [
        ("terminate-child", ChildChange::Terminate),
        ("restart-child", ChildChange::Restart),
        ("delete-child", ChildChange::Delete),
    ];
    for (name, change) in changes {
        let ask = move |data: &mut Data, (child,): (String,)| data.change_child(&child, change);
        waits::<_, _, _, SupervisionError>(to, name, ask, Ok)?;
    }
    waits::<_, _, _, SupervisionError>(
        to,
        "which-children",
        |data, (supervisor,): (Option<String>,)| data.which_children(supervisor),
        |children| listed(children, ChildInfo::from),
    )?;
    waits::<_, _, _, SupervisionError>(
        to,
        "count-children",
        |data, (supervisor,): (Option<String>,)| data.count_children(supervisor),
        |counts| Ok(Counts::from(counts)),
    )
}

/// Those that look something up.
fn add_names(to: &mut LinkerInstance<'_, Data>) -> wasmtime::Result<()> {
    to.func_wrap("whereis", |cx: Cx<'_>, (actor,): (String,)| Ok((cx.data().whereis(&actor).map(Phase::from),)))?;
    to.func_wrap("members", |cx: Cx<'_>, (group,): (String,)| {
        Ok((cx.data().members(&group).map_err(SupervisionError::from),))
    })?;
    to.func_wrap("attribute", |cx: Cx<'_>, (actor, key): (String, String)| Ok((cx.data().attribute(&actor, &key),)))?;
    to.func_wrap("having", |cx: Cx<'_>, (key, value): (String, String)| {
        Ok((cx.data().having(&key, &value).map_err(SupervisionError::from),))
    })
}

/// An effect on the actor, or the group, of that name.
type Ask = fn(&mut Data, &str) -> Result<(), Refused>;

/// Those that leave when the turn has ended well.
fn add_effects(to: &mut LinkerInstance<'_, Data>) -> wasmtime::Result<()> {
    let named: [(_, Ask); 4] =
        [("link", Data::link), ("unlink", Data::unlink), ("join", Data::join), ("leave", Data::leave)];
    for (name, ask) in named {
        to.func_wrap(name, move |mut cx: Cx<'_>, (whom,): (String,)| {
            Ok((ask(cx.data_mut(), &whom).map_err(SendError::from),))
        })?;
    }
    to.func_wrap("exit", |mut cx: Cx<'_>, (actor, reason): (String, String)| {
        Ok((cx.data_mut().exit(&actor, &reason).map_err(SendError::from),))
    })?;
    to.func_wrap("dispatch", |mut cx: Cx<'_>, (group, body): (String, Vec<u8>)| {
        Ok((cx.data_mut().dispatch(&group, body).map_err(SendError::from),))
    })?;
    to.func_wrap("set-attribute", |mut cx: Cx<'_>, (key, value): (String, Option<String>)| {
        Ok((cx.data_mut().set_attribute(key, value).map_err(SendError::from),))
    })
}
