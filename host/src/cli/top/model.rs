//! What the screen is about, and what a key does to it. No terminal and no host here.

use std::collections::HashMap;
use std::time::Duration;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde::Deserialize;

/// Longest filter that can be typed, in characters.
const FILTER_CHARS: usize = 255;

/// An actor as the host tells of it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Actor {
    pub(super) name: String,
    pub(super) plugin: String,
    pub(super) version: Option<String>,
    pub(super) supervisor: Option<String>,
    pub(super) phase: String,
    pub(super) generation: u64,
    pub(super) schema: Option<u32>,
    pub(super) started_ms: Option<u64>,
    pub(super) waiting: u64,
    pub(super) waiting_bytes: u64,
    pub(super) handled: u64,
    pub(super) restarts: u64,
    pub(super) turn_us: Option<TurnTimes>,
    pub(super) memory_bytes: Option<u64>,
    pub(super) note: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct TurnTimes {
    pub(super) p50: u64,
    pub(super) p99: u64,
    pub(super) max: u64,
}

/// The host as it tells of itself.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct HostFacts {
    pub(super) state: String,
    pub(super) version: String,
    pub(super) pid: u64,
    pub(super) uptime_ms: u64,
    pub(super) plugins: u64,
    pub(super) store_trouble: Option<String>,
}

/// One look at the host.
#[derive(Debug, Clone)]
pub(super) struct Look {
    pub(super) host: HostFacts,
    pub(super) actors: Vec<Actor>,
    /// Since the look before; none: it is the first.
    pub(super) since: Option<Duration>,
    /// What the actor that is looked at has gone through, oldest first, a line for each event.
    pub(super) events: Option<(String, Vec<String>)>,
}

/// By what the actors are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Sort {
    /// Messages a second
    Messages,
    /// Linear memory
    Memory,
    /// What all but one in a hundred of the last turns took at most
    Latency,
    /// Messages that wait
    Waiting,
    /// Names
    Name,
}

impl Sort {
    const ALL: [Self; 5] = [Self::Messages, Self::Memory, Self::Latency, Self::Waiting, Self::Name];

    fn next(self) -> Self {
        let at = Self::ALL.iter().position(|sort| *sort == self).unwrap_or_default();
        Self::ALL[(at + 1) % Self::ALL.len()]
    }
}

/// An actor, and how many messages it has handled a second since the look before.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) actor: Actor,
    pub(super) per_second: f64,
}

/// What all actors together have.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Sums {
    pub(super) actors: usize,
    pub(super) held: usize,
    pub(super) failed: usize,
    pub(super) per_second: f64,
    pub(super) waiting: u64,
    pub(super) memory_bytes: u64,
}

/// What a key asks of the loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Nothing,
    Quit,
    /// Another actor is looked at, or none: the host is to be asked at once.
    Ask,
}

/// All that the screen shows.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) host: HostFacts,
    pub(super) sums: Sums,
    /// Why the host does not answer at present.
    pub(super) trouble: Option<String>,
    pub(super) sort: Sort,
    pub(super) reverse: bool,
    pub(super) filter: String,
    /// The filter is being typed.
    pub(super) typing: bool,
    pub(super) paused: bool,
    pub(super) help: bool,
    /// The actor that is looked at by itself.
    pub(super) detail: Option<String>,
    pub(super) events: Vec<String>,
    rows: Vec<Row>,
    /// Places of those that the filter means, in their order.
    shown: Vec<usize>,
    /// The name that the cursor is on: it stays with the actor, whatever place that has.
    selected: Option<String>,
    /// The cursor's place among those that are shown.
    at: usize,
    handled: HashMap<String, u64>,
}

impl Model {
    pub(super) fn new(sort: Sort, filter: String) -> Self {
        Self {
            host: HostFacts::default(),
            sums: Sums::default(),
            trouble: None,
            sort,
            reverse: false,
            filter,
            typing: false,
            paused: false,
            help: false,
            detail: None,
            events: Vec::new(),
            rows: Vec::new(),
            shown: Vec::new(),
            selected: None,
            at: 0,
            handled: HashMap::new(),
        }
    }

