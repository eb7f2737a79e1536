//! A way to a server on which connections are cut, answers are held back, or only a part of them comes through.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What becomes of what goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// All of it arrives.
    Clear,
    /// The server hears what it is asked, and its answers are dropped, with the connection.
    AnswersLost,
    /// The same, after so many pieces of answers that arrive.
    AnswersLostAfter(usize),
    /// The same, once the server was asked with so many bytes, and after so many pieces of answers to that.
    AnswersLostOnceAsked(usize, usize),
    /// Of the next answer that is longer, so many bytes arrive, and the connection is cut.
    Truncated(usize),
    /// The server hears what it is asked, and nothing comes back; nothing is closed either.
    Silent,
    /// New connections are closed at once, and so are those that there are when they are used.
    Cut,
}

#[derive(Debug)]
struct Sky {
    weather: Mutex<Weather>,
    over: AtomicBool,
    taken: AtomicU64,
    asked: AtomicU64,
    open: Mutex<Vec<TcpStream>>,
    /// What is listened for, and whether it went by.
    tapped: Mutex<Option<(Vec<u8>, bool)>>,
}

/// A proxy on loopback.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    sky: Arc<Sky>,
}

impl Proxy {
    /// A proxy to that port, with clear weather.
    ///
    /// # Panics
    /// If there is no port.
    #[must_use]
    pub fn to(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("it has one").port();
        let weather = Mutex::new(Weather::Clear);
        let sky = Arc::new(Sky {
            weather,
            over: AtomicBool::new(false),
            taken: AtomicU64::new(0),
            asked: AtomicU64::new(0),
            open: Mutex::default(),
            tapped: Mutex::default(),
        });
        let under = sky.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if under.over.load(Ordering::Acquire) {
                    return;
                }
                under.taken.fetch_add(1, Ordering::AcqRel);
                if under.weather() == Weather::Cut {
                    continue;
                }
                let Ok(there) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                under.carry(&client, &there);
            }
        });
        Self { port, sky }
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on.
    pub fn set(&self, weather: Weather) {
        *self.sky.weather.lock().unwrap_or_else(PoisonError::into_inner) = weather;
        if weather == Weather::Cut {
            self.cut();
        }
    }

    /// How many connections there have been.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.sky.taken.load(Ordering::Acquire)
    }

    /// From now on it is listened for `words`, which have to come in one piece.
    pub fn tap(&self, words: &[u8]) {
        *self.sky.tapped.lock().unwrap_or_else(PoisonError::into_inner) = Some((words.to_owned(), false));
    }

    /// Whether what is listened for has gone by, either way.
    #[must_use]
    pub fn has_heard(&self) -> bool {
        self.sky.tapped.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|(_, heard)| *heard)
    }

    /// How many pieces the server was asked with: one for each round trip of little that is asked.
    #[must_use]
    pub fn asked(&self) -> u64 {
        self.sky.asked.load(Ordering::Acquire)
    }

    fn cut(&self) {
        for stream in self.sky.open.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            drop(stream.shutdown(Shutdown::Both));
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.sky.over.store(true, Ordering::Release);
        self.cut();
        // So that it sees that it is over.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

impl Sky {
    fn weather(&self) -> Weather {
        *self.weather.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listen(&self, piece: &[u8]) {
        if let Some((words, heard)) = &mut *self.tapped.lock().unwrap_or_else(PoisonError::into_inner) {
            *heard |= piece.windows(words.len()).any(|part| part == words);
        }
    }

    fn asked(&self, bytes: usize) {
        self.asked.fetch_add(1, Ordering::AcqRel);
        let mut weather = self.weather.lock().unwrap_or_else(PoisonError::into_inner);
        if let Weather::AnswersLostOnceAsked(left, _) = &mut *weather {
            *left = left.saturating_sub(bytes);
        }
    }

    /// How much of a piece of an answer passes; none: nothing, and the connection is cut.
    fn passes(&self, bytes: usize) -> Option<usize> {
        let mut weather = self.weather.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *weather {
            Weather::Clear => Some(bytes),
            Weather::AnswersLost
            | Weather::Cut
            | Weather::AnswersLostAfter(0)
            | Weather::AnswersLostOnceAsked(0, 0) => None,
            Weather::AnswersLostOnceAsked(1.., _) => Some(bytes),
            Weather::AnswersLostAfter(left) | Weather::AnswersLostOnceAsked(0, left) => {
                *left -= 1;
                Some(bytes)
            }
            Weather::Truncated(most) => Some(bytes.min(*most)),
            Weather::Silent => Some(0),
        }
    }

    fn carry(self: &Arc<Self>, client: &TcpStream, server: &TcpStream) {
        let copy = |stream: &TcpStream| stream.try_clone().expect("another handle");
        self.open.lock().unwrap_or_else(PoisonError::into_inner).extend([copy(client), copy(server)]);
        let (asked, hears) = (copy(client), copy(server));
        let sky = self.clone();
        thread::spawn(move || {
            pump(asked, hears, |piece| {
                sky.listen(piece);
                sky.asked(piece.len());
                Some(piece.len())
            });
        });
        let (said, listens, sky) = (copy(server), copy(client), self.clone());
        thread::spawn(move || {
            pump(said, listens, |piece| {
                sky.listen(piece);
                sky.passes(piece.len())
            });
        });
    }
}

/// Carries bytes from one to the other: as many of each piece as `passes` says. Fewer than all, or none of a connection that
/// is to be cut, end it.
fn pump(mut from: TcpStream, mut to: TcpStream, passes: impl Fn(&[u8]) -> Option<usize>) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        let passed = passes(&bytes[..read]).map(|most| most.min(read));
        let sent = passed.is_some_and(|passed| to.write_all(&bytes[..passed]).is_ok());
        // What is silent stays open.
        if !sent || passed.is_some_and(|passed| passed > 0 && passed < read) {
            break;
        }
    }
    drop(from.shutdown(Shutdown::Both));
    drop(to.shutdown(Shutdown::Both));
}
