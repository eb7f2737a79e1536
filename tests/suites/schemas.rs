//! States that outlive their schema: the plugin `cart` in its three releases, on disk, a host for each.

use std::path::Path;

use baton_host::model::{HoldCause, Phase, Refusal};
use baton_host::store::RecordRef;
use baton_host::{CallOptions, Host};
use serde_json::{Value, json};

use crate::harness::{actor, guest, host, name, until};

/// What 3.0.0 is told of the shop; the others know no coupons.
pub(crate) const SHOP: &str = r#"{"coupons": {"SPRING": {"percent": 10}}}"#;

/// A host on `dir` with that release of `cart`, and the one cart.
struct Shop(Host);

impl Shop {
    async fn open(dir: &Path, release: &str) -> Self {
        let mut cart = actor("cart/ann", "cart");
        if release == "3.0.0" {
            cart.args = SHOP.into();
        }
        let plugin = guest(&format!("cart-{release}"));
        Self(host().data_dir(dir).plugin_file(plugin).actor(cart).build().await.unwrap())
    }

    /// The reply, or the error's code and words.
    async fn ask(&self, message: Value) -> Result<Value, (String, String)> {
        let reply = self.0.call(&name("cart/ann"), message.to_string(), CallOptions::default()).await;
        let reply = reply.map_err(|error| (error.code().to_owned(), error.to_string()))?;
        Ok(serde_json::from_slice(&reply).unwrap())
    }

    async fn says(&self, message: Value) -> Value {
        self.ask(message).await.unwrap()
    }

    async fn close(self) {
        let report = self.0.shutdown(None).await;
        assert!(report.all_saved(), "{report:?}");
    }

    /// What was wrong with the state, which every call is answered with.
    async fn held(&self) -> HoldCause {
        let info = || self.0.actor(&name("cart/ann")).unwrap();
        until("it is held", || info().phase == Phase::Held).await;
        let cause = info().held.unwrap().cause;
        let (code, words) = self.ask(json!("show")).await.unwrap_err();
        assert!(code == "held" && words.contains(&cause.to_string()), "{code}: {words}");
        cause
    }

    /// The record that counts, and the state in it.
    async fn record(&self) -> (RecordRef, Option<u32>, Vec<u8>) {
        let store = self.0.store();
        let (head, _) = store.head(&name("cart/ann")).await.unwrap().unwrap();
        let current = head.current().unwrap().clone();
        let record = store.load(&name("cart/ann"), &current).await.unwrap();
        (current, record.header.state.map(|state| state.schema), record.data)
    }
}

/// A cart that `release` left after these messages.
async fn left(dir: &Path, release: &str, messages: &[Value]) {
    let shop = Shop::open(dir, release).await;
    for message in messages {
        shop.says(message.clone()).await;
    }
    shop.close().await;
}

fn of_1_0_0() -> [Value; 4] {
    let add = |item: &str, quantity: u32| json!({"add": {"item": item, "quantity": quantity}});
    [add("fig", 9), json!("checkout"), add("pear", 2), add("apple", 3)]
}

#[tokio::test]
async fn a_state_is_taken_over_across_the_versions_that_were_skipped() {
    let (straight, by_steps) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for dir in [&straight, &by_steps] {
        left(dir.path(), "1.0.0", &of_1_0_0()).await;
    }
    left(by_steps.path(), "2.1.0", &[json!("show")]).await;
    let lines = json!({
        "1": {"item": "apple", "quantity": 3, "price_cents": null},
        "2": {"item": "pear", "quantity": 2, "price_cents": null},
    });
    for (dir, schema) in [(&straight, 1), (&by_steps, 2)] {
        let shop = Shop::open(dir.path(), "3.0.0").await;
        let shown = shop.says(json!("show")).await;
        assert_eq!(shop.record().await.1, Some(schema), "it is not rewritten before it is saved");
        assert_eq!((&shown["lines"], &shown["orders"], &shown["currency"]), (&lines, &json!(1), &json!("EUR")));
        shop.close().await;
        let shop = Shop::open(dir.path(), "3.0.0").await;
        assert_eq!((shop.record().await.1, shop.says(json!("show")).await), (Some(3), shown));
        shop.close().await;
    }
}

