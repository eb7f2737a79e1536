//! What a turn comes to, decided before anything is done: what goes out, in which order, and what follows.

use crate::model::{Body, Failure};
use crate::sandbox::{Effect, Out};

/// A turn that ended well, sorted. The order in which it is carried out: timers, the save, the reply, what leaves,
/// the stop.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Changes to the actor's timers, in order: set (name, due) or cancel (name).
    pub(crate) timers: Vec<(String, Option<u64>)>,
    /// A checkpoint before anything leaves.
    pub(crate) save: bool,
    /// What leaves the actor, in order.
    pub(crate) out: Vec<Out>,
    /// The actor ends normally after this.
    pub(crate) stop: bool,
}

/// Sorts what a turn asked for.
pub(crate) fn plan(effects: Vec<Effect>) -> Plan {
    let mut plan = Plan { timers: Vec::new(), save: false, out: Vec::new(), stop: false };
    for effect in effects {
        match effect {
            Effect::Out(out) => plan.out.push(out),
            Effect::SetTimer { name, due_ms } => plan.timers.push((name, Some(due_ms))),
            Effect::CancelTimer(name) => plan.timers.push((name, None)),
            Effect::Save => plan.save = true,
            Effect::Stop => plan.stop = true,
        }
    }
    plan
}

/// What a caller gets.
pub(crate) fn reply(answer: Result<Vec<u8>, Failure>) -> Result<Body, crate::model::CallError> {
    answer.map(Body::from).map_err(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ActorName, MessageId};

    #[test]
    fn effects_keep_their_order_within_their_kind() {
        let name = |n| ActorName::new(n).expect("valid");
        let id = |n: &str| MessageId::new(n).expect("valid");
        let send = |to, n: &str| Effect::Out(Out::Send { to: name(to), id: id(n), body: Body::new() });
        let set = |n: &str, due_ms| Effect::SetTimer { name: n.into(), due_ms };
        let effects = vec![
            send("b", "1"),
            Effect::Stop,
            set("t", 5),
            Effect::CancelTimer("t".into()),
            set("t", 9),
            Effect::Save,
            send("a", "2"),
        ];
        let plan = plan(effects);
        assert!(plan.save && plan.stop);
        let sent = |effect: Effect| match effect {
            Effect::Out(out) => out,
            other => panic!("{other:?}"),
        };
        assert_eq!(plan.out, [sent(send("b", "1")), sent(send("a", "2"))]);
        assert_eq!(plan.timers, [("t".into(), Some(5)), ("t".into(), None), ("t".into(), Some(9))]);
    }

    #[test]
    fn a_turn_without_wishes_has_no_consequences() {
        let nothing = Plan { timers: Vec::new(), save: false, out: Vec::new(), stop: false };
        assert_eq!(plan(Vec::new()), nothing);
    }
}
