//! The numbers in Prometheus' text format.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet, prometheus_text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use super::count::Counted;
use super::table::{METRICS, Metric, MetricKind};
use super::{Metrics, Standing};

/// The media type of the text.
pub(crate) const CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;

/// What is told.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) metrics: Arc<Metrics>,
    pub(super) standing: Standing,
}

/// One value, and the values of its metric's labels in their order.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) labels: Vec<String>,
    pub(super) value: Value,
}

#[derive(Debug)]
pub(super) enum Value {
    Counter(u64),
    Gauge(f64),
    Histogram(Counted),
}

pub(super) fn encoded(reading: Reading) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(reading));
    let mut text = String::new();
    // Only a writer that fails makes this fail, and a string never does.
    let _ = prometheus_text::encode(&mut text, &registry);
    text
}

impl Collector for Reading {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for metric in METRICS {
            let (name, unit) = stem(metric);
            let kind = match metric.kind {
                MetricKind::Counter => MetricType::Counter,
                MetricKind::Gauge => MetricType::Gauge,
                MetricKind::Histogram => MetricType::Histogram,
            };
            let mut family = encoder.encode_descriptor(name, metric.help, unit.as_ref(), kind)?;
            for Sample { labels, value } in (metric.read)(self) {
                let labels: Vec<(&str, &str)> =
                    metric.labels.iter().copied().zip(labels.iter().map(String::as_str)).collect();
                let mut one = family.encode_family(&labels)?;
                match value {
                    Value::Counter(count) => one.encode_counter::<NoLabelSet, _, f64>(&count, None)?,
                    Value::Gauge(value) => one.encode_gauge(&value)?,
                    Value::Histogram(Counted { sum, count, buckets }) => {
                        one.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// A metric's name without what its unit and its kind add to it.
fn stem(metric: &Metric) -> (&'static str, Option<Unit>) {
    let name = metric.name.strip_suffix("_total").unwrap_or(metric.name);
    let with = |suffix, unit| Some((name.strip_suffix(suffix)?, Some(unit)));
    with("_seconds", Unit::Seconds).or_else(|| with("_bytes", Unit::Bytes)).unwrap_or((name, None))
}
