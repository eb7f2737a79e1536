//! `token`: a new token for the HTTP API over TCP.

use baton_host::admin::{Role, check_token_name};
use baton_host::model::Sha256;
use clap::{Args, ValueEnum};
use serde_json::json;

use super::output::{Failure, print_json, print_line, tell_note};

/// What a token is made of, in bytes: nobody guesses that.
const RANDOM_BYTES: usize = 32;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Whose it is: it is shown in logs, and as who asked for a swap
    name: String,
    /// What it allows; may be given several times
    #[arg(long = "role", value_name = "ROLE", value_enum, required = true)]
    roles: Vec<Word>,
    /// As JSON, the token within
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Word {
    /// To look at everything, states and messages included
    Read,
    /// To send messages to actors
    Call,
    /// Everything
    Operate,
}

/// What the file is to hold goes to stdout, to be appended to it; the token itself is shown once.
pub(super) fn token(options: &Options) -> Result<(), Failure> {
    check_token_name(&options.name).map_err(|why| Failure::usage(format!("{:?}: {why}", options.name)))?;
    let mut bytes = [0; RANDOM_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| Failure::new(format!("the system gives no random bytes: {error}")))?;
    let token: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let sha256 = Sha256::of(token.as_bytes()).to_string();
    let roles: Vec<String> = options.roles.iter().map(|role| Role::from(*role).to_string()).collect();
    if options.json {
        return print_json(&json!({ "name": options.name, "roles": roles, "token": token, "sha256": sha256 }));
    }
    let roles: Vec<String> = roles.iter().map(|role| format!("{role:?}")).collect();
    print_line(&format!("[tokens.{:?}]\nroles = [{}]\nsha256 = {sha256:?}", options.name, roles.join(", ")))?;
    tell_note(&format!("the token, which is shown this once: {token}"));
    Ok(())
}

impl From<Word> for Role {
    fn from(word: Word) -> Self {
        match word {
            Word::Read => Self::Read,
            Word::Call => Self::Call,
            Word::Operate => Self::Operate,
        }
    }
}
