//! Whether a host lives and is ready, as a balancer asks and as systemd is told.

use std::os::unix::net::UnixDatagram;
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use super::{get, one_that_never_comes};
use crate::cli::{Place, Running};
use crate::harness::until;

/// Where systemd would listen.
struct Manager {
    notices: mpsc::Receiver<String>,
    path: String,
}

impl Manager {
    fn listen(place: &Place) -> Self {
        let path = place.write("notify", b"").display().to_string();
        std::fs::remove_file(&path).unwrap();
        let socket = UnixDatagram::bind(&path).unwrap();
        // Taken as they come, as systemd does.
        let (tell, notices) = mpsc::channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4_096];
            while let Ok(bytes) = socket.recv(&mut buffer) {
                if tell.send(String::from_utf8(buffer[..bytes].to_vec()).unwrap()).is_err() {
                    return;
                }
            }
        });
        Self { notices, path }
    }

    fn host(&self, place: &Place) -> Running {
        place.host_with(&[("NOTIFY_SOCKET", self.path.as_str()), ("WATCHDOG_USEC", "300000")])
    }

    /// What comes until a notice has all of these lines, that one included.
    fn hear(&self, lines: &[&str]) -> Vec<String> {
        let mut heard = Vec::new();
        loop {
            let notice = self.notices.recv_timeout(Duration::from_secs(60));
            let notice = notice.unwrap_or_else(|_| panic!("{lines:?} did not come after {heard:#?}"));
            heard.push(notice.clone());
            if lines.iter().all(|line| notice.lines().any(|found| found.starts_with(line))) {
                return heard;
            }
        }
    }
}

#[tokio::test]
async fn a_host_is_ready_once_all_actors_have_their_states_and_answers_before() {
    let place = one_that_never_comes();
    let manager = Manager::listen(&place);
    let host = manager.host(&place);
    let startup = |settled: u64, done: bool| json!({ "listed": 2, "settled": settled, "done": done });
    until("the counter has its state", || get(&place, "/v1/health").1["startup"] == startup(1, false)).await;
    let (status, problem) = get(&place, "/readyz");
    assert_eq!((status, &problem["code"], &problem["state"]), (503, &json!("not-ready"), &json!("starting")));
    assert_eq!(problem["detail"], "the host is starting: 1 of 2 actors have taken over their states");
    assert_eq!(problem["startup"], startup(1, false));
    let (status, lives) = get(&place, "/livez");
    assert_eq!((status, &lives["state"]), (200, &json!("starting")));
    assert_eq!(place.baton(&["health", "--ready"]).code, 1);
    // Who has its state is served meanwhile.
    assert_eq!(place.baton(&["call", "counter/1", r#"{"add":2}"#]).out, "2\n");
    let heard = manager.hear(&["STATUS=restoring: 1 of 2 actors"]);
    assert!(heard[0].starts_with("STATUS=opening the store"), "{heard:#?}");
    assert!(heard.iter().any(|notice| notice.contains("EXTEND_TIMEOUT_USEC=20000000")), "{heard:#?}");
    assert!(!heard.iter().any(|notice| notice.contains("READY=1")), "{heard:#?}");
    let told = place.baton(&["events", "--json", "--no-follow", "--kinds", "host"]);
    assert_eq!((told.code, told.out.as_str()), (0, ""), "a host that restores is not ready: {told:?}");

    // Nothing of it can be saved.
    assert!(matches!(place.baton(&["stop", "slow/1"]).code, 0 | 3));
    let (status, ready) = get(&place, "/readyz");
    assert_eq!((status, ready), (200, json!({ "state": "ready", "startup": startup(2, true) })));
    let ready = json!({ "state": "ready" });
    assert_eq!(place.json(&["events", "--json", "--no-follow", "--kinds", "host"])["detail"], ready);
    manager.hear(&["READY=1", "STATUS=ready: 2 actors"]);
    assert_eq!(place.baton(&["health", "--ready"]).code, 0);
    assert_eq!(place.json(&["health", "--json"])["state"], "ready");
    // An actor that is started later is no start of the host.
    assert_eq!(place.baton(&["start", "slow/1"]).code, 0);
    assert_eq!(get(&place, "/readyz").0, 200);
    manager.hear(&["WATCHDOG=1"]);

    host.signal(Signal::HUP);
    manager.hear(&["RELOADING=1", "MONOTONIC_USEC="]);
    manager.hear(&["READY=1"]);
    let told = host.stop(Signal::TERM);
    let heard = manager.hear(&["STATUS=stopping"]);
    assert!(heard.iter().any(|notice| notice.starts_with("STOPPING=1")), "{heard:#?}");
    assert!(heard.last().unwrap().contains("EXTEND_TIMEOUT_USEC="), "{heard:#?}");
    assert!(matches!(told.code, 0 | 3), "{told:?}");
    assert_eq!(place.baton(&["health"]).code, 4);
}

#[tokio::test]
async fn a_host_that_hands_over_is_not_ready_and_lives() {
    let place = Place::never_ending("", "shutdown = \"infinity\"\n[actor.limits]\nturn_guest_ms = 3_600_000\n");
    let host = place.host();
    until("it is ready", || get(&place, "/readyz").0 == 200).await;
    host.signal(Signal::TERM);
    until("it stops", || get(&place, "/readyz").0 == 503).await;
    let (_, problem) = get(&place, "/readyz");
    assert_eq!((&problem["code"], &problem["state"]), (&json!("not-ready"), &json!("stopping")));
    assert_eq!(get(&place, "/livez").0, 200);
    // Its `terminate` never ends.
    drop(host);
}