    /// The actors that are shown, from the place `from` on.
    pub(super) fn rows(&self, from: usize) -> impl Iterator<Item = &Row> {
        self.shown.iter().skip(from).filter_map(|at| self.rows.get(*at))
    }

    /// How many are shown.
    pub(super) fn len(&self) -> usize {
        self.shown.len()
    }

    /// The cursor's place among them.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The actor that is looked at by itself, where it is there.
    pub(super) fn looked_at(&self) -> Option<&Row> {
        let name = self.detail.as_ref()?;
        self.rows.iter().find(|row| row.actor.name == *name)
    }

    /// What the host has told. While it is paused nothing changes, but for whether the host answers.
    pub(super) fn look(&mut self, look: Look) {
        self.trouble = None;
        if self.paused {
            return;
        }
        let Look { host, actors, since, events } = look;
        self.host = host;
        let seconds = since.map(|since| since.as_secs_f64()).filter(|seconds| *seconds > 0.0);
        let mut handled = HashMap::with_capacity(actors.len());
        let mut rows = Vec::with_capacity(actors.len());
        for actor in actors {
            // One that is new has begun within that time; one that was started anew counts from 0 again.
            let before = self.handled.get(&actor.name).copied().filter(|before| *before <= actor.handled);
            let more = actor.handled - before.unwrap_or_default();
            let per_second = seconds.map_or(0.0, |seconds| more as f64 / seconds);
            handled.insert(actor.name.clone(), actor.handled);
            rows.push(Row { actor, per_second });
        }
        (self.rows, self.handled) = (rows, handled);
        self.sums = self.summed();
        if let Some((_, lines)) = events.filter(|(name, _)| self.detail.as_ref() == Some(name)) {
            self.events = lines;
        }
        self.arrange();
    }

    fn summed(&self) -> Sums {
        let mut sums = Sums { actors: self.rows.len(), ..Sums::default() };
        for Row { actor, per_second } in &self.rows {
            sums.held += usize::from(actor.phase == "held");
            sums.failed += usize::from(actor.phase == "failed");
            sums.per_second += per_second;
            sums.waiting += actor.waiting;
            sums.memory_bytes += actor.memory_bytes.unwrap_or_default();
        }
        sums
    }

    /// Chooses and sorts what is shown, and finds the cursor's actor again.
    fn arrange(&mut self) {
        let (rows, sort) = (&self.rows, self.sort);
        let mut shown: Vec<usize> = (0..rows.len()).filter(|at| means(&self.filter, &rows[*at].actor.name)).collect();
        let latency = |row: &Row| row.actor.turn_us.map_or(0, |times| times.p99);
        shown.sort_unstable_by(|a, b| {
            let (a, b) = (&rows[*a], &rows[*b]);
            // The largest first, and names in their own order.
            let order = match sort {
                Sort::Messages => b.per_second.total_cmp(&a.per_second),
                Sort::Memory => b.actor.memory_bytes.cmp(&a.actor.memory_bytes),
                Sort::Latency => latency(b).cmp(&latency(a)),
                Sort::Waiting => b.actor.waiting.cmp(&a.actor.waiting),
                Sort::Name => std::cmp::Ordering::Equal,
            };
            let order = order.then_with(|| a.actor.name.cmp(&b.actor.name));
            if self.reverse { order.reverse() } else { order }
        });
        self.shown = shown;
        let is_selected = |at: &usize| self.selected.as_ref() == Some(&self.rows[*at].actor.name);
        let found = self.shown.iter().position(is_selected);
        // While the cursor is at the top it stays there, whoever comes to be there.
        let place = if self.at == 0 { 0 } else { found.unwrap_or(self.at) };
        self.put(place);
    }

    fn put(&mut self, place: usize) {
        self.at = place.min(self.shown.len().saturating_sub(1));
        self.selected = self.shown.get(self.at).map(|at| self.rows[*at].actor.name.clone());
    }

