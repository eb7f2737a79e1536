//! Directories, and the ways out of them that are tried.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

use baton_host::Grants;
use baton_host::model::{Access, DirGrant};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::Stage;
use crate::harness::{name, strict_host};

/// A directory that is granted, with a secret beside it.
struct Ground {
    dir: TempDir,
}

impl Ground {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("granted/sub")).unwrap();
        fs::write(dir.path().join("granted/a.txt"), "hello").unwrap();
        fs::write(dir.path().join("granted/sub/b.txt"), "below").unwrap();
        fs::create_dir(dir.path().join("outside")).unwrap();
        fs::write(dir.path().join("outside/secret.txt"), "secret").unwrap();
        Self { dir }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn grants(&self, access: Access) -> Grants {
        let dir = DirGrant::new(self.path("granted"), "/g", access).unwrap();
        Grants { dirs: vec![dir], ..Grants::default() }
    }

    /// All that is there, with contents and times of change: to see that nothing was touched.
    fn seen(&self) -> Vec<(PathBuf, String, i64, i64)> {
        let (mut seen, mut waiting) = (Vec::new(), vec![self.dir.path().to_owned()]);
        while let Some(dir) = waiting.pop() {
            for entry in fs::read_dir(&dir).unwrap() {
                let path = entry.unwrap().path();
                let about = fs::symlink_metadata(&path).unwrap();
                let text = if about.is_file() { fs::read_to_string(&path).unwrap() } else { String::new() };
                if about.is_dir() {
                    waiting.push(path.clone());
                }
                seen.push((path, text, about.mtime(), about.mtime_nsec()));
            }
        }
        seen.sort();
        seen
    }
}

fn at(path: &str) -> Value {
    json!({ "dir": "/g", "path": path })
}

fn two(path: &str, to: &str) -> Value {
    json!({ "dir": "/g", "path": path, "to-dir": "/g", "to": to })
}

#[tokio::test]
async fn a_directory_is_used_as_it_is_granted() {
    let ground = Ground::new();
    let stage = Stage::set(ground.grants(Access::ReadWrite)).await;
    assert_eq!(stage.done(json!("dirs")).await, json!(["/g"]));
    assert_eq!(stage.done(json!({ "read": at("a.txt") })).await, "hello");
    assert_eq!(stage.done(json!({ "list": at(".") })).await, json!(["a.txt", "sub"]));
    let write = |path: &str| json!({ "write": { "dir": "/g", "path": path, "text": "written" } });
    stage.done(write("sub/new.txt")).await;
    stage.done(json!({ "rename": two("sub/new.txt", "moved.txt") })).await;
    stage.done(json!({ "link": two("moved.txt", "linked.txt") })).await;
    stage.done(json!({ "make-dir": at("d") })).await;
    stage.done(json!({ "remove-dir": at("d") })).await;
    stage.done(json!({ "unlink": at("a.txt") })).await;
    assert_eq!(fs::read_to_string(ground.path("granted/linked.txt")).unwrap(), "written");
    assert!(!ground.path("granted/a.txt").exists() && ground.path("granted/moved.txt").exists());
}

