//! The words that every other room uses: plain data, no I/O, no runtime, no engine, no database.

mod api;
mod attributes;
mod error;
mod grants;
mod handoff;
mod hosts;
mod ids;
mod keeping;
mod label;
mod limits;
mod message;
mod name;
mod part;
mod passivation;
mod spec;
mod stop;
mod template;
mod tree;
mod trust;

pub use api::{API_CLIENT_TIMEOUT, API_CONNECTIONS, ApiSettings, ApiTls, MOST_API_CONNECTIONS};
pub use attributes::{
    ATTRIBUTE_KEY_BYTES, ATTRIBUTE_VALUE_BYTES, ATTRIBUTES, Attributes, GROUPS, GroupName, check_attribute,
};
pub(crate) use error::owned_elsewhere;
pub use error::{CallError, ErrorCode, HostError, SendError};
pub use grants::{
    Access, DIR_GRANTS, DirGrant, EnvGrant, GRANTS, GrantError, Grants, HostPattern, HttpGrant, NameOrPattern, Network,
    Reach, SocketGrant, Transport,
};
pub use handoff::{Description, Handoff, Legacy, Origin, Refusal, State};
pub use hosts::{HostsSettings, OwnedElsewhere};
pub(crate) use ids::Ids;
pub use keeping::{BadStatePolicy, Durability, Keeping, StateRules};
pub(crate) use label::{Label, log_of};
pub use limits::{CoreDumps, DEFAULT_INSTANCES, Limits};
pub(crate) use limits::{LimitMet, MOST_CORE_INSTANCES, MOST_MEMORIES, MOST_TABLES};
pub(crate) use message::ID_BYTES;
pub use message::{Body, EXIT, Failure, Message, MessageId, Request, Sent};
pub use name::{ActorName, Digest, NAME_BYTES, NameError, PluginName, Version};
pub use part::Part;
pub use passivation::Passivation;
pub use spec::{ActorSpec, Backoff, Intensity, Restart, Shutdown};
pub use stop::{Crash, CrashKind, Exit, ExitReason, Hold, HoldCause, NotSaved, Phase, Saved, StopReason};
pub use template::{Pattern, Template};
pub use tree::{
    AutoShutdown, ChildInfo, ChildSpec, ChildState, Children, Counts, CutShort, DEFAULT_MAX_CHILDREN, SUPERVISOR_DEPTH,
    Strategy, Supervises, SupervisorSpec,
};
pub use trust::{PLUGIN_KEYS, PluginKey, SIGNATURE_BYTES, Sha256, Trust, signature_of};