    /// What a key does. `page`: how many actors fit on the screen.
    pub(super) fn key(&mut self, key: KeyEvent, page: usize) -> Wish {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return if key.code == KeyCode::Char('c') { Wish::Quit } else { Wish::Nothing };
        }
        if self.typing {
            self.type_filter(key.code);
            return Wish::Nothing;
        }
        let last = self.shown.len().saturating_sub(1);
        match key.code {
            KeyCode::Esc | KeyCode::Char('q') if self.help => self.help = false,
            KeyCode::Esc | KeyCode::Char('q') if self.detail.is_some() => return self.open(None),
            KeyCode::Esc if !self.filter.is_empty() => {
                self.filter.clear();
                self.arrange();
            }
            KeyCode::Esc | KeyCode::Char('q') => return Wish::Quit,
            KeyCode::Char('?' | 'h') => self.help = !self.help,
            KeyCode::Char(' ') => self.paused = !self.paused,
            KeyCode::Char('/') => (self.typing, self.detail) = (true, None),
            KeyCode::Char('s') => self.sort_by(self.sort.next()),
            KeyCode::Char('m') => self.sort_by(Sort::Messages),
            KeyCode::Char('b') => self.sort_by(Sort::Memory),
            KeyCode::Char('l') => self.sort_by(Sort::Latency),
            KeyCode::Char('w') => self.sort_by(Sort::Waiting),
            KeyCode::Char('n') => self.sort_by(Sort::Name),
            KeyCode::Char('r') => {
                self.reverse = !self.reverse;
                self.arrange();
            }
            KeyCode::Enter if self.detail.is_some() => return self.open(None),
            KeyCode::Enter => return self.open(self.selected.clone()),
            KeyCode::Up | KeyCode::Char('k') => return self.go(self.at.saturating_sub(1)),
            KeyCode::Down | KeyCode::Char('j') => return self.go((self.at + 1).min(last)),
            KeyCode::PageUp => return self.go(self.at.saturating_sub(page.max(1))),
            KeyCode::PageDown => return self.go((self.at + page.max(1)).min(last)),
            KeyCode::Home | KeyCode::Char('g') => return self.go(0),
            KeyCode::End | KeyCode::Char('G') => return self.go(last),
            _ => {}
        }
        Wish::Nothing
    }

    fn type_filter(&mut self, code: KeyCode) {
        match code {
            KeyCode::Enter => self.typing = false,
            KeyCode::Esc => {
                self.typing = false;
                self.filter.clear();
            }
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Char(c) if !c.is_control() && self.filter.chars().count() < FILTER_CHARS => self.filter.push(c),
            _ => {}
        }
        self.arrange();
    }

    fn sort_by(&mut self, sort: Sort) {
        self.sort = sort;
        self.arrange();
    }

    /// Moves the cursor. What is looked at by itself goes with it.
    fn go(&mut self, place: usize) -> Wish {
        self.put(place);
        if self.detail.is_some() && self.detail != self.selected {
            return self.open(self.selected.clone());
        }
        Wish::Nothing
    }

    fn open(&mut self, name: Option<String>) -> Wish {
        self.detail = name;
        self.events.clear();
        Wish::Ask
    }
}

