//! What the screen looks like: a function of the model alone.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Clear, Paragraph, Row as TableRow, Table, Wrap};

use super::super::output::{bytes, micros, moment, one_line};
use super::model::{Actor, Model, Row, Sort};
use super::palette::Palette;

/// Width of a name at least, in columns.
const NAME_COLUMNS: u16 = 16;

const HELP: &[(&str, &str)] = &[
    ("↑ ↓ PgUp PgDn Home End", "move"),
    ("Enter", "look at one actor, and back"),
    ("m  b  l  w  n", "sort by messages/s, memory, p99, waiting, name"),
    ("s  r", "sort by the next one; the other way round"),
    ("/", "show some: a part of the name, or a pattern with *"),
    ("Space", "pause, and go on"),
    ("q  Esc  Ctrl-C", "end"),
];

/// A column: its head, its width, and what stands in it. The first ones count most where there is little room.
struct Column {
    head: &'static str,
    width: u16,
    sort: Option<Sort>,
    text: fn(&Row) -> String,
}

const COLUMNS: &[Column] = &[
    Column { head: "MSG/S", width: 7, sort: Some(Sort::Messages), text: |row| rate(row.per_second) },
    Column { head: "P99", width: 8, sort: Some(Sort::Latency), text: |row| p99(&row.actor) },
    Column { head: "WAIT", width: 6, sort: Some(Sort::Waiting), text: |row| count(row.actor.waiting) },
    Column { head: "MEMORY", width: 9, sort: Some(Sort::Memory), text: |row| memory(&row.actor) },
    Column { head: "PHASE", width: 10, sort: None, text: |row| row.actor.phase.clone() },
    Column { head: "HANDLED", width: 8, sort: None, text: |row| count(row.actor.handled) },
    Column { head: "RESTARTS", width: 8, sort: None, text: |row| count(row.actor.restarts) },
    Column { head: "PLUGIN", width: 24, sort: None, text: |row| plugin(&row.actor) },
];

/// How many actors fit on a screen of this height.
pub(super) fn page(height: u16) -> usize {
    usize::from(height.saturating_sub(4))
}

/// Draws all of it.
pub(super) fn draw(frame: &mut Frame<'_>, model: &Model, palette: &Palette) {
    let [head, body, foot] =
        Layout::vertical([Constraint::Length(2), Constraint::Fill(1), Constraint::Length(1)]).areas(frame.area());
    frame.render_widget(Paragraph::new(head_lines(model, palette)), head);
    match model.detail {
        Some(_) => detail(frame, body, model, palette),
        None => table(frame, body, model, palette),
    }
    frame.render_widget(Paragraph::new(foot_line(model, palette)), foot);
    if model.help {
        help(frame, body, palette);
    }
}

fn head_lines(model: &Model, palette: &Palette) -> Vec<Line<'static>> {
    let (host, sums) = (&model.host, &model.sums);
    let state = match (&model.trouble, &host.store_trouble) {
        (Some(why), _) => Span::styled(format!("no host answers: {}", one_line(why)), palette.bad),
        (None, Some(why)) => Span::styled(format!("the store does not answer: {}", one_line(why)), palette.bad),
        (None, None) if host.state == "ready" => Span::styled("ready", palette.good),
        (None, None) => Span::styled(one_line(&host.state), palette.doubtful),
    };
    let mut first =
        vec![Span::styled("baton ", palette.strong), Span::raw(one_line(&host.version)), Span::raw("  "), state];
    if model.paused {
        first.push(Span::styled("  paused", palette.doubtful));
    }
    let running = format!("  up {}  pid {}  {} plugins", span_of(host.uptime_ms), host.pid, host.plugins);
    first.push(Span::styled(running, palette.faint));
    let mut second = vec![
        Span::raw(format!("{} msg/s  ", rate(sums.per_second))),
        Span::raw(format!("{} wait  ", count(sums.waiting))),
        Span::raw(format!("{}  ", bytes(sums.memory_bytes))),
        Span::raw(format!("{} actors", sums.actors)),
    ];
    for (many, word) in [(sums.held, "held"), (sums.failed, "failed")].into_iter().filter(|(many, _)| *many > 0) {
        second.push(Span::styled(format!("  {many} {word}"), palette.bad));
    }
    vec![Line::from(first), Line::from(second)]
}

