//! What a run found: as JSON, as a table, as a plot, held against the goals and against an earlier run.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::goals::{self, Verdict};
use crate::measure::{Figure, rate, shown};

/// Of the layout below; raised with every change that an earlier reader does not understand.
pub(crate) const SCHEMA: u32 = 1;
/// A figure that is this much larger than in the earlier run is said to have risen.
const RISEN: f64 = 1.10;

/// A run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) schema: u32,
    pub(crate) version: String,
    pub(crate) commit: String,
    pub(crate) date: String,
    pub(crate) quick: bool,
    /// `release`, or `development`: then the figures say little.
    pub(crate) build: String,
    pub(crate) machine: Machine,
    pub(crate) figures: Vec<Figure>,
    /// What was to be measured and was not, and why.
    pub(crate) missing: Vec<String>,
}

/// Where it ran.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) processors: usize,
    pub(crate) memory_bytes: u64,
    pub(crate) kernel: String,
    /// The load before the run: what others had of the processors.
    pub(crate) load: String,
}

impl Machine {
    pub(crate) fn this() -> Self {
        let field = |file: &str, key: &str| {
            let text = fs::read_to_string(file).unwrap_or_default();
            let line = text.lines().find(|line| line.starts_with(key)).map(str::to_owned);
            line.and_then(|line| Some(line.split_once(':')?.1.trim().to_owned())).unwrap_or_default()
        };
        let memory = field("/proc/meminfo", "MemTotal");
        let kib: u64 = memory.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0);
        let first = |file: &str| fs::read_to_string(file).unwrap_or_default().trim().to_owned();
        Self {
            processor: field("/proc/cpuinfo", "model name"),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: kib * 1_024,
            kernel: first("/proc/sys/kernel/osrelease"),
            load: first("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" "),
        }
    }
}

