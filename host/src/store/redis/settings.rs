//! Whether a server of Redis is fit to keep state, and what an acknowledged commit survives there.

use std::collections::HashMap;

use ::redis::RedisResult;
use ::redis::aio::MultiplexedConnection;

use super::super::Durable;
use super::super::url::{Weakness, Wrong, judge};
use super::unreachable;

/// Oldest release that is used: scripts that ask for the time replicate what they did since this one.
const OLDEST: u64 = 5;

/// What the server says of itself.
#[derive(Debug, Default, PartialEq, Eq)]
struct Settings {
    info: HashMap<String, String>,
    /// None: it does not say.
    appendfsync: Option<String>,
}

/// Looks at the settings.
///
/// # Errors
/// Says which one makes it unfit.
pub(super) async fn look(connection: &mut MultiplexedConnection, weak: bool) -> Result<Durable, Wrong> {
    let info: RedisResult<String> = ::redis::cmd("INFO").query_async(connection).await;
    let info = read(&info.map_err(|error| unreachable(&error))?);
    let mut ask = ::redis::cmd("CONFIG");
    // Hosted servers allow it to nobody: then it is not known.
    let asked: RedisResult<Vec<String>> = ask.arg("GET").arg("appendfsync").query_async(connection).await;
    let appendfsync = match asked {
        Ok(found) => found.into_iter().nth(1),
        Err(error) if error.code().is_some() => None,
        Err(error) => return Err(unreachable(&error)),
    };
    Settings { info, appendfsync }.judge(weak)
}

/// The lines of INFO.
fn read(info: &str) -> HashMap<String, String> {
    let lines = info.lines().filter_map(|line| line.trim().split_once(':'));
    lines.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

impl Settings {
    fn told(&self, key: &str) -> &str {
        self.info.get(key).map_or("", String::as_str)
    }

    fn judge(&self, weak: bool) -> Result<Durable, Wrong> {
        let unfit = |setting: String, why, cure: &str| Err(Wrong::Unfit { setting, why, cure: cure.to_owned() });
        let version = self.told("redis_version");
        let major = version.split('.').next().and_then(|major| major.parse::<u64>().ok()).unwrap_or_default();
        if major < OLDEST {
            return unfit(format!("redis_version = {version}"), "it is too old", "use Redis 5 or newer");
        }
        if self.told("cluster_enabled") == "1" {
            let why = "a write spans keys of several slots";
            return unfit("cluster_enabled = yes".to_owned(), why, "name a server that is no cluster's");
        }
        if self.told("role") != "master" {
            let why = "nothing can be written to a replica";
            return unfit(format!("role = {}", self.told("role")), why, "name the primary");
        }
        let policy = self.told("maxmemory_policy");
        if policy != "noeviction" {
            let why = "states would be thrown away when memory is short";
            return unfit(format!("maxmemory-policy = {policy}"), why, "set it to noeviction");
        }
        judge(self.weaknesses(), weak)
    }

    fn weaknesses(&self) -> Vec<Weakness> {
        let weakness =
            |setting: &str, holds, why, cure| vec![Weakness { setting: setting.to_owned(), holds, why, cure }];
        if self.told("aof_enabled") != "1" {
            let why = "what was acknowledged since the last dump is lost with the server's process";
            return weakness("appendonly = no", Durable::HostLoss, why, "set it to yes");
        }
        match self.appendfsync.as_deref() {
            Some("always") => Vec::new(),
            Some("everysec") => {
                let why = "about two seconds of what was acknowledged may be lost with the power";
                weakness("appendfsync = everysec", Durable::ServerLoss, why, "set it to always")
            }
            Some(_) => {
                let why = "what was acknowledged since the system last wrote may be lost with the power";
                weakness("appendfsync = no", Durable::ServerLoss, why, "set it to always")
            }
            None => {
                let why = "the server does not say what it is set to";
                weakness("appendfsync = ?", Durable::ServerLoss, why, "allow the user CONFIG GET")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(changes: &[(&str, &str)], appendfsync: Option<&str>) -> Settings {
        let text = "# Server\r\nredis_version:7.0.15\r\nrole:master\r\ncluster_enabled:0\r\naof_enabled:1\r\n\
                    maxmemory_policy:noeviction\r\n";
        let mut info = read(text);
        info.extend(changes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        Settings { info, appendfsync: appendfsync.map(str::to_owned) }
    }

    #[test]
    fn a_server_that_would_lose_states_is_refused_with_the_setting_and_its_cure() {
        assert_eq!(settings(&[], Some("always")).judge(false), Ok(Durable::PowerLoss));
        let cases = [
            (settings(&[("role", "slave")], Some("always")), "role = slave: nothing can be written", None),
            (settings(&[("cluster_enabled", "1")], Some("always")), "cluster_enabled = yes", None),
            (settings(&[("maxmemory_policy", "allkeys-lru")], Some("always")), "maxmemory-policy = allkeys-lru", None),
            (settings(&[("redis_version", "4.0.9")], Some("always")), "redis_version = 4.0.9: it is too old", None),
            (settings(&[("aof_enabled", "0")], Some("always")), "appendonly = no", Some(Durable::HostLoss)),
            (settings(&[], Some("everysec")), "appendfsync = everysec", Some(Durable::ServerLoss)),
            (settings(&[], Some("no")), "appendfsync = no", Some(Durable::ServerLoss)),
            (settings(&[], None), "appendfsync = ?", Some(Durable::ServerLoss)),
        ];
        for (found, expected, weak) in cases {
            let told = found.judge(false).expect_err(expected).to_string();
            assert!(told.contains(expected), "{told}");
            assert_eq!(found.judge(true).ok(), weak, "{expected}");
        }
    }
}
