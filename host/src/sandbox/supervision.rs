//! The contract's `supervision` interface: children, links, groups and names. Linked for all, and used by those plugins
//! alone that import it.

use wasmtime::component::{ComponentNamedList, Lift, Linker, LinkerInstance, Lower};

use super::abi::supervision::{self as abi, SupervisionError};
use super::abi::{SUPERVISION, SendError};
use super::granted::lacks;
use super::guest::Data;
use super::imports::Cx;
use super::{ChildChange, Effect, Out, Supervised};
use crate::model::{ActorName, Body, GroupName, check_attribute};

/// Entries of a list that a guest is given: its memory is small, and the host's is shared.
const LISTED: usize = 10_000;

type Answer<T> = Result<T, SupervisionError>;

pub(super) fn add_to(linker: &mut Linker<Data>) -> wasmtime::Result<()> {
    let mut interface = linker.instance(SUPERVISION)?;
    add_children(&mut interface)?;
    add_names(&mut interface)?;
    add_effects(&mut interface)
}

/// Those that wait for a supervisor. The wait ends with the turn's time, as that of `call` does.
fn add_children(to: &mut LinkerInstance<'_, Data>) -> wasmtime::Result<()> {
    waits(
        to,
        "start-child",
        |data, (supervisor, child): (Option<String>, abi::ChildSpec)| {
            let supervisor = supervisor.map(|name| ActorName::new(&name)).transpose()?;
            let child = child.checked(&data.env.limits)?;
            Ok(data.env.outside.start_child(&data.env.actor, supervisor, child))
        },
        Ok,
    )?;
    let changes = [
        ("terminate-child", ChildChange::Terminate),
        ("restart-child", ChildChange::Restart),
        ("delete-child", ChildChange::Delete),
    ];
    for (name, change) in changes {
        waits(
            to,
            name,
            move |data, (child,): (String,)| {
                Ok(data.env.outside.change_child(&data.env.actor, ActorName::new(&child)?, change))
            },
            Ok,
        )?;
    }
    waits(
        to,
        "which-children",
        |data, (supervisor,): (Option<String>,)| {
            let supervisor = supervisor.map(|name| ActorName::new(&name)).transpose()?;
            Ok(data.env.outside.which_children(&data.env.actor, supervisor))
        },
        |children| listed(children, abi::ChildInfo::from),
    )?;
    waits(
        to,
        "count-children",
        |data, (supervisor,): (Option<String>,)| {
            let supervisor = supervisor.map(|name| ActorName::new(&name)).transpose()?;
            Ok(data.env.outside.count_children(&data.env.actor, supervisor))
        },
        |counts| Ok(abi::Counts::from(counts)),
    )
}

/// A function that asks for something of the tree, waits for it, and tells the guest.
fn waits<P, T, U>(
    to: &mut LinkerInstance<'_, Data>,
    name: &str,
    ask: impl Fn(&mut Data, P) -> Answer<Supervised<T>> + Send + Sync + 'static,
    tell: impl Fn(T) -> Answer<U> + Copy + Send + Sync + 'static,
) -> wasmtime::Result<()>
where
    P: ComponentNamedList + Lift + Send + Sync + 'static,
    T: Send + 'static,
    (Answer<U>,): ComponentNamedList + Lower + Send + Sync + 'static,
    U: Send + 'static,
{
    to.func_wrap_async(name, move |mut cx: Cx<'_>, params: P| {
        let data = cx.data_mut();
        let asked = data.one_call_more().map_err(|met| SupervisionError::Limit(met.to_string()));
        let asked = asked.and_then(|()| ask(data, params));
        Box::new(async move {
            let answer = match asked {
                Ok(answer) => answer.await.map_err(SupervisionError::from).and_then(tell),
                Err(error) => Err(error),
            };
            Ok((answer,))
        })
    })
}

/// Those that look something up.
fn add_names(to: &mut LinkerInstance<'_, Data>) -> wasmtime::Result<()> {
    to.func_wrap("whereis", |cx: Cx<'_>, (actor,): (String,)| {
        let actor = ActorName::new(&actor).ok().filter(|actor| cx.data().may_see(actor));
        let phase = actor.and_then(|actor| cx.data().env.outside.whereis(&actor));
        Ok((phase.map(abi::Phase::from),))
    })?;
    to.func_wrap("members", |cx: Cx<'_>, (group,): (String,)| Ok((cx.data().members(&group),)))?;
    to.func_wrap("attribute", |cx: Cx<'_>, (actor, key): (String, String)| {
        let actor = ActorName::new(&actor).ok().filter(|actor| cx.data().may_see(actor));
        Ok((actor.and_then(|actor| cx.data().env.outside.attribute(&actor, &key)),))
    })?;
    to.func_wrap("having", |cx: Cx<'_>, (key, value): (String, String)| Ok((cx.data().having(&key, &value),)))
}

