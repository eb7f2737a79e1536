//! The templates of a host that runs.

use super::Host;
use crate::model::{ErrorCode, HostError, Template};

/// Templates that a host can take, and has not taken yet.
#[derive(Debug)]
pub struct NewTemplates {
    host: Host,
    templates: Vec<Template>,
}

impl NewTemplates {
    /// From now on these stand for names that nobody has, with their limits and all else that they say. Actors that run go on
    /// as they were started, until they have ended.
    pub fn take(self) {
        self.host.0.router.set_templates(self.templates);
    }
}

impl Host {
    /// Whether these could stand in place of all templates that there are; nothing changes before they are taken.
    ///
    /// # Errors
    /// `UnknownPlugin` if one names a plugin, or a version of it, that is not loaded; `Config` if one stands below a
    /// supervisor that is not there, or is not dynamic; `ShuttingDown`.
    pub async fn new_templates(&self, templates: Vec<Template>) -> Result<NewTemplates, HostError> {
        for template in &templates {
            self.0.catalog.choose(template.spec())?;
            let Some(above) = &template.supervisor else { continue };
            let found = self.0.supervisor.child(above.clone()).await?;
            if !found.and_then(|child| child.supervises).is_some_and(|supervises| supervises.dynamic) {
                let pattern = &template.pattern;
                let what = format!("the actors `{pattern}` stand under `{above}`, which is no dynamic supervisor here");
                return Err(HostError::new(ErrorCode::Config, what).hint("a supervisor that is new needs a restart"));
            }
        }
        Ok(NewTemplates { host: self.clone(), templates })
    }
}
