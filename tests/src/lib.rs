//! What the suites share: where the guests and the command are, a data directory of one's own, and guests written in a
//! few lines of WAT.

mod dice;
mod fuzz;
mod power_loss;
pub mod servers;
mod shim;
mod store_double;
mod wat_guest;

use std::path::{Path, PathBuf};

use baton_host::{ActorName, ActorSpec, Grants, Host, HostBuilder, PluginName};

pub use dice::{Dice, number_from};
pub use fuzz::{Corpus, assert_no_panic, hear_panics};
pub use power_loss::Disk;
pub use shim::{Call, Entry, Shim, read_journal};
pub use store_double::{Op, StoreDouble};
pub use wat_guest::WatGuest;

/// Instances that a test's host makes room for: enough, and quick to set up.
pub const INSTANCES: u32 = 200;

/// The folder of this build's results: `target/debug`.
///
/// # Panics
/// If this program does not stand where cargo puts tests.
#[must_use]
pub fn build_dir() -> PathBuf {
    let exe = std::env::current_exe().expect("this program's path");
    exe.parent().and_then(Path::parent).expect("target/debug/deps/…").to_owned()
}

/// The `baton` command of this build.
///
/// # Panics
/// If it was not built.
#[must_use]
pub fn baton_bin() -> PathBuf {
    let bin = build_dir().join("baton");
    assert!(bin.exists(), "{} is missing: run `cargo xtask test`, or `cargo build --bins` first", bin.display());
    bin
}

/// A plugin of `plugins/`, as built: `counter`, `bank`, `cart-1.0.0`, …; `cargo xtask guests` lists them.
///
/// # Panics
/// If it was not built.
#[must_use]
pub fn guest(name: &str) -> PathBuf {
    let built = build_dir().parent().expect("target").join("guests/out");
    let dir = std::env::var_os("BATON_GUESTS").map_or(built, PathBuf::from);
    let file = dir.join(format!("{name}.wasm"));
    assert!(file.exists(), "{} is missing: run `cargo xtask guests` first", file.display());
    file
}

/// The root of the repository.
#[must_use]
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository").to_owned()
}

/// Compiled code that all tests share, so that each guest is compiled once.
#[must_use]
pub fn code_cache() -> PathBuf {
    build_dir().join("test-code-cache")
}

/// A host builder for a test: few instances, the shared cache of compiled code, a store in memory. Plugins that are given
/// no grants of their own may talk with everyone and use every group.
#[must_use]
pub fn host() -> HostBuilder {
    let all = || vec!["*".parse().expect("a pattern")];
    strict_host().granted_to_all(Grants { call: all(), groups: all(), ..Grants::default() })
}

/// The same with nothing granted, as a host is by itself.
#[must_use]
pub fn strict_host() -> HostBuilder {
    Host::builder().instances(INSTANCES).code_cache(code_cache())
}

/// An actor's name.
///
/// # Panics
/// If it is none.
#[must_use]
pub fn name(name: &str) -> ActorName {
    ActorName::new(name).expect("a valid actor name")
}

/// A plugin's name.
///
/// # Panics
/// If it is none.
#[must_use]
pub fn plugin(name: &str) -> PluginName {
    PluginName::new(name).expect("a valid plugin name")
}

/// An actor with defaults for all else.
#[must_use]
pub fn actor(actor: &str, of: &str) -> ActorSpec {
    ActorSpec::new(name(actor), plugin(of))
}

/// Waits until `condition` holds.
///
/// # Panics
/// If it does not within 20 s.
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let limit = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !condition() {
        assert!(std::time::Instant::now() < limit, "never came: {what}");
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
}