/// Whether a filter means a name: one with a `*` as a pattern, any other as a part of the name.
fn means(filter: &str, name: &str) -> bool {
    match filter.split_once('*') {
        None => name.contains(filter),
        Some((before, after)) => {
            name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn actor(name: &str, handled: u64) -> Actor {
        Actor {
            name: name.to_owned(),
            plugin: "counter".to_owned(),
            version: Some("1.0.0".to_owned()),
            supervisor: None,
            phase: "running".to_owned(),
            generation: 1,
            schema: None,
            started_ms: Some(1_795_439_109_000),
            waiting: 0,
            waiting_bytes: 0,
            handled,
            restarts: 0,
            turn_us: None,
            memory_bytes: Some(131_072),
            note: None,
        }
    }

    pub(in super::super) fn look(actors: Vec<Actor>, since_ms: u64) -> Look {
        let host = HostFacts { state: "ready".into(), version: "0.1.0".into(), pid: 7, ..HostFacts::default() };
        let since = Some(Duration::from_millis(since_ms)).filter(|since| !since.is_zero());
        Look { host, actors, since, events: None }
    }

    pub(in super::super) fn press(model: &mut Model, keys: &[KeyCode]) -> Wish {
        keys.iter().fold(Wish::Nothing, |_, code| model.key(KeyEvent::new(*code, KeyModifiers::NONE), 10))
    }

    fn typed(model: &mut Model, text: &str) {
        let keys: Vec<KeyCode> = text.chars().map(KeyCode::Char).collect();
        press(model, &keys);
    }

    fn names(model: &Model) -> Vec<&str> {
        model.rows(0).map(|row| row.actor.name.as_str()).collect()
    }

    fn selected(model: &Model) -> &str {
        model.selected.as_deref().unwrap_or_default()
    }

    #[test]
    fn messages_a_second_are_what_was_handled_since_the_look_before() {
        let mut model = Model::new(Sort::Messages, String::new());
        model.look(look(vec![actor("a", 1_000), actor("b", 10)], 0));
        assert_eq!((names(&model), model.sums.per_second), (vec!["a", "b"], 0.0), "nothing is known yet");
        model.look(look(vec![actor("a", 1_010), actor("b", 60), actor("new", 4)], 2_000));
        let rates: Vec<f64> = model.rows(0).map(|row| row.per_second).collect();
        assert_eq!((names(&model), rates), (vec!["b", "a", "new"], vec![25.0, 5.0, 2.0]));
        assert_eq!(model.sums.per_second, 32.0);
        model.look(look(vec![actor("b", 6)], 2_000));
        assert_eq!(model.rows(0).map(|row| row.per_second).collect::<Vec<_>>(), [3.0], "it was started anew");
    }

    #[test]
    fn each_order_has_its_key_and_names_settle_what_is_equal() {
        let mut model = Model::new(Sort::Messages, String::new());
        let mut actors = vec![actor("c", 0), actor("a", 0), actor("b", 0)];
        (actors[0].waiting, actors[1].memory_bytes) = (5, None);
        actors[2].turn_us = Some(TurnTimes { p50: 1, p99: 9, max: 10 });
        model.look(look(actors, 0));
        for (key, order) in [('m', "abc"), ('b', "bca"), ('l', "bac"), ('w', "cab"), ('n', "abc")] {
            press(&mut model, &[KeyCode::Char(key)]);
            assert_eq!(names(&model).concat(), order, "{key}");
        }
        press(&mut model, &[KeyCode::Char('r')]);
        assert_eq!(names(&model).concat(), "cba");
        press(&mut model, &[KeyCode::Char('r'), KeyCode::Char('s')]);
        assert_eq!(model.sort, Sort::Messages, "round and round");
    }

    #[test]
    fn the_cursor_stays_with_its_actor_and_at_the_top_with_the_top() {
        let mut model = Model::new(Sort::Waiting, String::new());
        let actors = |waiting: [u64; 3]| {
            ["a", "b", "c"]
                .into_iter()
                .zip(waiting)
                .map(|(name, waiting)| Actor { waiting, ..actor(name, 0) })
                .collect()
        };
        model.look(look(actors([3, 2, 1]), 0));
        assert_eq!(selected(&model), "a");
        model.look(look(actors([0, 2, 1]), 0));
        assert_eq!((selected(&model), model.at()), ("b", 0));
        press(&mut model, &[KeyCode::Down]);
        assert_eq!(selected(&model), "c");
        model.look(look(actors([9, 8, 7]), 0));
        assert_eq!((selected(&model), model.at()), ("c", 2));
        press(&mut model, &[KeyCode::Down, KeyCode::Down, KeyCode::PageDown, KeyCode::End]);
        assert_eq!(model.at(), 2, "there is no place beyond the last");
        press(&mut model, &[KeyCode::PageUp, KeyCode::Up]);
        assert_eq!(model.at(), 0);
        model.look(look(Vec::new(), 0));
        assert_eq!(press(&mut model, &[KeyCode::Down, KeyCode::Enter]), Wish::Ask);
        assert_eq!((selected(&model), model.detail.as_deref()), ("", None));
    }

    #[test]
    fn a_filter_is_typed_and_means_a_part_or_a_pattern() {
        let mut model = Model::new(Sort::Name, String::new());
        model.look(look(vec![actor("cart/1", 0), actor("cart/2", 0), actor("stock", 0)], 0));
        press(&mut model, &[KeyCode::Char('/')]);
        typed(&mut model, "cart/*q");
        assert!(model.typing && names(&model).is_empty(), "`q` is typed, and ends nothing");
        press(&mut model, &[KeyCode::Backspace]);
        assert_eq!(names(&model), ["cart/1", "cart/2"]);
        press(&mut model, &[KeyCode::Enter]);
        assert!(!model.typing);
        assert_eq!(press(&mut model, &[KeyCode::Esc]), Wish::Nothing, "it ends the filter first");
        assert_eq!(model.len(), 3);
        press(&mut model, &[KeyCode::Char('/')]);
        typed(&mut model, "/2");
        assert_eq!(names(&model), ["cart/2"]);
        press(&mut model, &[KeyCode::Esc]);
        assert_eq!((model.len(), press(&mut model, &[KeyCode::Esc])), (3, Wish::Quit));
        for (filter, name, yes) in [("*", "a", true), ("a*b", "ab", true), ("ab*ba", "aba", false), ("*x", "ax", true)]
        {
            assert_eq!(means(filter, name), yes, "{filter} {name}");
        }
    }

    #[test]
    fn paused_it_shows_what_it_showed_and_still_whether_the_host_answers() {
        let mut model = Model::new(Sort::Name, String::new());
        model.look(look(vec![actor("a", 0)], 0));
        press(&mut model, &[KeyCode::Char(' ')]);
        model.trouble = Some("gone".into());
        model.look(look(vec![actor("a", 0), actor("b", 0)], 1_000));
        assert_eq!((names(&model), model.trouble.as_deref()), (vec!["a"], None));
        press(&mut model, &[KeyCode::Char(' ')]);
        model.look(look(vec![actor("a", 0), actor("b", 0)], 1_000));
        assert_eq!(model.len(), 2);
    }

    #[test]
    fn one_actor_is_looked_at_with_its_own_events() {
        let mut model = Model::new(Sort::Name, String::new());
        let actors = || vec![actor("a", 0), actor("b", 0)];
        model.look(look(actors(), 0));
        assert_eq!(press(&mut model, &[KeyCode::Down, KeyCode::Enter]), Wish::Ask);
        assert_eq!(model.looked_at().map(|row| row.actor.name.as_str()), Some("b"));
        let of = |name: &str| Some((name.to_owned(), vec![format!("{name} runs")]));
        model.look(Look { events: of("a"), ..look(actors(), 0) });
        assert!(model.events.is_empty(), "they are another's, and came late");
        model.look(Look { events: of("b"), ..look(actors(), 0) });
        assert_eq!(model.events, ["b runs"]);
        assert_eq!(press(&mut model, &[KeyCode::Up]), Wish::Ask);
        assert_eq!((model.detail.as_deref(), model.events.len()), (Some("a"), 0));
        model.look(look(vec![actor("b", 0)], 0));
        assert!(model.looked_at().is_none() && model.detail.is_some(), "it is not there at present");
        assert_eq!((press(&mut model, &[KeyCode::Esc]), model.detail.as_deref()), (Wish::Ask, None));
        assert_eq!(press(&mut model, &[KeyCode::Char('q')]), Wish::Quit);
        let control = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(model.key(control, 10), Wish::Quit);
    }
}
