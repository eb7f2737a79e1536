//! What ends an instance from outside: whoever supervises it, or another actor that has it killed.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::sync::watch;

use super::ears::Bell;
use super::tenure::Tenure;
use super::{Budget, Signal};
use crate::model::StopReason;

/// What ends an instance from outside.
#[derive(Debug, Clone)]
pub(super) enum Interrupt {
    Stop(StopReason, Budget),
    Kill,
    /// This host's lease on the store has ended: why.
    Fenced(String),
}

/// What ends an instance in the middle of a turn.
#[derive(Debug, thiserror::Error)]
pub(super) enum Cut {
    #[error("the actor was killed")]
    Killed,
    #[error("the actor's shutdown budget of {1} ms was spent")]
    Spent(StopReason, u64),
    #[error("this host may not run the actor any more: {0}")]
    Fenced(String),
}

/// Where an instance hears of its end.
#[derive(Debug, Clone)]
pub(super) struct Signals {
    told: watch::Receiver<Signal>,
    killed: watch::Receiver<bool>,
    /// What the actor was claimed under, once it was.
    tenure: Option<Arc<Tenure>>,
    /// Rung when any of that changes, while somebody listens.
    bell: Option<Arc<Bell>>,
}

impl Signals {
    pub(super) fn new(told: watch::Receiver<Signal>, killed: watch::Receiver<bool>) -> Self {
        Self { told, killed, tenure: None, bell: None }
    }

    /// From now on the instance ends with this lease of its host.
    pub(super) fn under(&mut self, tenure: Arc<Tenure>) {
        self.tenure = Some(tenure);
    }

    /// From now on this rings when anything is told.
    pub(super) fn ring(&mut self, bell: Arc<Bell>) {
        self.bell = Some(bell);
    }

    /// What the actor was claimed under is nothing to it any more: it has been given up.
    pub(super) fn free(&mut self) {
        self.tenure = None;
    }

    /// What it was told last by whoever supervises it.
    pub(super) fn told(&self) -> Signal {
        self.told.borrow().clone()
    }

    /// Ready as soon as anyone wants this instance to end.
    pub(super) async fn interrupted(&mut self) -> Interrupt {
        let Self { told, killed, tenure, .. } = self;
        let heard = tokio::select! {
            biased;
            () = set(killed) => return Interrupt::Kill,
            why = fenced(tenure.as_deref()) => return Interrupt::Fenced(why),
            heard = told.wait_for(|signal| !matches!(signal, Signal::Go)) => heard.map(|signal| signal.clone()),
        };
        match heard {
            Ok(Signal::Stop(reason, budget)) => Interrupt::Stop(reason, budget),
            // Whoever supervised it is gone: nobody could use what it does.
            Ok(Signal::Kill | Signal::Go) | Err(_) => Interrupt::Kill,
        }
    }

    /// Runs `work` unless the instance is killed or its budget is spent first.
    pub(super) async fn uncut<T>(&self, work: impl Future<Output = T>) -> Result<T, Cut> {
        let mut work = pin!(work);
        let at_once = !self.is_told();
        // Most work is done at once, and nobody need be heard meanwhile.
        if at_once && let Poll::Ready(done) = poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await {
            return Ok(done);
        }
        let mut signals = self.clone();
        let (mut cut, mut gives_way) = (pin!(signals.cut()), at_once);
        poll_fn(|cx| {
            if let Poll::Ready(cut) = cut.as_mut().poll(cx) {
                return Poll::Ready(Err(cut));
            }
            match std::mem::take(&mut gives_way) {
                // It was polled just now, and goes on at the task's next turn.
                true => Poll::Pending,
                false => work.as_mut().poll(cx).map(Ok),
            }
        })
        .await
    }

    /// Whether anything was told that may end a turn, now or later. Waits for nobody.
    fn is_told(&self) -> bool {
        // It has not rung since all of that was looked at: the same is found again, which was nothing.
        if self.bell.as_ref().is_some_and(|bell| !bell.has_rung()) {
            return false;
        }
        let Self { told, killed, tenure, .. } = self;
        let ended = tenure.as_ref().is_some_and(|tenure| tenure.has_ended().is_some());
        // A sender that has gone is an end as well.
        ended || *killed.borrow() || !matches!(*told.borrow(), Signal::Go) || told.has_changed().is_err()
    }

    /// Ready when the turn in hand may not go on: at a kill, or when the budget of a stop is spent.
    async fn cut(&mut self) -> Cut {
        let Self { told, killed, tenure, .. } = self;
        loop {
            let now = told.borrow_and_update().clone();
            let spent = match &now {
                Signal::Kill => return Cut::Killed,
                Signal::Stop(_, Budget { deadline: Some(deadline), .. }) => Some(*deadline),
                Signal::Stop(..) | Signal::Go => None,
            };
            let spent_at = async {
                match spent {
                    Some(deadline) => tokio::time::sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = set(killed) => return Cut::Killed,
                why = fenced(tenure.as_deref()) => return Cut::Fenced(why),
                changed = told.changed() => if changed.is_err() { return Cut::Killed },
                () = spent_at => if let Signal::Stop(reason, budget) = now {
                    return Cut::Spent(reason, budget.total_ms);
                },
            }
        }
    }
}

/// Ready once the lease has ended that the actor was claimed under.
async fn fenced(tenure: Option<&Tenure>) -> String {
    match tenure {
        Some(tenure) => tenure.ended().await,
        None => std::future::pending().await,
    }
}

/// Ready once it is set. Its sender lives as long as the instance does.
async fn set(flag: &mut watch::Receiver<bool>) {
    if flag.wait_for(|set| *set).await.is_err() {
        std::future::pending::<()>().await;
    }
}
