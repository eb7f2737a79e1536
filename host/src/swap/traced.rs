//! A swap as a part of a trace, with a part for each of its phases.

use super::options::SwapOptions;
use super::report::{SwapOutcome, SwapPhase, SwapReport, SwapStatus};
use crate::model::PluginName;
use crate::telemetry::{Begun, Parent, number, part};

/// What of a swap has begun and not ended.
#[derive(Debug)]
pub(super) struct Traced {
    /// Ends before the whole does.
    phase: Begun,
    current: Option<SwapPhase>,
    whole: Begun,
}

impl Traced {
    /// `begins`: whether it begins a trace, unless it is part of one.
    pub(super) fn begin(plugin: &PluginName, status: &SwapStatus, options: &SwapOptions, begins: bool) -> Self {
        let whole = part!(
            Parent::from_outside(options.trace.as_ref(), begins),
            "swap",
            baton.plugin = %plugin,
            baton.swap = number(status.id),
            baton.from = %status.from.version,
            baton.to = %status.to.version,
            baton.by = status.by,
            baton.outcome = tracing::field::Empty,
            baton.switched = tracing::field::Empty,
            baton.failed = tracing::field::Empty,
        );
        let mut traced = Self { whole, phase: Begun::nothing(), current: None };
        traced.enter(status.phase);
        traced
    }

    /// One that is entered again while it lasts goes on.
    pub(super) fn enter(&mut self, phase: SwapPhase) {
        if self.current != Some(phase) {
            // The one before ends first.
            self.phase = Begun::nothing();
            self.phase = part!(Parent::within(self.whole.place()), "phase", otel.name = format!("swap {phase}"));
            self.current = Some(phase);
        }
    }

    pub(super) fn end(self, report: &SwapReport) {
        self.whole.note(|span| {
            span.record("baton.outcome", report.outcome.name());
            span.record("baton.switched", number(report.switched));
            span.record("baton.failed", number(report.failed));
        });
        if report.outcome != SwapOutcome::Done {
            self.whole.failed(|| report.why.clone().unwrap_or_default());
        }
    }
}
