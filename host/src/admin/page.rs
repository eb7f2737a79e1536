//! The page for operators: one file of HTML, CSS and JavaScript, put together when the host starts to serve.
//!
//! Its parts are modules that refer to each other; served as one script they need no `import` and no `export`. Nothing is
//! fetched from elsewhere, and nothing runs that is not named here by its digest.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::routes::Context;

const FRAME: &str = include_str!("page/index.html");
const STYLES: [&str; 5] = [
    include_str!("page/base.css"),
    include_str!("page/parts.css"),
    include_str!("page/tree.css"),
    include_str!("page/views.css"),
    include_str!("page/narrow.css"),
];

macro_rules! scripts {
    ($($name:literal)*) => { [$(($name, include_str!(concat!("page/", $name, ".mjs")))),*] };
}

/// What is used by others comes before them.
const SCRIPTS: [(&str, &str); 26] = scripts![
    "text" "tree" "route" "api" "dom" "phase" "grid" "live" "children" "changes" "compare" "history" "held" "message" "saying" "events" "swapping" "swap" "overview" "detail"
    "actors" "attention" "plugins" "store" "host" "main"
];

/// The page, and what a browser may do with it.
#[derive(Debug)]
struct Page {
    html: String,
    policy: String,
}

impl Page {
    fn assembled() -> Self {
        let style = STYLES.concat();
        let script: String = SCRIPTS.iter().map(|(_, source)| joined(source)).collect();
        let policy = format!(
            "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src data:; connect-src 'self'; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
            digest(&script),
            digest(&style)
        );
        let html = FRAME.replacen("<!--style-->", &style, 1).replacen("<!--script-->", &script, 1);
        Self { html, policy }
    }
}

/// A module's lines as they stand in one script with all others.
fn joined(module: &str) -> String {
    let lines = module.lines().filter(|line| !line.starts_with("import "));
    lines.flat_map(|line| [line.strip_prefix("export ").unwrap_or(line), "\n"]).collect()
}

fn digest(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text))
}

/// Serves it at `/`, to whoever asks: it holds nothing of the host. What it shows it asks the API for.
pub(super) fn routes() -> Router<Arc<Context>> {
    let page = Arc::new(Page::assembled());
    Router::new().route("/", get(move || serve(Arc::clone(&page))))
}

async fn serve(page: Arc<Page>) -> Response {
    let named =
        |name: &'static str, value: &'static str| (HeaderName::from_static(name), HeaderValue::from_static(value));
    let mut response = Html(page.html.clone()).into_response();
    response.headers_mut().extend([
        named("x-content-type-options", "nosniff"),
        named("referrer-policy", "no-referrer"),
        named("cross-origin-opener-policy", "same-origin"),
        named("cross-origin-resource-policy", "same-origin"),
        // Another release of the host has another page.
        named("cache-control", "no-cache"),
    ]);
    if let Ok(policy) = HeaderValue::try_from(&page.policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_module_is_served_after_those_that_it_needs_as_they_are_loaded() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/admin/page");
        let files = fs::read_dir(folder).expect("it is there").flatten().map(|file| file.file_name());
        let modules: BTreeSet<String> =
            files.filter_map(|name| Some(name.to_str()?.strip_suffix(".mjs")?.to_owned())).collect();
        let served: BTreeSet<String> = SCRIPTS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(modules, served);
        for (name, source) in SCRIPTS {
            for line in source.lines().filter(|line| line.starts_with("import ")) {
                assert!(line.ends_with(".mjs\";"), "{name}: an import is one line: {line}");
                let from =
                    line.rsplit_once("./").and_then(|(_, file)| file.strip_suffix(".mjs\";")).unwrap_or_default();
                assert!(served.contains(from), "{name}: {line}");
            }
        }
    }

    #[test]
    fn in_one_script_no_two_modules_give_a_thing_the_same_name() {
        let mut seen = BTreeMap::new();
        for (module, source) in SCRIPTS {
            for line in joined(source).lines() {
                let words: Vec<&str> = line.split([' ', '(']).collect();
                let name = match words[..] {
                    ["const" | "let" | "class" | "function", name, ..] => name,
                    ["async", "function", name, ..] => name,
                    _ => continue,
                };
                if let Some(other) = seen.insert(name.to_owned(), module) {
                    panic!("`{name}` is in {other}.mjs and in {module}.mjs");
                }
                assert!(!line.starts_with("export"), "{module}: {line}");
            }
        }
        assert!(seen.len() > 100, "only {} names were found", seen.len());
    }

    #[test]
    fn only_what_is_in_the_page_runs_and_data_becomes_no_markup() {
        let page = Page::assembled();
        let between = |from: &str, to: &str| {
            let (_, rest) = page.html.split_once(from).expect(from);
            rest.split_once(to).expect(to).0
        };
        let script = digest(between("<script type=\"module\">", "</script>"));
        let style = digest(between("<style>", "</style>"));
        assert!(page.policy.contains(&format!("script-src 'sha256-{script}';")), "{}", page.policy);
        assert!(page.policy.contains(&format!("style-src 'sha256-{style}';")), "{}", page.policy);
        assert!(HeaderValue::try_from(&page.policy).is_ok());
        for never in
            ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", " style=", "unsafe-inline"]
        {
            assert!(!page.html.contains(never) && !page.policy.contains(never), "{never}");
        }
        let elsewhere = page.html.replace("http://www.w3.org/2000/svg", "");
        assert!(!elsewhere.contains("http://") && !elsewhere.contains("https://"), "it names another origin");
    }
}
