//! Counts: `"get"` and `{"add": 3}`, each answered with the count.

use baton_guest::{Actor, Cx, Failure, plugin};
use serde::{Deserialize, Serialize};

/// The state. What is in it outlives the instance; what is not in it is gone with it.
#[derive(Serialize, Deserialize)]
struct {{Type}} {
    count: u64,
}

/// What it is asked, as a person types it.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Message {
    Get,
    Add(u64),
}

impl Actor for {{Type}} {
    type Message = Message;
    type Reply = u64;
    // Raise it with every change of the state's fields, and say in `MIGRATIONS` how the old ones become the new.
    const SCHEMA: u32 = 1;

    /// A fresh state. What a predecessor left takes its place.
    fn init(_: &Cx) -> Result<Self, Failure> {
        Ok(Self { count: 0 })
    }

    fn handle(&mut self, message: Message, _: &Cx) -> Result<u64, Failure> {
        if let Message::Add(n) = message {
            // A failure is an answer: the actor lives on. A panic would end it, and undo the whole turn.
            self.count = self.count.checked_add(n).ok_or_else(|| Failure::new("overflow", "that is too much"))?;
        }
        Ok(self.count)
    }
}

plugin!({{Type}});

#[cfg(test)]
mod tests {
    use baton_guest::testing::Harness;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_replacement_counts_on() {
        let mut actor = Harness::<{{Type}}>::start("{{name}}/1", "").expect("starts");
        assert_eq!(actor.call::<u64>(&json!({"add": 3})), Ok(3));
        let mut next = Harness::<{{Type}}>::resume(actor.terminate().expect("saves")).expect("is read");
        assert_eq!(next.call::<u64>(&json!("get")), Ok(3));
    }

    #[test]
    fn too_much_is_refused_and_changes_nothing() {
        let mut actor = Harness::<{{Type}}>::start("{{name}}/1", "").expect("starts");
        actor.cast(&json!({"add": u64::MAX})).expect("counts");
        assert_eq!(actor.call::<u64>(&json!({"add": 1})).expect_err("is too much").code, "overflow");
        assert_eq!(actor.call::<u64>(&json!("get")), Ok(u64::MAX));
    }
}
