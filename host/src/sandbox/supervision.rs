//! What a guest may ask for by the contract's interface `supervision`: children, links, groups and names. How each version
//! of it names and types that is in [`contract`](super::contract).

use wasmtime::component::{ComponentNamedList, Lift, LinkerInstance, Lower};

use super::granted::lacks;
use super::guest::Data;
use super::imports::{Cx, Refused, TEXT_BYTES, bounded};
use super::{ChildChange, Effect, Out, Supervised};
use crate::model::{
    ActorName, ActorSpec, Body, ChildInfo, Counts, ExitReason, GroupName, HostError, Phase, check_attribute,
};

/// Entries of a list that a guest is given: its memory is small, and the host's is shared.
const LISTED: usize = 10_000;

type Answer<T> = Result<T, Refused>;

/// A function that asks for something of the tree, waits for it, and tells the guest. The wait ends with the turn's time, as
/// that of `call` does.
pub(super) fn waits<P, T, U, E>(
    to: &mut LinkerInstance<'_, Data>,
    name: &str,
    ask: impl Fn(&mut Data, P) -> Answer<Supervised<T>> + Send + Sync + 'static,
    tell: impl Fn(T) -> Answer<U> + Copy + Send + Sync + 'static,
) -> wasmtime::Result<()>
where
    P: ComponentNamedList + Lift + Send + Sync + 'static,
    T: Send + 'static,
    (Result<U, E>,): ComponentNamedList + Lower + Send + Sync + 'static,
    U: Send + 'static,
    E: From<Refused> + From<HostError> + Send + 'static,
{
    to.func_wrap_async(name, move |mut cx: Cx<'_>, params: P| {
        let data = cx.data_mut();
        let asked = data.one_call_more().and_then(|()| ask(data, params));
        Box::new(async move {
            let answer = match asked {
                Ok(answer) => answer.await.map_err(E::from).and_then(|answer| tell(answer).map_err(E::from)),
                Err(refused) => Err(refused.into()),
            };
            Ok((answer,))
        })
    })
}

impl Data {
    pub(super) fn start_child(&mut self, supervisor: Option<String>, child: ActorSpec) -> Answer<Supervised<()>> {
        Ok(self.env.outside.start_child(self.env.actor(), named(supervisor)?, child))
    }

    pub(super) fn change_child(&mut self, child: &str, change: ChildChange) -> Answer<Supervised<()>> {
        Ok(self.env.outside.change_child(self.env.actor(), ActorName::new(child)?, change))
    }

    pub(super) fn which_children(&mut self, supervisor: Option<String>) -> Answer<Supervised<Vec<ChildInfo>>> {
        Ok(self.env.outside.which_children(self.env.actor(), named(supervisor)?))
    }

    pub(super) fn count_children(&mut self, supervisor: Option<String>) -> Answer<Supervised<Counts>> {
        Ok(self.env.outside.count_children(self.env.actor(), named(supervisor)?))
    }

    pub(super) fn whereis(&self, actor: &str) -> Option<Phase> {
        let actor = ActorName::new(actor).ok().filter(|actor| self.may_see(actor))?;
        self.env.outside.whereis(&actor)
    }

    pub(super) fn attribute(&self, actor: &str, key: &str) -> Option<String> {
        let actor = ActorName::new(actor).ok().filter(|actor| self.may_see(actor))?;
        self.env.outside.attribute(&actor, key)
    }

    pub(super) fn members(&self, group: &str) -> Answer<Vec<String>> {
        let group = GroupName::new(group)?;
        self.may_use(&group)?;
        listed(self.env.outside.members(&group), |name| name.to_string())
    }

    pub(super) fn having(&self, key: &str, value: &str) -> Answer<Vec<String>> {
        check_attribute(key, value)?;
        let mut found = self.env.outside.having(key, value);
        found.retain(|actor| self.may_see(actor));
        listed(found, |name| name.to_string())
    }

    /// Whether it may know whether an actor is there, and what it can be found by.
    fn may_see(&self, actor: &ActorName) -> bool {
        self.env.grants.grants().may_see(self.env.actor(), actor)
    }

    /// Whether it may be in a group and send to it; a refusal is told in the log.
    fn may_use(&self, group: &GroupName) -> Answer<()> {
        let granted = &self.env.grants;
        if granted.grants().may_use_group(group) {
            return Ok(());
        }
        let line = format!("groups = [\"{group}\"]");
        granted.tell(&self.env.label, &lacks(&format!("the group `{group}`"), &line));
        Err(Refused::Denied)
    }

