//! The API's description: it is that of the host that serves it, whole, and nothing that it promises is broken.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::Value;

use super::{OPERATE, READ, ask, place, url};
use crate::harness::repository;

const FILE: &str = "docs/src/openapi.json";

#[test]
fn the_description_in_the_book_is_the_one_that_is_served() {
    let place = place("insecure_loopback = true");
    let host = place.host();
    let served = ask(&url(&host), "GET /v1/openapi.json", Some(READ), "").json();
    let text = serde_json::to_string_pretty(&served).unwrap() + "\n";
    let file = repository().join(FILE);
    if std::env::var_os("BATON_RENEW").is_some() {
        fs::write(&file, &text).unwrap();
    }
    let kept = fs::read_to_string(file).unwrap_or_default();
    assert!(
        kept == text,
        "{FILE} is another one: BATON_RENEW=1 cargo nextest run --workspace -E 'test(description)' writes it anew"
    );
}

#[test]
fn the_book_has_each_route_and_each_route_is_described() {
    let described: Value = serde_json::from_str(&fs::read_to_string(repository().join(FILE)).unwrap()).unwrap();
    let book = fs::read_to_string(repository().join("docs/src/http.md")).unwrap();
    let mut ids = BTreeSet::new();
    for (path, methods) in described["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{path}: the id is taken");
            assert!(operation["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{path}");
            let last = path.rsplit('/').next().unwrap();
            let short = format!("/{last}`");
            let told = book.contains(&format!("{} {path}", method.to_uppercase()))
                || book.contains(&short)
                || book.contains(&format!("/{last}?"));
            assert!(told, "the book does not tell of {} {path}", method.to_uppercase());
        }
    }
}

#[test]
fn the_book_has_each_code_with_its_status_and_its_cure() {
    let book = fs::read_to_string(repository().join("docs/src/http.md")).unwrap();
    let (_, table) = book.split_once("| code | status |").unwrap();
    let told: BTreeSet<&str> = table
        .lines()
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .filter_map(|line| line.split('|').nth(1))
        .flat_map(|codes| codes.split('`').skip(1).step_by(2))
        .collect();
    let mut codes = BTreeSet::new();
    for file in fs::read_dir(repository().join("host/src/admin")).unwrap() {
        let file = file.unwrap().path();
        if file.is_file() {
            let text = fs::read_to_string(file).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap();
            // A status, and the code after it.
            for rest in text.split("StatusCode::").skip(1) {
                let after = rest.trim_start_matches(|c: char| c.is_ascii_uppercase() || c == '_');
                let quoted = after.strip_prefix(',').map(str::trim_start).and_then(|rest| rest.strip_prefix('"'));
                let code = quoted.and_then(|rest| rest.split('"').next());
                codes.extend(code.filter(|code| !code.contains(' ')).map(str::to_owned));
            }
        }
    }
    assert!(codes.len() > 10, "{codes:?}");
    let errors = fs::read_to_string(repository().join("host/src/model/error.rs")).unwrap();
    let tools = fs::read_to_string(repository().join("host/src/store/tools/mod.rs")).unwrap();
    for line in errors.lines().chain(tools.lines()) {
        let code = line.split_once(" => \"").and_then(|(_, rest)| rest.split('"').next());
        // Those of the start, which no client hears.
        codes.extend(
            code.filter(|code| !["io", "config", "in-use", "engine"].contains(code) && !code.contains(' '))
                .map(str::to_owned),
        );
    }
    let missing: Vec<_> = codes.iter().filter(|code| !told.contains(code.as_str())).collect();
    assert!(missing.is_empty(), "the book does not tell of {missing:?}");
}

/// Requests made up from the description, good and bad ones, thousands of them. The same in each run, unless
/// `BATON_EXAMPLES` says how many are to be drawn for each operation.
///
/// A schema counts characters and a name bytes: one of fewer than 256 characters, not all ASCII, may be too long all the same.
#[test]
fn schemathesis_finds_nothing() {
    let Some(schemathesis) = std::env::var_os("BATON_SCHEMATHESIS") else {
        eprintln!("not run: BATON_SCHEMATHESIS names no schemathesis; `cargo xtask test` fetches one");
        return;
    };
    let place = place("insecure_loopback = true");
    let folder = place.data("").parent().unwrap().to_owned();
    let host = place.host();
    let url = url(&host);
    let config = repository().join("tests/fixtures/schemathesis.toml");
    let drawn = std::env::var("BATON_EXAMPLES").ok();
    let examples = drawn.clone().unwrap_or_else(|| "25".to_owned());
    let output = Command::new(schemathesis)
        .arg("--config-file")
        .arg(config)
        .args(["run", &format!("{url}/v1/openapi.json"), "--url", &url, "--max-examples", &examples])
        .args(["--header", &format!("Authorization: Bearer {OPERATE}"), "--no-color"])
        .args(drawn.is_none().then_some("--generation-deterministic"))
        .current_dir(folder)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(place.baton(&["ps"]).code, 0, "the host has survived it");
}
