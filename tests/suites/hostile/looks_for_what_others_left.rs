//! An instance looks through its memory and its table for what the instances before it left there: there is nothing,
//! whichever plugin they were of.

use baton_host::{CallOptions, Host, Intensity};

use crate::bad_input::count;
use crate::harness::{WatGuest, actor, host, name};

/// Instances at once: with those to spare, three companies of these fill all the memories that the host keeps for guests.
const MANY: usize = 60;

/// Beyond what is its own, asked `!`, it fills its memory and its table and traps; asked `?`, it counts what it finds.
fn looks(plugin: &str) -> WatGuest {
    let grow = "(drop (memory.grow (i32.const 14))) (drop (table.grow $t (ref.null func) (i32.const 500)))";
    let fill = format!(
        "{grow} (memory.fill (i32.const 131072) (i32.const 165) (i32.const 917504))
         (table.fill $t (i32.const 1) (ref.func $filler) (i32.const 500)) unreachable"
    );
    let look = format!(
        "{grow} (local.set $i (i32.const 131072)) (i32.store (i32.const 45000) (i32.const 0))
         (loop $on
           (i32.store (i32.const 45000) (i32.add (i32.load (i32.const 45000)) (i32.ne (i32.load (local.get $i)) (i32.const 0))))
           (local.set $i (i32.add (local.get $i) (i32.const 4)))
           (br_if $on (i32.lt_u (local.get $i) (i32.const 1048576))))
         (local.set $i (i32.const 1))
         (loop $on
           (i32.store (i32.const 45000) (i32.add (i32.load (i32.const 45000)) (i32.eqz (ref.is_null (table.get $t (local.get $i))))))
           (local.set $i (i32.add (local.get $i) (i32.const 1)))
           (br_if $on (i32.lt_u (local.get $i) (i32.const 500))))
         (return (call $bytes (i32.const 45000) (i32.const 4)))"
    );
    WatGuest::new(plugin)
        .with("(table $t 1 funcref) (func $filler) (elem declare func $filler)")
        .when('!', &fill)
        .when('?', &look)
}

/// Starts `MANY` actors of `plugin`, and ends them once all have been asked `letter`.
async fn company(host: &Host, plugin: &str, letter: &str) {
    for n in 0..MANY {
        let mut spec = actor(&format!("{plugin}/{n}"), plugin);
        spec.intensity = Intensity { max_restarts: 0, max_seconds: 1 };
        host.start(spec).await.unwrap();
    }
    for n in 0..MANY {
        let asked = host.call(&name(&format!("{plugin}/{n}")), letter.to_owned(), CallOptions::default()).await;
        match asked {
            Ok(found) => assert_eq!(count(&found), 0, "{plugin}/{n} found something"),
            Err(error) => assert_eq!((letter, error.code()), ("!", "crashed"), "{error}"),
        }
    }
    for n in 0..MANY {
        host.stop(&name(&format!("{plugin}/{n}"))).await.unwrap();
    }
}

#[tokio::test]
async fn nothing_of_one_instance_is_seen_by_the_next() {
    let plugins = ["one", "two", "three", "four"];
    let mut building = host().instances(u32::try_from(MANY).unwrap());
    for plugin in plugins {
        building = building.plugin_bytes(format!("{plugin}.wasm"), looks(plugin).build());
    }
    let host = building.build().await.unwrap();
    for plugin in &plugins[..3] {
        company(&host, plugin, "!").await;
    }
    // Its own predecessors' places, and those of others.
    for plugin in plugins {
        company(&host, plugin, "?").await;
    }
    host.shutdown(None).await;
}
