//! Version 0.1.0.

mod host;
mod lifecycle;
mod supervising;
mod supervision;
mod types;

pub(super) use lifecycle::Functions;

use super::Version;

pub(super) const LIFECYCLE: &str = "baton:actor/lifecycle@0.1.0";
const HOST: &str = "baton:actor/host@0.1.0";
const SUPERVISION: &str = "baton:actor/supervision@0.1.0";
const TYPES: &str = "baton:actor/types@0.1.0";

pub(super) const VERSION: Version = Version {
    number: "0.1.0",
    lifecycle: LIFECYCLE,
    imports: [HOST, SUPERVISION, TYPES],
    wit: include_str!("../../../../wit/actor/0.1.0/actor.wit"),
    world: "supervised-actor",
    link: |linker| {
        linker.instance(TYPES)?;
        host::add_to(&mut linker.instance(HOST)?)?;
        supervising::add_to(&mut linker.instance(SUPERVISION)?)
    },
    functions: |store, instance, exports| Ok(super::Functions::V0_1_0(Functions::new(store, instance, exports)?)),
};