#[tokio::test]
async fn no_path_and_no_link_leads_out_of_a_directory() {
    let ground = Ground::new();
    let secret = ground.path("outside/secret.txt");
    for (link, target) in [
        ("absolute", secret.clone()),
        ("relative", "../outside/secret.txt".into()),
        ("dir", ground.path("outside")),
        ("up", "..".into()),
        ("root", "/".into()),
        ("proc", "/proc/self/root".into()),
        ("twice", "relative".into()),
        ("dangling", "../outside/new.txt".into()),
    ] {
        symlink(target, ground.path("granted").join(link)).unwrap();
    }
    let stage = Stage::set(ground.grants(Access::ReadWrite)).await;
    let before = ground.seen();
    let whole = secret.display().to_string();
    let inside = whole.trim_start_matches('/');
    let ways = [
        "../outside/secret.txt",
        "sub/../../outside/secret.txt",
        "./../outside/secret.txt",
        "sub/./.././../outside/secret.txt",
        &whole,
        "absolute",
        "relative",
        "twice",
        "dir/secret.txt",
        "up/outside/secret.txt",
        &format!("root/{inside}"),
        &format!("proc/{inside}"),
        "dir",
        "..",
        "/",
        "/proc/self/environ",
        "//etc/passwd",
    ];
    for way in ways {
        // What it leads to is not told apart from what is not there; least of all is it shown.
        for errand in ["read", "list", "stat", "set-times", "empty"] {
            let answer = stage.ask(json!({ errand: at(way) })).await;
            assert!(answer.is_err(), "{errand} {way}: {answer:?}");
        }
        for text in [
            json!({ "write": { "dir": "/g", "path": way, "text": "x" } }),
            json!({ "write": { "dir": "/g", "path": way, "text": "x", "create": false } }),
            json!({ "link": two(way, "stolen") }),
            json!({ "rename": two("a.txt", way) }),
        ] {
            // A link that is itself in the directory may be moved over; what it leads to may not.
            let own = ["absolute", "relative", "twice", "dir"].contains(&way);
            if own && (text.get("rename").is_some() || text.get("link").is_some()) {
                continue;
            }
            let answer = stage.ask(text.clone()).await;
            assert!(answer.is_err(), "{text}: {answer:?}");
        }
    }
    for errand in [
        json!({ "write": { "dir": "/g", "path": "dangling", "text": "x" } }),
        json!({ "make-dir": at("../new") }),
        json!({ "make-dir": at("dir/new") }),
        json!({ "unlink": at("../outside/secret.txt") }),
        json!({ "unlink": at("dir/secret.txt") }),
        json!({ "remove-dir": at("../outside") }),
        json!({ "rename": two("../outside/secret.txt", "mine") }),
        json!({ "rename": two("a.txt", "../outside/a.txt") }),
        json!({ "rename": two("a.txt", "dir/a.txt") }),
        json!({ "link": two("a.txt", "../outside/a.txt") }),
        json!({ "symlink": { "dir": "/g", "target": "/etc/passwd", "path": "mine" } }),
        json!({ "symlink": { "dir": "/g", "target": "a.txt", "path": "../outside/link" } }),
    ] {
        let answer = stage.ask(errand.clone()).await;
        assert!(answer.is_err(), "{errand}: {answer:?}");
    }
    assert_eq!(ground.seen(), before, "nothing was touched");
    assert_eq!(stage.host.actor(&name("errand/1")).unwrap().restarts, 0);
}

#[tokio::test]
async fn a_link_that_the_guest_makes_itself_leads_nowhere_else() {
    let ground = Ground::new();
    let stage = Stage::set(ground.grants(Access::ReadWrite)).await;
    // It may point there, since a link is a text; it is not followed there.
    for (n, target) in ["../outside/secret.txt", "..", "sub/../../outside"].into_iter().enumerate() {
        let path = format!("l{n}");
        drop(stage.ask(json!({ "symlink": { "dir": "/g", "target": target, "path": path } })).await);
        for path in [path.clone(), format!("{path}/secret.txt"), format!("{path}/outside/secret.txt")] {
            for errand in ["read", "list", "empty"] {
                let answer = stage.ask(json!({ errand: at(&path) })).await;
                assert!(answer.is_err(), "{errand} {path}: {answer:?}");
            }
        }
    }
    assert_eq!(fs::read_to_string(ground.path("outside/secret.txt")).unwrap(), "secret");
}

#[tokio::test]
async fn a_path_that_is_swapped_for_a_link_while_it_is_used_leads_nowhere_else() {
    let ground = Ground::new();
    let stage = Stage::set(ground.grants(Access::ReadWrite)).await;
    let (dir, link) = (ground.path("granted/swap"), ground.path("granted/link"));
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("secret.txt"), "fine").unwrap();
    symlink(ground.path("outside"), &link).unwrap();
    let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let swapping = std::thread::spawn({
        let (done, dir, link) = (done.clone(), dir.clone(), link.clone());
        move || {
            let mut swaps = 0_u64;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                rustix::fs::renameat_with(
                    rustix::fs::CWD,
                    &dir,
                    rustix::fs::CWD,
                    &link,
                    rustix::fs::RenameFlags::EXCHANGE,
                )
                .unwrap();
                swaps += 1;
            }
            swaps
        }
    });
    let (mut fine, mut refused) = (0, 0);
    for _ in 0..2_000 {
        match stage.ask(json!({ "read": at("swap/secret.txt") })).await {
            Ok(text) => {
                assert_eq!(text, "fine");
                fine += 1;
            }
            Err(_) => refused += 1,
        }
    }
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    let swaps = swapping.join().unwrap();
    assert!(swaps > 0 && fine + refused == 2_000, "{swaps} swaps, {fine} read, {refused} refused");
    assert_eq!(fs::read_to_string(ground.path("outside/secret.txt")).unwrap(), "secret");
}

