//! Files that are no plugin, or one for another contract.

use std::fmt::Write as _;

use baton_host::{ErrorCode, Host, HostError};

use super::{ask, count, says};
use crate::harness::{WatGuest, actor, host, repository};

const HEAD: &str = "(component (core module $m (memory (export \"memory\") 1) (func (export \"f\")))\n\
                    (core instance $i (instantiate $m)) (func $f (canon lift (core func $i \"f\")))\n";
const LIFECYCLE: [&str; 6] = ["describe", "init", "continue", "handle", "snapshot", "terminate"];

/// A component with these imports, which exports `functions` in the instance `exported`, none with parameters or results.
fn component(imports: &str, exported: &str, functions: &[&str]) -> Vec<u8> {
    let mut text = format!("{HEAD}{imports}\n(instance $l");
    for function in functions {
        let _ = write!(text, " (export \"{function}\" (func $f))");
    }
    let _ = write!(text, ") (export \"{exported}\" (instance $l)))");
    wat::parse_str(&text).unwrap()
}

async fn refused(bytes: Vec<u8>) -> HostError {
    let error = host().plugin_bytes("that.wasm", bytes).build().await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Plugin);
    says(&error, &["plugin that.wasm: "]);
    error
}

#[tokio::test]
async fn bytes_that_are_no_webassembly_are_told_from_damaged_ones() {
    let whole = WatGuest::new("bad").build();
    let cases: [(&str, &[u8], &[&str]); 6] = [
        ("nothing", b"", &["not WebAssembly", "does not begin with \\0asm", "name the .wasm file"]),
        ("text", b"fn main() {}", &["not WebAssembly", "name the .wasm file"]),
        ("half a magic", b"\0a", &["not WebAssembly"]),
        ("no version", b"\0asm", &["WebAssembly of a version that is not known"]),
        ("a later version", b"\0asm\x07\0\0\0", &["WebAssembly of a version that is not known"]),
        ("a module cut short", &whole[..whole.len() / 2], &["it is not a valid core module: unexpected end-of-file"]),
    ];
    for (what, bytes, words) in cases {
        println!("{what}");
        says(refused(bytes.to_vec()).await, words);
    }
    let component = component("", "baton:actor/lifecycle@0.1.0", &LIFECYCLE);
    says(refused(component[..component.len() - 5].to_vec()).await, &["it is not a valid component"]);
    // Wherever a file was cut, it is refused in words, and nothing panics.
    for length in (8..whole.len()).step_by(97) {
        refused(whole[..length].to_vec()).await;
    }
}

#[tokio::test]
async fn a_module_whose_packages_use_each_other_is_refused_and_ends_nothing() {
    let kept = repository().join("tests/fixtures/corpus/guests");
    let cases = [
        ("packages-that-use-each-other", "the packages of its world use each other: baton:actor@0.1.0"),
        ("packages-in-a-circle", "package `baton:actor@0.1.0` creates a dependency cycle"),
    ];
    for (file, words) in cases {
        let module = std::fs::read(kept.join(file)).unwrap();
        says(refused(module).await, &["could not be made a component", words]);
    }
}

#[tokio::test]
async fn a_module_or_component_for_no_world_is_told_what_is_missing() {
    let module = wat::parse_str("(module (func (export \"main\")))").unwrap();
    says(refused(module).await, &["baton:actor/lifecycle@0.1.0", "build it"]);
    let empty = wat::parse_str("(component)").unwrap();
    says(
        refused(empty).await,
        &["exports nothing", "baton:actor/lifecycle@0.1.0 is needed", "world `baton:actor/actor`"],
    );
    let other = component("", "acme:thing/run@1.0.0", &["run"]);
    says(refused(other).await, &["exports acme:thing/run@1.0.0, not baton:actor/lifecycle@0.1.0"]);
    let half = component("", "baton:actor/lifecycle@0.1.0", &["describe", "init"]);
    says(refused(half).await, &["has no function `continue`", "wit/actor/0.1.0"]);
}

#[tokio::test]
async fn a_version_of_the_contract_that_is_not_known_is_named_with_the_one_that_is() {
    let newer = component("", "baton:actor/lifecycle@9.0.0", &LIFECYCLE);
    says(refused(newer).await, &["lifecycle@9.0.0", "this host knows baton:actor/lifecycle@0.1.0", "use a host"]);
    let import = "(import \"baton:actor/host@0.9.0\" (instance (export \"log\" (func))))";
    let newer = component(import, "baton:actor/lifecycle@0.1.0", &LIFECYCLE);
    says(
        refused(newer).await,
        &["imports baton:actor/host@0.9.0", "this host knows baton:actor/host@0.1.0", "use a host"],
    );
    let import = "(import \"baton:actor/supervision@0.9.0\" (instance (export \"link\" (func))))";
    let newer = component(import, "baton:actor/lifecycle@0.1.0", &LIFECYCLE);
    says(refused(newer).await, &["imports baton:actor/supervision@0.9.0", "and baton:actor/supervision@0.1.0"]);
}