/// Those that leave when the turn has ended well.
fn add_effects(to: &mut LinkerInstance<'_, Data>) -> wasmtime::Result<()> {
    to.func_wrap("link", |mut cx: Cx<'_>, (actor,): (String,)| Ok((cx.data_mut().link(&actor),)))?;
    to.func_wrap("unlink", |mut cx: Cx<'_>, (actor,): (String,)| Ok((cx.data_mut().effect_on(&actor, Out::Unlink),)))?;
    to.func_wrap("exit", |mut cx: Cx<'_>, (actor, reason): (String, String)| {
        Ok((cx.data_mut().exit(&actor, &reason),))
    })?;
    to.func_wrap("join", |mut cx: Cx<'_>, (group,): (String,)| Ok((cx.data_mut().join(&group),)))?;
    to.func_wrap("leave", |mut cx: Cx<'_>, (group,): (String,)| Ok((cx.data_mut().membership(&group, Out::Leave),)))?;
    to.func_wrap("dispatch", |mut cx: Cx<'_>, (group, body): (String, Vec<u8>)| {
        Ok((cx.data_mut().dispatch(&group, body),))
    })?;
    to.func_wrap("set-attribute", |mut cx: Cx<'_>, (key, value): (String, Option<String>)| {
        Ok((cx.data_mut().set_attribute(key, value),))
    })
}

impl Data {
    fn members(&self, group: &str) -> Answer<Vec<String>> {
        let group = GroupName::new(group)?;
        self.may_use(&group).map_err(|()| SupervisionError::Denied)?;
        listed(self.env.outside.members(&group), |name| name.to_string())
    }

    fn having(&self, key: &str, value: &str) -> Answer<Vec<String>> {
        check_attribute(key, value)?;
        let mut found = self.env.outside.having(key, value);
        found.retain(|actor| self.may_see(actor));
        listed(found, |name| name.to_string())
    }

    /// Whether it may know whether an actor is there, and what it can be found by.
    fn may_see(&self, actor: &ActorName) -> bool {
        self.env.grants.grants().may_see(&self.env.actor, actor)
    }

    /// Whether it may be in a group and send to it; a refusal is told in the log.
    fn may_use(&self, group: &GroupName) -> Result<(), ()> {
        let granted = &self.env.grants;
        if granted.grants().may_use_group(group) {
            return Ok(());
        }
        let line = format!("groups = [\"{group}\"]");
        granted.tell(&self.env.actor, &lacks(&format!("the group `{group}`"), &line));
        Err(())
    }

    /// A link can end the other one, too.
    fn link(&mut self, actor: &str) -> Result<(), SendError> {
        self.granted(&ActorName::new(actor)?)?;
        self.effect_on(actor, Out::Link)
    }

    fn granted(&self, actor: &ActorName) -> Result<(), SendError> {
        if self.env.outside.may_supervise(&self.env.actor, actor) {
            return Ok(());
        }
        let line = format!("supervise = [\"{actor}\"]");
        self.env.grants.tell(&self.env.actor, &lacks(&format!("to link or end `{actor}`"), &line));
        Err(SendError::Denied)
    }

    fn exit(&mut self, actor: &str, reason: &str) -> Result<(), SendError> {
        let to = ActorName::new(actor)?;
        self.granted(&to)?;
        let reason = abi::exit_reason(reason);
        self.leave_room(reason.to_string().len())?;
        self.turn.effects.push(Effect::Out(Out::Exit { to, reason }));
        Ok(())
    }

    fn join(&mut self, group: &str) -> Result<(), SendError> {
        self.may_use(&GroupName::new(group)?).map_err(|()| SendError::Denied)?;
        self.membership(group, Out::Join)
    }

    fn membership(&mut self, group: &str, effect: impl FnOnce(GroupName) -> Out) -> Result<(), SendError> {
        let group = GroupName::new(group)?;
        self.leave_room(0)?;
        self.turn.effects.push(Effect::Out(effect(group)));
        Ok(())
    }

    fn dispatch(&mut self, group: &str, body: Vec<u8>) -> Result<(), SendError> {
        let group = GroupName::new(group)?;
        self.may_use(&group).map_err(|()| SendError::Denied)?;
        self.check_body(&body)?;
        self.leave_room(body.len())?;
        let id = self.next_id();
        self.turn.effects.push(Effect::Out(Out::Dispatch { group, id, body: Body::from(body) }));
        Ok(())
    }

    fn set_attribute(&mut self, key: String, value: Option<String>) -> Result<(), SendError> {
        check_attribute(&key, value.as_deref().unwrap_or_default())?;
        self.leave_room(key.len() + value.as_ref().map_or(0, String::len))?;
        self.turn.effects.push(Effect::Out(Out::SetAttribute { key, value }));
        Ok(())
    }
}

/// What a guest is given of a list: all of it, or word that it is too long.
fn listed<T, U>(items: Vec<T>, each: impl Fn(T) -> U) -> Answer<Vec<U>> {
    match items.len() {
        many if many > LISTED => Err(SupervisionError::Limit(format!(
            "{many} entries; a list has at most {LISTED} (limit listed = {LISTED}, which is fixed)"
        ))),
        _ => Ok(items.into_iter().map(each).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_whole_or_says_how_long_it_is() {
        assert_eq!(listed(vec![1; LISTED], |n| n + 1).map(|all| all.len()), Ok(LISTED));
        let Err(SupervisionError::Limit(why)) = listed(vec![1; LISTED + 1], |n| n) else { panic!("it is too long") };
        assert!(why.contains("10001 entries"), "{why}");
    }
}