#[tokio::test]
async fn what_is_granted_for_reading_is_changed_by_no_call() {
    let ground = Ground::new();
    let stage = Stage::set(ground.grants(Access::Read)).await;
    let before = ground.seen();
    assert_eq!(stage.done(json!({ "read": at("sub/b.txt") })).await, "below");
    let write = |path: &str, create: bool, truncate: bool| json!({ "write": { "dir": "/g", "path": path, "text": "x", "create": create, "truncate": truncate } });
    for errand in [
        write("a.txt", false, false),
        write("a.txt", false, true),
        write("a.txt", true, true),
        write("new.txt", true, false),
        json!({ "make-dir": at("d") }),
        json!({ "remove-dir": at("sub") }),
        json!({ "unlink": at("a.txt") }),
        json!({ "rename": two("a.txt", "b.txt") }),
        json!({ "link": two("a.txt", "b.txt") }),
        json!({ "symlink": { "dir": "/g", "target": "a.txt", "path": "l" } }),
        json!({ "set-times": at("a.txt") }),
        json!({ "empty": at("a.txt") }),
    ] {
        stage.refused(errand, "not-permitted").await;
    }
    assert_eq!(ground.seen(), before, "nothing was touched");
}

#[tokio::test]
async fn what_is_granted_for_writing_is_not_carried_into_what_is_granted_for_reading() {
    let ground = Ground::new();
    fs::create_dir(ground.path("mine")).unwrap();
    let mut grants = ground.grants(Access::Read);
    grants.dirs.push(DirGrant::new(ground.path("mine"), "/m", Access::ReadWrite).unwrap());
    let stage = Stage::set(grants).await;
    stage.done(json!({ "write": { "dir": "/m", "path": "x", "text": "x" } })).await;
    let across = |dir: &str, path: &str, to_dir: &str| json!({ "dir": dir, "path": path, "to-dir": to_dir, "to": "y" });
    for errand in ["rename", "link"] {
        stage.refused(json!({ errand: across("/m", "x", "/g") }), "not-permitted").await;
        stage.refused(json!({ errand: across("/g", "a.txt", "/m") }), "not-permitted").await;
    }
}

#[tokio::test]
async fn a_granted_directory_stays_the_one_that_was_granted() {
    let ground = Ground::new();
    let stage = Stage::set(ground.grants(Access::Read)).await;
    // What leads to it is replaced; an instance that starts later still sees the directory that was there.
    fs::rename(ground.path("granted"), ground.path("moved")).unwrap();
    symlink(ground.path("outside"), ground.path("granted")).unwrap();
    stage.host.restart(&name("errand/1")).await.unwrap();
    assert_eq!(stage.done(json!({ "read": at("a.txt") })).await, "hello");
    assert!(stage.ask(json!({ "read": at("secret.txt") })).await.is_err());
}

#[tokio::test]
async fn one_plugins_directory_is_not_anothers() {
    let ground = Ground::new();
    let other = crate::harness::WatGuest::new("other").build();
    let builder = strict_host().plugin_bytes("other.wasm", other).granted(ground.grants(Access::ReadWrite));
    let stage = Stage::with(builder, Grants::default(), |_| {}).await;
    assert_eq!(stage.done(json!("dirs")).await, json!([]));
}

#[tokio::test]
async fn open_files_are_bounded_and_given_back() {
    let ground = Ground::new();
    let stage = Stage::with(strict_host(), ground.grants(Access::Read), |limits| limits.open_files = 10).await;
    // One handle is that of the directory itself.
    for _ in 0..3 {
        assert_eq!(stage.done(json!({ "hold": [at("a.txt"), 1_000] })).await, 9);
    }
    assert_eq!(stage.done(json!({ "read": at("a.txt") })).await, "hello");
}

#[tokio::test]
async fn a_directory_that_may_not_be_granted_or_is_not_there_is_named() {
    let ground = Ground::new();
    let refused = async |path: &Path| {
        let dir = DirGrant::new(path, "/g", Access::Read).unwrap();
        let builder = strict_host().data_dir(ground.path("data")).plugin_file(crate::harness::guest("errand"));
        let error = builder.granted(Grants { dirs: vec![dir], ..Grants::default() }).build().await.unwrap_err();
        format!("{error} {}", error.cure().unwrap_or_default())
    };
    let told = refused(&ground.path("data")).await;
    assert!(told.contains("the data directory") && told.contains("apart from what the host needs"), "{told}");
    let told = refused(ground.dir.path()).await;
    assert!(told.contains("the data directory"), "{told}");
    let told = refused(&ground.path("missing")).await;
    assert!(told.contains("missing") && told.contains("make it"), "{told}");
    assert!(refused(&ground.path("granted/a.txt")).await.contains("cannot be opened"));
}