fn foot_line(model: &Model, palette: &Palette) -> Line<'static> {
    if model.typing {
        return Line::from(vec![
            Span::styled("show: ", palette.strong),
            Span::raw(one_line(&model.filter)),
            Span::styled("▏", palette.strong),
        ]);
    }
    let mut words = Vec::new();
    if !model.filter.is_empty() {
        words.push(Span::styled(format!("{}  ", one_line(&model.filter)), palette.strong));
    }
    let keys = match model.detail {
        Some(_) => "Esc back  ↑↓ others  ? help  q back",
        None => "? help  / show  s sort  Space pause  q end",
    };
    words.push(Span::styled(keys, palette.faint));
    Line::from(words)
}

/// The columns that there is room for beside the name.
fn columns(width: u16) -> &'static [Column] {
    let mut left = width.saturating_sub(NAME_COLUMNS);
    let fit = COLUMNS.iter().take_while(|column| {
        let needed = column.width + 1;
        let fits = left >= needed;
        left = left.saturating_sub(needed);
        fits
    });
    let fit = fit.count();
    &COLUMNS[..fit]
}

fn table(frame: &mut Frame<'_>, area: Rect, model: &Model, palette: &Palette) {
    let columns = columns(area.width);
    let room = usize::from(area.height.saturating_sub(1));
    let from = first_shown(model.at(), model.len(), room);
    let head = |text: &str, sort: Option<Sort>| match sort == Some(model.sort) {
        true => Cell::from(format!("{text}{}", if model.reverse { "▲" } else { "▼" })).style(palette.strong),
        false => Cell::from(text.to_owned()),
    };
    let heads = std::iter::once(head("NAME", Some(Sort::Name)));
    let heads = heads.chain(columns.iter().map(|column| head(column.head, column.sort)));
    let rows = model.rows(from).take(room).enumerate().map(|(place, row)| {
        let cells = std::iter::once(one_line(&row.actor.name));
        let cells = cells.chain(columns.iter().map(|column| one_line(&(column.text)(row))));
        let style = match row.actor.phase.as_str() {
            "held" | "failed" => palette.bad,
            "restarting" | "suspended" | "stopping" => palette.doubtful,
            _ => Style::new(),
        };
        let cursor = if from + place == model.at() { palette.cursor } else { Style::new() };
        TableRow::new(cells.map(Cell::from)).style(style.patch(cursor))
    });
    let widths = std::iter::once(Constraint::Fill(1));
    let widths = widths.chain(columns.iter().map(|column| Constraint::Length(column.width)));
    let table = Table::new(rows, widths).header(TableRow::new(heads).style(palette.head)).column_spacing(1);
    frame.render_widget(table, area);
    if model.len() == 0 {
        let why = if model.filter.is_empty() { "no actors" } else { "no actor has such a name" };
        let below = Rect { y: area.y + area.height.min(2), height: area.height.saturating_sub(2).min(1), ..area };
        frame.render_widget(Paragraph::new(why).alignment(Alignment::Center).style(palette.faint), below);
    }
}

/// The first place on the screen, so that the cursor is on it.
fn first_shown(at: usize, len: usize, room: usize) -> usize {
    let half = room / 2;
    at.saturating_sub(half).min(len.saturating_sub(room))
}

fn detail(frame: &mut Frame<'_>, area: Rect, model: &Model, palette: &Palette) {
    let name = model.detail.clone().unwrap_or_default();
    let block = Block::bordered().title(format!(" {} ", one_line(&name))).border_style(palette.faint);
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let Some(row) = model.looked_at() else {
        frame.render_widget(Paragraph::new("nobody has this name at present").style(palette.faint), inside);
        return;
    };
    let facts = facts(row);
    // Where there is little room, the newest events are worth more than the last facts.
    let most = inside.height.saturating_sub((inside.height / 2).min(4));
    let height = u16::try_from(facts.len()).unwrap_or(u16::MAX).min(most);
    let [above, below] = Layout::vertical([Constraint::Length(height), Constraint::Fill(1)]).areas(inside);
    let lines = facts.into_iter().map(|(head, text)| {
        Line::from(vec![Span::styled(format!("{head:<9}"), palette.faint), Span::raw(one_line(&text))])
    });
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), above);
    // The last ones, the newest at the top.
    let events = model.events.iter().rev().take(usize::from(below.height)).map(|line| Line::raw(one_line(line)));
    let mut lines = vec![Line::styled("last events", palette.head)];
    lines.extend(events);
    frame.render_widget(Paragraph::new(lines), below);
}