#[tokio::test]
async fn a_name_without_its_version_is_told_with_the_one_that_is_expected() {
    for exported in ["baton:actor/lifecycle", "lifecycle"] {
        let error = refused(component("", exported, &LIFECYCLE)).await;
        says(
            error,
            &[
                &format!("it exports {exported}, a name without the contract's version"),
                "baton:actor/lifecycle@0.1.0 is expected",
            ],
        );
    }
}

#[tokio::test]
async fn what_a_plugin_may_not_import_is_named() {
    let unknown = "(import \"acme:db/query@1.0.0\" (instance (export \"run\" (func))))";
    let error = refused(component(unknown, "baton:actor/lifecycle@0.1.0", &LIFECYCLE)).await;
    says(
        error,
        &["acme:db/query@1.0.0", "baton:actor/host, baton:actor/supervision and WASI 0.2", "without the others"],
    );
    let function = "(import \"baton:actor/host@0.1.0\" (instance (export \"format-disk\" (func))))";
    says(refused(component(function, "baton:actor/lifecycle@0.1.0", &LIFECYCLE)).await, &["format-disk"]);
    let mistyped = "(import \"baton:actor/host@0.1.0\" (instance (export \"save\" (func (param \"x\" u32)))))";
    says(refused(component(mistyped, "baton:actor/lifecycle@0.1.0", &LIFECYCLE)).await, &["save"]);
    let mistyped =
        "(import \"baton:actor/supervision@0.1.0\" (instance (export \"link\" (func (param \"actor\" u32)))))";
    says(refused(component(mistyped, "baton:actor/lifecycle@0.1.0", &LIFECYCLE)).await, &["supervision", "link"]);
}

#[tokio::test]
async fn exports_of_other_types_are_found_before_anything_calls_them() {
    let error = refused(component("", "baton:actor/lifecycle@0.1.0", &LIFECYCLE)).await;
    says(error, &["its exports are not those of baton:actor/lifecycle"]);
}

#[tokio::test]
async fn files_that_cannot_be_read_are_named() {
    let dir = tempfile::tempdir().unwrap();
    for path in [dir.path().join("missing.wasm"), dir.path().to_owned()] {
        let error = host().plugin_file(&path).build().await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::Plugin);
        says(error, &[path.to_str().unwrap(), "cannot be read", "check the path"]);
    }
}

#[tokio::test]
async fn two_files_that_say_they_are_the_same_version_are_refused() {
    let other = WatGuest::new("bad").when('x', "(call $save)");
    let twice = host().plugin_bytes("a.wasm", WatGuest::new("bad").build()).plugin_bytes("b.wasm", other.build());
    let error = twice.build().await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Plugin);
    says(error, &["plugin b.wasm", "bad 1.0.0", "a.wasm", "a version of its own"]);
    // The very same file is no mistake.
    let guest = WatGuest::new("bad").build();
    let same = host().plugin_bytes("a.wasm", guest.clone()).plugin_bytes("b.wasm", guest).build().await.unwrap();
    assert_eq!(same.plugins().len(), 1);
}

#[tokio::test]
async fn a_host_that_refused_a_plugin_lets_its_data_go_and_has_touched_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let good = || {
        let guest = WatGuest::new("well").build();
        host().data_dir(dir.path()).plugin_bytes("well.wasm", guest).actor(actor("well/1", "well"))
    };
    let first = good().build().await.unwrap();
    assert_eq!(count(&ask(&first, "well/1", "x").await.unwrap()), 1);
    assert!(first.shutdown(None).await.all_saved());
    let error = good().plugin_bytes("bad.wasm", b"text".to_vec()).build().await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Plugin);
    let next = good().build().await.unwrap();
    assert_eq!(count(&ask(&next, "well/1", "x").await.unwrap()), 2);
    assert_eq!(next.actor(&crate::harness::name("well/1")).unwrap().generation, 2, "nobody claimed it meanwhile");
    assert!(next.shutdown(None).await.all_saved());
}

#[tokio::test]
async fn inspecting_refuses_the_same() {
    let error = Host::inspect("that.wasm", b"text".to_vec()).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Plugin);
    says(error, &["plugin that.wasm", "not WebAssembly"]);
    let looks = WatGuest::new("bad").on("describe", "unreachable").build();
    says(Host::inspect("that.wasm", looks).await.unwrap_err(), &["`describe` failed", "unreachable"]);
}
