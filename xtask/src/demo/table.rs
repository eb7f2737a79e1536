//! What the demo shows of its results.

use std::collections::BTreeMap;

use serde_json::Value;

use super::expected::Stats;
use crate::progress::thousands;

/// Above the columns.
const HEADINGS: [&str; 6] = ["airport", "flights", "mean delay", "p50", "p90", "percentiles over"];

/// A table of the `rows` airports with the most flights. Delays are minutes.
pub(super) fn busiest(stats: &BTreeMap<String, Stats>, rows: usize) -> String {
    let mut order: Vec<(&String, &Stats)> = stats.iter().collect();
    order.sort_by(|a, b| b.1.flights.cmp(&a.1.flights).then_with(|| a.0.cmp(b.0)));
    let rows = order.into_iter().take(rows).map(|(name, stats)| {
        [
            name.clone(),
            thousands(stats.flights),
            stats.said["mean_delay"].as_f64().map_or_else(unknown, |minutes| format!("{minutes:.1} min")),
            minutes(&stats.said["p50"]),
            minutes(&stats.said["p90"]),
            format!("{} flights", thousands(stats.histogram_flights)),
        ]
    });
    aligned(&[HEADINGS.map(str::to_owned)].into_iter().chain(rows).collect::<Vec<_>>())
}

/// The first `lines` of `text`, and how many follow.
pub(super) fn beginning(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.trim_end().lines().collect();
    let mut shown = all[..all.len().min(lines)].join("\n");
    if all.len() > lines {
        shown.push_str(&format!("\n… and {} more", all.len() - lines));
    }
    shown
}

fn minutes(value: &Value) -> String {
    value.as_i64().map_or_else(unknown, |minutes| format!("{minutes} min"))
}

fn unknown() -> String {
    "?".to_owned()
}

/// Columns of one width, the first to the left, the others to the right.
fn aligned(rows: &[[String; HEADINGS.len()]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEADINGS.len()).map(width).collect();
    let line = |row: &[String; HEADINGS.len()]| {
        let cells = row.iter().zip(&widths).enumerate();
        let cells = cells.map(
            |(column, (cell, &width))| if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") },
        );
        cells.collect::<Vec<_>>().join("  ")
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_busiest_come_first_and_columns_line_up() {
        let stats = |flights, mean: f64, p50: Option<i64>| Stats {
            flights,
            histogram_flights: 7,
            said: json!({"mean_delay": mean, "p50": p50, "p90": 45}),
        };
        let all = [("AAA", stats(5, 1.25, Some(0))), ("BBB", stats(1103, -2.0, None)), ("CCC", stats(5, 9.0, Some(5)))];
        let all = all.map(|(name, stats)| (name.to_owned(), stats)).into();
        let expected = "\
airport  flights  mean delay    p50     p90  percentiles over
BBB        1,103    -2.0 min      ?  45 min         7 flights
AAA            5     1.2 min  0 min  45 min         7 flights";
        assert_eq!(busiest(&all, 2), expected);
    }

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!(beginning("a\nb\nc\n", 2), "a\nb\n… and 1 more");
        assert_eq!(beginning("a\n", 2), "a");
    }
}