/// What a command says, in one line; empty where it cannot be run.
pub(crate) fn said(program: &str, words: &[&str]) -> String {
    let output = Command::new(program).args(words).output();
    output.map_or_else(|_| String::new(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

impl Report {
    /// As a page has it.
    pub(crate) fn markdown(&self, earlier: Option<&Self>) -> String {
        let Machine { processor, processors, memory_bytes, kernel, load } = &self.machine;
        let mut quick = if self.quick { ", the quick run" } else { "" }.to_owned();
        if self.build != "release" {
            let _ = write!(quick, ", the build for {}", self.build);
        }
        let mut text = format!(
            "Baton {} ({}), {}{quick}. {processors} processors ({processor}), {} of memory, Linux {kernel}, load {load} before it.\n",
            self.version,
            self.commit,
            self.date,
            shown(*memory_bytes, "bytes"),
        );
        let before = if earlier.is_some() { " before |" } else { "" };
        let rule = if earlier.is_some() { " ---: |" } else { "" };
        let _ = write!(
            text,
            "\n| | p50 | p99 | p99.9 | longest | a second | floor, p50 | ratio |{before}\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |{rule}\n"
        );
        for figure in &self.figures {
            let show = |amount| shown(amount, &figure.unit);
            let (floor, ratio) = match &figure.floor {
                Some(floor) => (show(floor.p50), format!("{:.2}", floor.ratio)),
                None => (String::new(), String::new()),
            };
            let second = figure.per_second.map(rate).unwrap_or_default();
            let _ = write!(
                text,
                "| `{}` | {} | {} | {} | {} | {second} | {floor} | {ratio} |",
                figure.name,
                show(figure.p50),
                show(figure.p99),
                show(figure.p999),
                show(figure.max),
            );
            if let Some(earlier) = earlier {
                let was = earlier.figures.iter().find(|was| was.name == figure.name);
                let _ = write!(text, " {} |", was.map(|was| compared(figure, was)).unwrap_or_default());
            }
            text.push('\n');
        }
        self.floors_into(&mut text);
        self.rivals_into(&mut text);
        self.goals_into(&mut text);
        if !self.missing.is_empty() {
            text.push_str("\nNot measured:\n\n");
            self.missing.iter().for_each(|what| {
                let _ = writeln!(text, "- {what}");
            });
        }
        text
    }

    fn floors_into(&self, text: &mut String) {
        let mut floors: Vec<(&str, Vec<&str>)> = Vec::new();
        for figure in &self.figures {
            let Some(floor) = &figure.floor else { continue };
            match floors.iter_mut().find(|(what, _)| *what == floor.what) {
                Some((_, names)) => names.push(&figure.name),
                None => floors.push((&floor.what, vec![&figure.name])),
            }
        }
        if !floors.is_empty() {
            text.push_str("\nThe floors:\n\n");
        }
        for (what, names) in floors {
            let _ = writeln!(
                text,
                "- {}: {what}",
                names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            );
        }
    }

    fn rivals_into(&self, text: &mut String) {
        let with: Vec<_> = self.figures.iter().filter(|figure| !figure.rivals.is_empty()).collect();
        if with.is_empty() {
            return;
        }
        text.push_str("\n| in the same run | | p50 | p99 | a second | of Baton's p50 |\n| --- | --- | ---: | ---: | ---: | ---: |\n");
        for figure in with {
            let own = rate_or_none(figure.per_second);
            let _ = writeln!(
                text,
                "| `{}` | Baton | {} | {} | {own} | |",
                figure.name,
                shown(figure.p50, &figure.unit),
                shown(figure.p99, &figure.unit)
            );
            for rival in &figure.rivals {
                let _ = writeln!(
                    text,
                    "| | {}: {} | {} | {} | {} | {:.2} |",
                    rival.who,
                    rival.name,
                    shown(rival.p50, &figure.unit),
                    shown(rival.p99, &figure.unit),
                    rate_or_none(rival.per_second),
                    rival.p50 as f64 / figure.p50.max(1) as f64,
                );
            }
        }
    }

    fn goals_into(&self, text: &mut String) {
        let verdicts = goals::judge(&self.figures);
        if verdicts.is_empty() {
            return;
        }
        text.push_str("\n| goal | measured | |\n| --- | --- | --- |\n");
        for Verdict { goal, measured, met } in verdicts {
            let _ = writeln!(text, "| {goal} | {measured} | {} |", if met { "met" } else { "missed" });
        }
    }

    /// Each ratio to its floor, as bars.
    pub(crate) fn plot(&self) -> Result<String, Box<dyn std::error::Error>> {
        use plotters::prelude::*;
        let bars: Vec<(&str, f64)> =
            self.figures.iter().filter_map(|figure| Some((&figure.name[..], figure.floor.as_ref()?.ratio))).collect();
        let highest = bars.iter().map(|(_, ratio)| *ratio).fold(1.0, f64::max) * 1.3;
        let mut svg = String::new();
        {
            let height = 90 + 22 * u32::try_from(bars.len())?;
            let root = SVGBackend::with_string(&mut svg, (860, height)).into_drawing_area();
            root.fill(&WHITE)?;
            let title = format!("Times the floor, p50 (Baton {}, {})", self.version, self.date);
            let mut chart = ChartBuilder::on(&root)
                .caption(title, ("sans-serif", 18))
                .margin(12)
                .y_label_area_size(210)
                .x_label_area_size(34)
                .build_cartesian_2d((0.5..highest).log_scale(), (0..bars.len()).into_segmented())?;
            let label = |at: &SegmentValue<usize>| match at {
                SegmentValue::CenterOf(n) => bars.get(*n).map_or_else(String::new, |(name, _)| (*name).to_owned()),
                _ => String::new(),
            };
            chart
                .configure_mesh()
                .disable_y_mesh()
                .y_labels(bars.len())
                .y_label_formatter(&label)
                .x_label_formatter(&|ratio| format!("{ratio:.0} ×"))
                .x_desc("1: as fast as the same work without Baton")
                .label_style(("sans-serif", 12))
                .draw()?;
            chart.draw_series(bars.iter().enumerate().map(|(n, (_, ratio))| {
                let corners = [(0.5, SegmentValue::Exact(n)), (*ratio, SegmentValue::Exact(n + 1))];
                let mut bar = Rectangle::new(corners, RGBColor(60, 110, 170).filled());
                bar.set_margin(3, 3, 0, 0);
                bar
            }))?;
            chart.draw_series(bars.iter().enumerate().map(|(n, (_, ratio))| {
                Text::new(format!("{ratio:.2}"), (*ratio * 1.02, SegmentValue::CenterOf(n)), ("sans-serif", 12))
            }))?;
            root.present()?;
        }
        Ok(svg)
    }
}

fn rate_or_none(per_second: Option<f64>) -> String {
    per_second.map(rate).unwrap_or_default()
}

/// How a figure stands to the one of an earlier run: by its ratio to the floor where both have one, since two runs see
/// two machines.
fn compared(now: &Figure, was: &Figure) -> String {
    let (by, name) = match (&now.floor, &was.floor) {
        (Some(now), Some(was)) => (now.ratio / was.ratio, "ratio"),
        _ => (now.p50 as f64 / was.p50.max(1) as f64, "p50"),
    };
    let mark = if by > RISEN { " **rose**" } else { "" };
    format!("{:+.0} % of its {name}{mark}", (by - 1.0) * 100.0)
}

/// The report of the last release that is kept in `folder`, unless it is of another layout.
pub(crate) fn last(folder: &Path) -> Result<Option<(PathBuf, Report)>, String> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(None) };
    let files = entries.flatten().map(|entry| entry.path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|ending| ending == "json")).collect();
    files.sort_by_key(|path| numbers(path));
    let Some(path) = files.pop() else { return Ok(None) };
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let report: Report = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    match report.schema {
        SCHEMA => Ok(Some((path, report))),
        other => Err(format!("{} has layout {other}, and this reads {SCHEMA}", path.display())),
    }
}

/// The numbers of a version in a file's name, so that 0.10 comes after 0.9.
fn numbers(path: &Path) -> Vec<u64> {
    let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    name.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}
