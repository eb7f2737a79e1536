//! The live screen, on a real terminal: `script` makes one.

use std::fs;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::cli::Place;
use crate::harness::{baton_bin, guest};

const PATIENCE: Duration = Duration::from_secs(60);

/// `baton top` on a terminal of so many columns and rows.
struct Screen {
    child: Child,
    keys: Option<ChildStdin>,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl Screen {
    fn new(place: &Place, (columns, rows): (u16, u16), args: &str) -> Self {
        let top = format!("exec {} top --every 50ms {args}", baton_bin().display());
        let words = format!(
            "stty cols {columns} rows {rows}; sh -c 'echo pid $$ pid; {top}'; echo ended $? ended; stty -a; echo all done"
        );
        let mut command = std::process::Command::new("script");
        command.args(["-qefc", &words, "/dev/null"]).env("TERM", "xterm-256color").env("SHELL", "/bin/sh");
        command.current_dir(place.data("").parent().unwrap()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (keys, mut out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let shown = Arc::new(Mutex::new(Vec::new()));
        let taken = shown.clone();
        thread::spawn(move || {
            let mut buffer = [0; 4_096];
            while let Ok(read @ 1..) = out.read(&mut buffer) {
                taken.lock().unwrap().extend_from_slice(&buffer[..read]);
            }
        });
        Self { child, keys: Some(keys), shown }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap()).into_owned()
    }

    /// The command's process.
    fn pid(&self) -> Pid {
        let text = self.text();
        Pid::from_raw(text.split("pid ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap()).unwrap()
    }

    /// Waits until `words` were shown after the first `from` bytes, and answers with how many there are by then. Cells that
    /// stay as they were are not drawn again: a gap between two words may be one of them.
    fn shows(&self, words: &str, from: usize) -> usize {
        let limit = Instant::now() + PATIENCE;
        loop {
            let shown = self.shown.lock().unwrap().clone();
            let after = &shown[from.min(shown.len())..];
            if after.windows(words.len()).any(|part| part == words.as_bytes()) {
                return shown.len();
            }
            assert!(Instant::now() < limit, "{words:?} never came: {:?}", String::from_utf8_lossy(after));
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn press(&mut self, keys: &str) {
        let to = self.keys.as_mut().unwrap();
        to.write_all(keys.as_bytes()).unwrap();
        to.flush().unwrap();
    }

    /// Waits for its end: the terminal is as it was. Answers with the exit code.
    fn ended(mut self) -> i32 {
        self.shows("all done", 0);
        drop(self.keys.take());
        self.child.wait().unwrap();
        let text = String::from_utf8_lossy(&self.shown.lock().unwrap()).into_owned();
        let (entered, left) = (text.rfind("\u{1b}[?1049h"), text.rfind("\u{1b}[?1049l"));
        assert!(entered.is_some() && entered < left, "the screen from before is back: {text:?}");
        assert!(text.rfind("\u{1b}[?25l") < text.rfind("\u{1b}[?25h"), "and the cursor: {text:?}");
        let modes: Vec<&str> = text.rsplit("ended").next().unwrap().split([' ', '\r', '\n', ';']).collect();
        assert!(modes.contains(&"icanon") && modes.contains(&"echo") && modes.contains(&"isig"), "{modes:?}");
        text.split("ended ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap()
    }
}

impl Drop for Screen {
    /// What runs on the terminal is told that it is gone.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_terminal_of_forty_columns_shows_the_actors_obeys_keys_and_is_as_it_was_in_the_end() {
    let place = Place::counter();
    let _host = place.host();
    assert_eq!(place.baton(&["call", "more/a", "get"]).code, 0);
    let mut screen = Screen::new(&place, (40, 14), "");
    screen.shows("counter/1", 0);
    let at = screen.shows("MSG/S", 0);
    assert!(!screen.text().contains("RESTARTS"), "there is no room for it");
    screen.press("/more");
    let at = screen.shows("show: ", at);
    screen.press("\r");
    screen.press("\r");
    // Both are of one picture, and may have come in either order.
    screen.shows("phase", at);
    let at = screen.shows("begins", at);
    screen.press("q");
    screen.press("?");
    screen.shows("PgUp", at);
    screen.press("qqqq");
    assert_eq!(screen.ended(), 0);
}

#[test]
fn a_host_that_goes_away_is_told_and_watched_again_once_it_is_back() {
    let place = Place::counter();
    let host = place.host();
    let mut screen = Screen::new(&place, (80, 12), "'counter/*'");
    let at = screen.shows("ready", 0);
    assert_eq!(host.stop(Signal::TERM).code, 0);
    let at = screen.shows("no host an", at);
    let _next = place.host();
    screen.shows("ready", at);
    screen.press("\u{3}");
    assert_eq!(screen.ended(), 0);
}

#[test]
fn a_terminal_is_as_it_was_when_the_command_is_told_to_end() {
    let place = Place::counter();
    let _host = place.host();
    let screen = Screen::new(&place, (80, 12), "");
    screen.shows("counter/1", 0);
    kill_process(screen.pid(), Signal::TERM).unwrap();
    assert_eq!(screen.ended(), 0);
}

#[test]
fn the_command_ends_with_its_terminal() {
    let place = Place::counter();
    let _host = place.host();
    let screen = Screen::new(&place, (80, 12), "");
    screen.shows("counter/1", 0);
    let pid = screen.pid().as_raw_pid();
    // With whoever made it, the terminal goes.
    drop(screen);
    let limit = Instant::now() + PATIENCE;
    // One that has ended may wait for somebody to hear of it.
    let lives = || fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    while lives() {
        assert!(Instant::now() < limit, "it goes on without a terminal");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn where_there_is_no_terminal_it_prints_one_table_and_ends() {
    let place = Place::new(&format!(
        "instances = 50\n[[plugin]]\npath = {:?}\n[[actor]]\nname = \"a\"\nplugin = \"counter\"\n\
         [[actor]]\nname = \"b\"\nplugin = \"counter\"\n",
        guest("counter").display().to_string()
    ));
    assert_eq!(place.baton(&["top"]).code, 4, "no host answers");
    let _host = place.host();
    let told = place.baton(&["top", "--every", "10ms", "--sort", "name"]);
    let names: Vec<_> = told.out.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!((told.code, names), (0, vec!["NAME", "a", "b"]));
    let told = place.baton(&["top", "b", "--every", "10ms"]);
    assert_eq!(told.out.lines().count(), 2, "{told:?}");
}