#[tokio::test]
async fn a_state_goes_back_and_forth_where_its_author_lets_it() {
    let dir = tempfile::tempdir().unwrap();
    left(dir.path(), "1.0.0", &of_1_0_0()).await;
    let add = json!({"add": {"item": "fig", "price_cents": 40}});
    left(dir.path(), "3.0.0", &[json!({"price": {"line": 1, "price_cents": 50}}), add]).await;

    let shop = Shop::open(dir.path(), "2.1.0").await;
    assert_eq!(shop.record().await.1, Some(3));
    let shown = shop.says(json!({"price": {"item": "pear", "price_cents": 70}})).await;
    let item =
        |name: &str, quantity: u32, cents: u64| json!({"name": name, "quantity": quantity, "price_cents": cents});
    assert_eq!(shown["items"], json!([item("apple", 3, 50), item("pear", 2, 70), item("fig", 1, 40)]));
    shop.close().await;

    let shop = Shop::open(dir.path(), "3.0.0").await;
    assert_eq!(shop.record().await.1, Some(2));
    let order = shop.says(json!("checkout")).await;
    assert_eq!((&order["order"], &order["total_cents"]), (&json!(2), &json!(3 * 50 + 2 * 70 + 40)));
    shop.close().await;
}

#[tokio::test]
async fn a_way_back_that_would_lose_something_holds_the_actor_and_touches_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let add = json!({"add": {"item": "fig", "quantity": 2, "price_cents": 50}});
    left(dir.path(), "3.0.0", &[add, json!({"coupon": "SPRING"})]).await;
    let mut before = None;
    for attempt in 0..2 {
        let shop = Shop::open(dir.path(), "2.1.0").await;
        let told = "state of schema 3: there is no way back to 2: its coupon \"SPRING\" would be lost";
        match (attempt, shop.held().await) {
            (0, HoldCause::Refused(Refusal::Incompatible(why))) => assert_eq!(why, told),
            // The second time it is not even asked.
            (1, HoldCause::RefusedBefore { why, .. }) => assert!(why.contains(told), "{why}"),
            (_, other) => panic!("attempt {attempt}: {other}"),
        }
        let record = shop.record().await;
        assert_eq!(before.get_or_insert_with(|| record.clone()), &record, "attempt {attempt}");
        shop.close().await;
    }
    // The version that wrote it goes on as if nothing had been, and opens the way.
    let shop = Shop::open(dir.path(), "3.0.0").await;
    assert_eq!(Some(shop.record().await), before);
    assert_eq!(shop.says(json!("show")).await["total_cents"], json!(90));
    shop.says(json!({"drop-coupon": "SPRING"})).await;
    shop.close().await;
    let shop = Shop::open(dir.path(), "2.1.0").await;
    assert_eq!(shop.says(json!("show")).await["total_cents"], json!(100));
    shop.close().await;
}

#[tokio::test]
async fn a_schema_that_a_version_does_not_read_never_reaches_it() {
    let dir = tempfile::tempdir().unwrap();
    for writer in ["2.1.0", "3.0.0"] {
        left(dir.path(), writer, &[json!({"add": {"item": "fig"}})]).await;
        let found = u32::from(writer.as_bytes()[0] - b'0');
        let shop = Shop::open(dir.path(), "1.0.0").await;
        let (plugin, version) = ("cart".to_owned(), "1.0.0".to_owned());
        let unread = HoldCause::Schema { found, plugin, version, reads_from: 1, reads_to: 1 };
        assert_eq!(shop.held().await, unread);
        let before = shop.record().await;
        assert_eq!(before.1, Some(found));
        shop.close().await;
        let shop = Shop::open(dir.path(), writer).await;
        assert_eq!(shop.record().await, before);
        assert_eq!(shop.says(json!("show")).await["orders"], json!(0));
        shop.close().await;
    }
}
