//! `group`.

use baton_host::model::GroupName;
use clap::Args;
use serde::Deserialize;

use super::client::path_of;
use super::output::{Failure, harmless, print_json, print_line};
use super::{Listing, Place};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The group's name
    name: String,
    #[command(flatten)]
    listing: Listing,
}

#[derive(Deserialize)]
struct Group {
    members: Vec<String>,
}

pub(super) async fn group(place: &Place, options: &Options) -> Result<(), Failure> {
    let name = GroupName::new(&options.name).map_err(|error| Failure::usage(error.to_string()))?;
    let found: Group = place.client()?.get(&path_of("groups", name.as_str(), ""), None).await?;
    if options.listing.json {
        return print_json(&found.members);
    }
    found.members.iter().try_for_each(|member| Ok(print_line(&harmless(member))?))
}