fn facts(row: &Row) -> Vec<(&'static str, String)> {
    let Row { actor, per_second } = row;
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let turns = actor.turn_us.map(|times| {
        format!("half within {}, 99 % within {}, longest {}", micros(times.p50), micros(times.p99), micros(times.max))
    });
    let mut facts = vec![
        ("phase", actor.phase.clone()),
        ("plugin", plugin(actor)),
        ("under", actor.supervisor.clone().unwrap_or_else(|| "the root".to_owned())),
        ("runs", format!("generation {}, since {}", actor.generation, or_dash(actor.started_ms.map(moment)))),
        ("schema", or_dash(actor.schema.map(|schema| schema.to_string()))),
        ("messages", format!("{}/s, {} handled, {} restarts", rate(*per_second), actor.handled, actor.restarts)),
        ("turns", or_dash(turns)),
        ("waiting", format!("{}, {}", actor.waiting, bytes(actor.waiting_bytes))),
        ("memory", memory(actor)),
    ];
    facts.extend(actor.note.clone().map(|note| ("note", note)));
    facts
}

fn help(frame: &mut Frame<'_>, area: Rect, palette: &Palette) {
    let lines =
        HELP.iter().flat_map(|(keys, what)| [Line::styled(*keys, palette.strong), Line::raw(format!("  {what}"))]);
    let block = Block::bordered().title(" keys ").border_style(palette.faint);
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()).wrap(Wrap { trim: false }).block(block), area);
}

fn plugin(actor: &Actor) -> String {
    format!("{} {}", actor.plugin, actor.version.as_deref().unwrap_or_default()).trim_end().to_owned()
}

fn p99(actor: &Actor) -> String {
    actor.turn_us.map_or_else(|| "-".to_owned(), |times| micros(times.p99))
}

fn memory(actor: &Actor) -> String {
    actor.memory_bytes.map_or_else(|| "-".to_owned(), bytes)
}

fn rate(per_second: f64) -> String {
    match per_second {
        rate if rate < 10.0 && rate > 0.0 => format!("{rate:.1}"),
        rate => count(rate.round() as u64),
    }
}

/// A number in few columns.
fn count(number: u64) -> String {
    match number {
        0..100_000 => number.to_string(),
        100_000..10_000_000 => format!("{}k", number / 1_000),
        10_000_000..10_000_000_000 => format!("{}M", number / 1_000_000),
        _ => format!("{}G", number / 1_000_000_000),
    }
}

