//! Counts. Takes `"get"`, `{"add": 3}` and `"reset"`, and answers with the count; starts at its argument, or at 0.

use baton_guest::{Actor, Cx, Failure, plugin};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Counter {
    count: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Message {
    Get,
    Add(u64),
    Reset,
}

impl Actor for Counter {
    type Message = Message;
    type Reply = u64;
    const SCHEMA: u32 = 1;

    fn init(cx: &Cx) -> Result<Self, Failure> {
        Ok(Self { count: cx.args_json::<Option<u64>>()?.unwrap_or(0) })
    }

    fn handle(&mut self, message: Message, _: &Cx) -> Result<u64, Failure> {
        match message {
            Message::Get => {}
            Message::Add(n) => self.count = self.count.checked_add(n).ok_or_else(|| overflow(self.count, n))?,
            Message::Reset => self.count = 0,
        }
        Ok(self.count)
    }
}

fn overflow(count: u64, n: u64) -> Failure {
    Failure::new("overflow", format!("{count} + {n} is more than a counter holds ({})", u64::MAX))
}

plugin!(Counter);

#[cfg(test)]
mod tests {
    use baton_guest::testing::{Handover, Harness, StartError, layout};
    use serde_json::json;

    use super::*;

    fn counter(args: &str) -> Harness<Counter> {
        Harness::start("counter/1", args).expect("starts")
    }

    #[test]
    fn counts_from_its_argument() {
        for (args, first) in [("", 3), ("null", 3), ("40", 43)] {
            assert_eq!(counter(args).call::<u64>(&json!({"add": 3})), Ok(first), "{args:?}");
        }
        assert!(matches!(Harness::<Counter>::start("counter/1", "-1"), Err(StartError::Init(_))));
    }

    #[test]
    fn a_replacement_counts_on() {
        let mut actor = counter("");
        actor.cast(&json!({"add": 5})).expect("counts");
        let mut next = Harness::<Counter>::resume(actor.terminate().expect("saves")).expect("is read");
        assert_eq!(next.call::<u64>(&json!({"add": 1})), Ok(6));
        assert_eq!(next.call::<u64>(&json!("reset")), Ok(0));
    }

    #[test]
    fn what_does_not_fit_leaves_the_count_alone() {
        let mut actor = counter(&u64::MAX.to_string());
        assert_eq!(actor.call::<u64>(&json!({"add": 1})).expect_err("is too much").code, "overflow");
        assert_eq!(actor.call::<u64>(&json!({"add": -1})).expect_err("is negative").code, "bad-message");
        assert_eq!(actor.call::<u64>(&json!("get")), Ok(u64::MAX));
    }

    /// What 1.0.0 wrote of 300: it must be read for ever.
    #[test]
    fn the_bytes_of_schema_1_are_known() {
        assert_eq!(layout::<Counter>(), "Counter\nCounter { count: u64 }");
        let golden = [0xac, 0x02];
        let next = Harness::<Counter>::resume(Handover::from_bytes("counter/1", 1, golden)).expect("is read");
        assert_eq!(next.state().count, 300);
        assert_eq!(next.terminate().expect("saves").data(), golden);
    }
}