    /// A link can end the other one, too.
    pub(super) fn link(&mut self, actor: &str) -> Answer<()> {
        self.granted(&ActorName::new(actor)?)?;
        self.effect_on(actor, Out::Link)
    }

    pub(super) fn unlink(&mut self, actor: &str) -> Answer<()> {
        self.effect_on(actor, Out::Unlink)
    }

    fn granted(&self, actor: &ActorName) -> Answer<()> {
        if self.env.outside.may_supervise(self.env.actor(), actor) {
            return Ok(());
        }
        let line = format!("supervise = [\"{actor}\"]");
        self.env.grants.tell(&self.env.label, &lacks(&format!("to link or end `{actor}`"), &line));
        Err(Refused::Denied)
    }

    pub(super) fn exit(&mut self, actor: &str, reason: &str) -> Answer<()> {
        let to = ActorName::new(actor)?;
        self.granted(&to)?;
        let reason = exit_reason(reason);
        self.leave_room(reason.to_string().len())?;
        self.turn.effects.push(Effect::Out(Out::Exit { to, reason }));
        Ok(())
    }

    pub(super) fn join(&mut self, group: &str) -> Answer<()> {
        self.may_use(&GroupName::new(group)?)?;
        self.membership(group, Out::Join)
    }

    pub(super) fn leave(&mut self, group: &str) -> Answer<()> {
        self.membership(group, Out::Leave)
    }

    fn membership(&mut self, group: &str, effect: impl FnOnce(GroupName) -> Out) -> Answer<()> {
        let group = GroupName::new(group)?;
        self.leave_room(0)?;
        self.turn.effects.push(Effect::Out(effect(group)));
        Ok(())
    }

    pub(super) fn dispatch(&mut self, group: &str, body: Vec<u8>) -> Answer<()> {
        let group = GroupName::new(group)?;
        self.may_use(&group)?;
        self.check_body(&body)?;
        self.leave_room(body.len())?;
        let id = self.next_id();
        self.turn.effects.push(Effect::Out(Out::Dispatch { group, id, body: Body::from(body) }));
        Ok(())
    }

    pub(super) fn set_attribute(&mut self, key: String, value: Option<String>) -> Answer<()> {
        check_attribute(&key, value.as_deref().unwrap_or_default())?;
        self.leave_room(key.len() + value.as_ref().map_or(0, String::len))?;
        self.turn.effects.push(Effect::Out(Out::SetAttribute { key, value }));
        Ok(())
    }
}

fn named(supervisor: Option<String>) -> Answer<Option<ActorName>> {
    Ok(supervisor.map(|name| ActorName::new(&name)).transpose()?)
}

/// A reason as guests read and write it: what [`ExitReason`] shows, read back. Any other text is a crash.
fn exit_reason(text: &str) -> ExitReason {
    match text {
        "normal" => ExitReason::Normal,
        "shutdown" => ExitReason::Shutdown,
        "killed" => ExitReason::Killed,
        "noproc" => ExitReason::Noproc,
        _ => ExitReason::Crash(bounded(text.strip_prefix("crash: ").unwrap_or(text), TEXT_BYTES)),
    }
}

/// What a guest is given of a list: all of it, or word that it is too long.
pub(super) fn listed<T, U>(items: Vec<T>, each: impl Fn(T) -> U) -> Answer<Vec<U>> {
    match items.len() {
        many if many > LISTED => Err(Refused::Limit(format!(
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
        let Err(Refused::Limit(why)) = listed(vec![1; LISTED + 1], |n| n) else { panic!("it is too long") };
        assert!(why.contains("10001 entries"), "{why}");
    }

    #[test]
    fn a_reason_that_was_heard_can_be_passed_on() {
        let crash = |how: &str| ExitReason::Crash(how.into());
        for reason in [ExitReason::Normal, ExitReason::Shutdown, ExitReason::Killed, ExitReason::Noproc, crash("trap")]
        {
            assert_eq!(exit_reason(&reason.to_string()), reason);
        }
        for text in ["", "kill", "Normal", "out of paper"] {
            assert_eq!(exit_reason(text), crash(text));
        }
        assert_eq!(exit_reason(&"x".repeat(TEXT_BYTES + 1)), crash(&"x".repeat(TEXT_BYTES)));
    }
}
