//! Actors of templates that are to run again: those that ran when the host last stopped, and those whose timers come due.

use std::sync::Weak;
use std::time::Duration;

use tokio::task::JoinSet;

use super::Inner;
use crate::actor::Whose;
use crate::model::{ActorName, ActorSpec, ErrorCode, StopReason};
use crate::store::{Head, SnapshotStore};
use crate::supervisor::Supervisor;

/// Heads read at once when actors are resumed, and actors started at once.
const RESUME_PAGE: usize = 1_000;
const RESUME_AT_ONCE: usize = 32;
/// How long after the store could not tell them it is asked again.
const LIST_AGAIN: Duration = Duration::from_secs(1);

/// Starts again those actors of templates that ran when the host last stopped: what their inboxes hold must not wait for a
/// message. It does not keep a host alive that was dropped.
async fn resume(host: Weak<Inner>) {
    let mut after: Option<ActorName> = None;
    let mut starting = JoinSet::new();
    loop {
        let Some(store) = host.upgrade().filter(|host| !host.router.is_closed()).map(|host| host.store.clone()) else {
            return;
        };
        let page = match store.list(after.as_ref(), RESUME_PAGE).await {
            Ok(page) => page,
            Err(error) => {
                tracing::error!(%error, "who of the actors of templates is to be started is not known yet; trying again");
                drop(store);
                tokio::time::sleep(LIST_AGAIN).await;
                continue;
            }
        };
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        for (name, head) in page {
            let Ok(head) = head else { continue };
            let Some(tenures) = host.upgrade().map(|host| host.tenures.clone()) else { return };
            let whose = tenures.whose(&*store, Some(&head), tenures.current().id()).await;
            if matches!(whose, Err(_) | Ok(Whose::Others(_))) {
                continue;
            }
            prune(&*store, &name, &head).await;
            if !is_to_be_resumed(&head) {
                let next = head.current().and_then(|record| record.next_timer_ms);
                let Some(host) = host.upgrade().filter(|host| host.registry.whereis(&name).is_none()) else { continue };
                let template = host.router.template_for(&name).map(|(_, spec)| spec);
                if let Some(spec) = template.as_ref().filter(|_| head.stopped == Some(StopReason::Passivate)) {
                    host.registry.sleeps(spec);
                }
                host.router.alarm().set(&name, next.filter(|_| template.is_some()));
                continue;
            }
            if starting.len() >= RESUME_AT_ONCE {
                starting.join_next().await;
            }
            let Some(host) = host.upgrade() else { return };
            let free = host.registry.whereis(&name).is_none();
            if let Some((above, spec)) = host.router.template_for(&name).filter(|_| free) {
                starting.spawn(resume_one(host.supervisor.clone(), above, spec));
            }
        }
    }
    while starting.join_next().await.is_some() {}
}

/// As [`resume`], and again whenever hosts that share the store have left actors behind.
pub(super) async fn resume_again_and_again(host: Weak<Inner>) {
    let Some(left) = host.upgrade().map(|host| host.tenancy.left_behind()) else { return };
    loop {
        resume(host.clone()).await;
        left.notified().await;
        if host.upgrade().is_none_or(|host| host.router.is_closed()) {
            return;
        }
    }
}

/// Starts actors of templates whose timers come due while they sleep. It does not keep a host alive that was dropped.
pub(super) async fn wake(host: Weak<Inner>) {
    let Some(router) = host.upgrade().map(|host| host.router.clone()) else { return };
    while let Some(due) = router.alarm().due().await {
        for name in due {
            let Some(host) = host.upgrade().filter(|host| !host.router.is_closed()) else { return };
            if host.registry.whereis(&name).is_none()
                && let Some((above, spec)) = host.router.template_for(&name)
            {
                tokio::spawn(resume_one(host.supervisor.clone(), above, spec));
            }
        }
    }
}

/// Drops what an actor has of its history beyond what the store is told to keep now. Each commit does so for its own actor;
/// this is for those that sleep.
async fn prune(store: &dyn SnapshotStore, name: &ActorName, head: &Head) {
    let keep = store.capabilities().history;
    if head.records.len() > keep
        && let Err(error) = store.prune(name, keep).await
    {
        tracing::warn!(actor = %name, %error, "its old records stay until its next commit");
    }
}

async fn resume_one(supervisor: Supervisor, above: Option<ActorName>, spec: ActorSpec) {
    let name = spec.name.clone();
    match supervisor.start_child(above, spec.into(), false).await {
        Ok(()) => {}
        // Its first message was quicker, or the host goes down again.
        Err(error) if matches!(error.code(), ErrorCode::AlreadyStarted | ErrorCode::ShuttingDown) => {}
        Err(error) => tracing::error!(actor = %name, %error, "the actor was not resumed"),
    }
}

/// Whether an actor ran, or was on its way, when its host ended; or has sent messages that are still to arrive.
fn is_to_be_resumed(head: &Head) -> bool {
    head.leaves_messages() || ran_when_the_host_stopped(head)
}

fn ran_when_the_host_stopped(head: &Head) -> bool {
    match &head.stopped {
        // Without an owner either, it was forgotten.
        None => head.owner.is_some(),
        Some(StopReason::Shutdown | StopReason::Upgrade | StopReason::Relocate | StopReason::Restart) => true,
        Some(StopReason::Passivate | StopReason::Normal) => false,
    }
}
