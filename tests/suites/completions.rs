//! What a shell is told while somebody types: commands and options, and the names that the live host has.

use std::process::Command;

use super::cli::Place;
use crate::harness::build_dir;

/// What may stand in place of the last of `words`.
fn completed(place: &Place, words: &[&str]) -> Vec<String> {
    let mut command = place.command(&[&["--", "baton"], words].concat());
    command.env("COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", words.len().to_string()).env("_CLAP_IFS", "\n");
    let output = command.output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn names_are_those_of_the_live_host() {
    let place = Place::counter();
    let host = place.host();
    for actor in ["more/a", "more/b c"] {
        assert_eq!(place.baton(&["call", actor, "get"]).code, 0);
    }
    assert_eq!(place.baton(&["start", "w/1", "--plugin", "counter"]).code, 0);
    assert_eq!(place.baton(&["stop", "counter/1"]).code, 0);
    for words in [&["call", "more/"][..], &["cast", "more"], &["ps", "more/"], &["top", "m"], &["events", "more"]] {
        assert_eq!(completed(&place, words), ["more/a", "more/b c"], "{words:?}");
    }
    assert_eq!(completed(&place, &["start", "cou"]), ["counter/1"], "one that is down is a child all the same");
    assert_eq!(completed(&place, &["call", "cou"]), [""; 0], "and no actor to be called");
    assert_eq!(completed(&place, &["swap", ""]).first().map(String::as_str), Some("counter"));
    assert_eq!(completed(&place, &["start", "x", "--plugin", "co"]), ["counter"]);
    assert_eq!(completed(&place, &["store", "show", "count"]), ["counter/1"]);
    assert!(completed(&place, &["call", "a//"]).is_empty(), "no name begins so");
    assert_eq!(completed(&place, &["--data-dir", "data", "call", "w"]), ["w/1"]);
    assert!(completed(&place, &["--data-dir", "elsewhere", "call", "w"]).is_empty());
    drop(host);
    assert!(completed(&place, &["call", "w"]).is_empty(), "without a host there are none, and nothing is said");
}

#[test]
fn commands_and_options_need_no_host() {
    let place = Place::counter();
    assert_eq!(completed(&place, &["compl"]), ["completions"]);
    assert!(completed(&place, &["events", "--ki"]).contains(&"--kinds".to_owned()));
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let live = place.baton(&["completions", shell]);
        assert!(live.code == 0 && live.out.contains("COMPLETE"), "{shell}: {live:?}");
        let fixed = place.baton(&["completions", shell, "--static"]);
        assert!(fixed.code == 0 && fixed.out.contains("whereis") && !fixed.out.contains("COMPLETE="), "{shell}");
    }
    assert_eq!(place.baton(&["completions", "tcsh"]).code, 2);
}

#[test]
fn bash_takes_the_script_and_completes_with_it() {
    let place = Place::counter();
    let _host = place.host();
    let path = format!("{}:{}", build_dir().display(), std::env::var("PATH").unwrap());
    let dir = place.data("").parent().unwrap().to_owned();
    for name in ["more/a b", "more/a$b"] {
        assert_eq!(place.baton(&["call", name, "get"]).code, 0);
    }
    // The word as it stands on the line, and as bash hands it over: without the quote that it began with.
    for (line, word, offered) in [
        ("cou", "cou", &["counter/1"][..]),
        ("more/", "more/", &["more/a\\ b", "more/a\\$b"]),
        ("more/a\\ ", "more/a\\ ", &["more/a\\ b"]),
        ("\"more/a ", "more/a ", &["more/a b"]),
    ] {
        // What bash itself would call.
        let script = "source <(baton completions bash); COMP_WORDS=(baton call \"$1\"); COMP_CWORD=2; \
                      set -- \"$2\" $(complete -p baton); \"${@: -2:1}\" baton \"$1\" call; printf '%s\\n' \"${COMPREPLY[@]}\"";
        let mut bash = Command::new("bash");
        let bash = bash.args(["-c", script, "bash", line, word]).env("PATH", &path).current_dir(&dir);
        let output = bash.output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert_eq!(told.lines().collect::<Vec<_>>(), offered, "{line}: {output:?}");
    }
}
