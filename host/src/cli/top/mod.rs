//! `top`: the actors, live.

mod model;
mod palette;
mod source;
mod view;

use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::Duration;

use baton_host::model::NameOrPattern;
use clap::Args;
use ratatui::DefaultTerminal;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use ratatui::crossterm::execute;
use tokio::sync::watch;

use super::client::escaped;
use super::completions;
use super::output::{Failure, bytes, is_coloured, micros, print_table};
use super::{Place, block_on, wait};
use model::{Model, Row, Sort, Wish};
use palette::Palette;
use source::{News, Wanted};

/// How long a key is waited for before what came from the host is looked at.
const GLANCE: Duration = Duration::from_millis(50);
/// Looks that wait to be shown.
const LOOKS: usize = 1;

const HEAD: [&str; 9] = ["NAME", "PHASE", "MSG/S", "P99", "WAITING", "MEMORY", "HANDLED", "RESTARTS", "PLUGIN"];

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Only these: a name, or a pattern such as 'cart/*'
    #[arg(add = completions::actors())]
    pattern: Option<NameOrPattern>,
    /// By what they are sorted at first
    #[arg(long, value_name = "ORDER", value_enum, default_value_t = Sort::Messages)]
    sort: Sort,
    /// How often the host is asked; less often where its answer takes more than an eighth of that
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = wait::parse_positive)]
    every: Duration,
}

pub(super) fn top(place: &Place, options: &Options) -> Result<(), Failure> {
    let query = match &options.pattern {
        Some(pattern) => format!("?match={}", escaped(&pattern.to_string())),
        None => String::new(),
    };
    let mut client = place.client()?;
    let mut model = Model::new(options.sort, String::new());
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return block_on(async {
            model.look(source::look(&mut client, &query, None).await?);
            tokio::time::sleep(options.every).await;
            let look = source::look(&mut client, &query, None).await?;
            model.look(model::Look { since: Some(options.every), ..look });
            print_table(&HEAD, model.rows(0).map(cells))
        });
    }
    // A host that is not there from the start is told as every command tells it.
    block_on(async {
        model.look(source::look(&mut client, &query, None).await?);
        Ok(())
    })?;
    let (news, heard) = sync_channel(LOOKS);
    let (ask, wanted) = watch::channel(Wanted::default());
    let ended = Arc::new(AtomicBool::new(false));
    source::start(place.client()?, query, options.every, news, wanted, ended.clone())?;
    let no_screen = |error: io::Error| Failure::new(format!("the screen cannot be used: {error}"));
    // From here on a panic restores the terminal too.
    let terminal = ratatui::try_init().map_err(no_screen)?;
    let screen = Screen { terminal, ended };
    screen.show(&mut model, &heard, &ask).map_err(no_screen)
}

/// The terminal, which is as it was before once this is gone.
struct Screen {
    terminal: DefaultTerminal,
    /// Whether the command is told to end.
    ended: Arc<AtomicBool>,
}

/// Whoever has no terminal any more has nothing to restore.
fn give_back() {
    drop(ratatui::try_restore());
    drop(execute!(io::stdout(), Show));
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A panic has restored the terminal before it said what it is: once more would be to write over that.
        if std::thread::panicking() {
            drop(execute!(io::stdout(), Show));
        } else {
            give_back();
        }
    }
}

impl Screen {
    fn show(mut self, model: &mut Model, heard: &Receiver<News>, ask: &watch::Sender<Wanted>) -> io::Result<()> {
        let palette = Palette::new(is_coloured());
        let mut stale = true;
        while !self.ended.load(Ordering::Acquire) {
            loop {
                match heard.try_recv() {
                    Ok(News::Look(look)) => model.look(*look),
                    Ok(News::Trouble(why)) => model.trouble = Some(why),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return Err(io::Error::other("the host is watched no more")),
                }
                stale = true;
            }
            if std::mem::take(&mut stale) {
                self.terminal.draw(|frame| view::draw(frame, model, &palette))?;
            }
            if !event::poll(GLANCE)? {
                continue;
            }
            stale = true;
            let Event::Key(key) = event::read()? else { continue };
            if key.kind == KeyEventKind::Release {
                continue;
            }
            match model.key(key, view::page(self.terminal.size()?.height)) {
                Wish::Nothing => {}
                Wish::Quit => return Ok(()),
                // It is gone where the thread has ended, which is told next.
                Wish::Ask => drop(ask.send(Wanted { actor: model.detail.clone() })),
            }
        }
        Ok(())
    }
}

/// A line of the table for where there is no terminal.
fn cells(row: &Row) -> Vec<String> {
    let Row { actor, per_second } = row;
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    vec![
        actor.name.clone(),
        actor.phase.clone(),
        format!("{per_second:.1}"),
        or_dash(actor.turn_us.map(|times| micros(times.p99))),
        actor.waiting.to_string(),
        or_dash(actor.memory_bytes.map(bytes)),
        actor.handled.to_string(),
        actor.restarts.to_string(),
        format!("{} {}", actor.plugin, actor.version.as_deref().unwrap_or_default()).trim_end().to_owned(),
    ]
}