/// A time that has gone by, in its two largest units.
fn span_of(ms: u64) -> String {
    let seconds = ms / 1_000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::crossterm::event::KeyCode;

    use super::super::model::TurnTimes;
    use super::super::model::tests::{actor, look, press};
    use super::*;

    fn drawn(model: &Model, (width, height): (u16, u16)) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("in memory");
        terminal.draw(|frame| draw(frame, model, &Palette::new(true))).expect("in memory");
        let buffer = terminal.backend().buffer();
        let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
        (0..height).map(line).collect()
    }

    fn model() -> Model {
        let mut model = Model::new(Sort::Messages, String::new());
        let busy = |handled| Actor {
            waiting: 12,
            turn_us: Some(TurnTimes { p50: 80, p99: 1_250, max: 9_000 }),
            ..actor("cart/1", handled)
        };
        let held =
            || Actor { phase: "held".into(), memory_bytes: None, note: Some("damaged".into()), ..actor("cart/2", 0) };
        model.look(look(vec![busy(100), held()], 0));
        model.look(look(vec![busy(5_100), held()], 1_000));
        model
    }

    #[test]
    fn a_wide_screen_shows_everything() {
        let lines = drawn(&model(), (110, 7));
        assert_eq!(lines[0], "baton 0.1.0  ready  up 0 s  pid 7  0 plugins");
        assert_eq!(lines[1], "5000 msg/s  12 wait  128.0 KiB  2 actors  1 held");
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
        assert_eq!(words(&lines[2]), "NAME MSG/S▼ P99 WAIT MEMORY PHASE HANDLED RESTARTS PLUGIN");
        assert_eq!(words(&lines[3]), "cart/1 5000 1.2 ms 12 128.0 KiB running 5100 0 counter 1.0.0");
        assert_eq!(words(&lines[4]), "cart/2 0 - 0 - held 0 0 counter 1.0.0");
        assert!(lines[6].starts_with("? help"), "{lines:?}");
    }

    #[test]
    fn forty_columns_show_what_counts_most_and_smaller_ones_do_no_harm() {
        let lines = drawn(&model(), (40, 8));
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&lines[2]), ["NAME", "MSG/S▼", "P99", "WAIT"]);
        assert_eq!(words(&lines[3]), ["cart/1", "5000", "1.2", "ms", "12"]);
        for size in [(1, 1), (3, 2), (10, 3), (20, 4), (39, 5), (300, 100)] {
            let mut model = model();
            drawn(&model, size);
            press(&mut model, &[KeyCode::Enter]);
            drawn(&model, size);
            press(&mut model, &[KeyCode::Char('?')]);
            drawn(&model, size);
        }
    }

    #[test]
    fn of_many_actors_those_around_the_cursor_are_shown() {
        let mut model = Model::new(Sort::Name, String::new());
        model.look(look((0..10_000).map(|n| actor(&format!("a/{n:05}"), 0)).collect(), 0));
        let seen = |model: &Model| drawn(model, (40, 14))[3..13].join(" ");
        assert!(seen(&model).starts_with("a/00000") && seen(&model).contains("a/00009"));
        press(&mut model, &[KeyCode::End]);
        assert!(seen(&model).contains("a/09999") && seen(&model).starts_with("a/09990"));
        press(&mut model, &[KeyCode::PageUp]);
        assert!(seen(&model).contains("a/09989"), "{}", seen(&model));
        for (at, len, room, from) in [(0, 0, 5, 0), (4, 5, 5, 0), (9, 10, 4, 6), (5, 10, 4, 3), (3, 10, 0, 3)] {
            assert_eq!(first_shown(at, len, room), from, "{at} of {len}, {room}");
        }
    }

    #[test]
    fn one_actor_fills_the_screen_with_what_it_has_gone_through() {
        let mut model = model();
        press(&mut model, &[KeyCode::Down, KeyCode::Enter]);
        model.events = vec!["first".into(), "then \u{1b}[2J".into()];
        let lines = drawn(&model, (60, 20));
        let text = lines.join("\n");
        assert!(lines[2].contains(" cart/2 ") && text.contains("phase    held") && text.contains("note     damaged"));
        let place = |what: &str| text.find(what).expect(what);
        assert!(place("then \\u{1b}[2J") < place("first"), "the newest stands at the top, and is harmless:\n{text}");
        model.look(look(Vec::new(), 0));
        assert!(drawn(&model, (60, 20)).join("").contains("nobody has this name at present"));
    }

    #[test]
    fn what_is_wrong_with_the_host_stands_at_the_top() {
        let mut model = model();
        model.host.store_trouble = Some("no space".into());
        assert!(drawn(&model, (80, 8))[0].contains("the store does not answer: no space"));
        model.trouble = Some("connection\nrefused".into());
        assert!(drawn(&model, (80, 8))[0].contains("no host answers: connection refused"));
        (model.host.store_trouble, model.trouble, model.host.state) = (None, None, "stopping".into());
        assert!(drawn(&model, (80, 8))[0].contains("stopping"));
        press(&mut model, &[KeyCode::Char(' '), KeyCode::Char('/'), KeyCode::Char('x')]);
        let lines = drawn(&model, (80, 8));
        assert!(lines[0].contains("paused") && lines[7].starts_with("show: x"), "{lines:?}");
        assert!(lines[4].contains("no actor has such a name"), "{lines:?}");
    }

    #[test]
    fn numbers_take_few_columns() {
        for (number, text) in
            [(0, "0"), (99_999, "99999"), (100_000, "100k"), (12_345_678, "12M"), (99_000_000_000, "99G")]
        {
            assert_eq!(count(number), text);
        }
        for (per_second, text) in [(0.0, "0"), (0.5, "0.5"), (9.94, "9.9"), (10.4, "10"), (123_456.0, "123k")] {
            assert_eq!(rate(per_second), text);
        }
        for (ms, text) in [(999, "0 s"), (61_000, "1 min 1 s"), (3_660_000, "1 h 1 min"), (90_000_000, "1 d 1 h")] {
            assert_eq!(span_of(ms), text);
        }
    }
}
