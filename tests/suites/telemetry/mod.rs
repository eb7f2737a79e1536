//! What a host tells of itself: its log, its traces and its numbers.

mod collector;
mod logs;
mod metrics;
mod traces;
