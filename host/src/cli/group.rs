//! `group`.

use baton_host::model::GroupName;
use clap::Args;
use serde::{Deserialize, Serialize};

use super::client::path_of;
use super::completions;
use super::output::{Failure, harmless, print_json, print_line, print_table};
use super::{Listing, Place};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The group's name; without it, the groups that there are
    #[arg(add = completions::groups())]
    name: Option<String>,
    #[command(flatten)]
    listing: Listing,
}

#[derive(Deserialize)]
struct Group {
    members: Vec<String>,
}

const HEAD: [&str; 2] = ["GROUP", "MEMBERS"];

#[derive(Deserialize, Serialize)]
struct Groups {
    groups: Vec<Count>,
}

/// How many members a group has.
#[derive(Deserialize, Serialize)]
struct Count {
    group: String,
    members: usize,
}

pub(super) async fn group(place: &Place, options: &Options) -> Result<(), Failure> {
    let Some(name) = &options.name else { return all(place, options).await };
    let name = GroupName::new(name).map_err(|error| Failure::usage(error.to_string()))?;
    let found: Group = place.client()?.get(&path_of("groups", name.as_str(), ""), None).await?;
    if options.listing.json {
        return print_json(&found.members);
    }
    found.members.iter().try_for_each(|member| Ok(print_line(&harmless(member))?))
}

async fn all(place: &Place, options: &Options) -> Result<(), Failure> {
    let Groups { groups } = place.client()?.get("/v1/groups", None).await?;
    if options.listing.json {
        return print_json(&groups);
    }
    print_table(&HEAD, groups.into_iter().map(|count| vec![count.group, count.members.to_string()]))
}
