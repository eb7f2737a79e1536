//! What may run under a plugin's name: what its configuration pins, and what it is granted, for whatever is loaded later as
//! for what was loaded first.

use crate::model::{ErrorCode, Grants, HostError, Sha256};
use crate::sandbox::{Need, Program};

/// Digests that the configuration pins for a plugin; none: any.
#[derive(Debug, Default)]
pub(super) struct Pins(Option<Vec<Sha256>>);

impl Pins {
    /// Of the first file that is listed for it.
    pub(super) fn of(pin: Option<Sha256>) -> Self {
        Self(pin.map(|pin| vec![pin]))
    }

    /// Of a further one: where one is not pinned, none is.
    pub(super) fn and(&mut self, pin: Option<Sha256>) {
        match (&mut self.0, pin) {
            (Some(pins), Some(pin)) => pins.push(pin),
            (pins, _) => *pins = None,
        }
    }

    /// # Errors
    /// If it is another one than those that are pinned.
    pub(super) fn check(&self, program: &Program) -> Result<(), HostError> {
        let found = program.inspection().sha256;
        let Some(pins) = self.0.as_ref().filter(|pins| !pins.contains(&found)) else { return Ok(()) };
        let (name, pins) = (&program.description().name, pins.iter().map(ToString::to_string).collect::<Vec<_>>());
        let message = format!("plugin {name}: its sha256 is {found}, and {} is pinned", pins.join(" or "));
        let hint = "if it is to run, pin it in [[plugin]], or drop `sha256` there, and start the host again";
        Err(HostError::new(ErrorCode::Plugin, message).hint(hint))
    }
}

/// What a plugin imports beyond its grants is told, with what would grant it; or refused, where its grants are strict.
pub(crate) fn admit(program: &Program, grants: &Grants) -> Result<(), HostError> {
    let name = &program.description().name;
    let mut lacking: Vec<_> = program.inspection().needs.iter().filter(|need| !need.is_met(grants)).collect();
    // The contract's `host` is imported whole by every plugin that an SDK has built.
    let beyond = |need: &&&Need| need.grant != "call";
    if grants.strict && lacking.iter().any(|need| beyond(&need)) {
        lacking.retain(|need| beyond(&need));
        let functions: Vec<_> = lacking.iter().flat_map(|need| &need.functions).map(String::as_str).collect();
        let lines: Vec<_> = lacking.iter().map(|need| need.line).collect();
        let message = format!("plugin {name} imports what it is not granted: {}", functions.join(", "));
        let hint = format!("grant it in [plugin.grants] ({}), or drop `strict` there", lines.join("; "));
        return Err(HostError::new(ErrorCode::Plugin, message).hint(hint));
    }
    for need in lacking {
        let libc = if need.by_libc { " (its libc does so for every program)" } else { "" };
        tracing::info!(
            plugin = %name,
            "imports what it is not granted{libc}, and is refused when it uses it: {}; in [plugin.grants], {} would grant it",
            need.functions.join(", "),
            need.line
        );
    }
    Ok(())
}
