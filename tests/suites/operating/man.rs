//! The manual pages.

use std::process::Command;

use crate::cli::Place;

#[test]
fn each_command_has_a_page_with_its_options_and_the_first_names_them_all() {
    let place = Place::new("");
    let help = place.baton(&["help"]).out;
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| {
            line.split_whitespace().next().filter(|_| line.starts_with("  ") && !line.starts_with("   "))
        })
        .filter(|command| *command != "help")
        .collect();
    assert!(commands.contains(&"run") && commands.contains(&"completions"), "{help}");
    let told = place.baton(&["man", "out/man1"]);
    assert_eq!(told.code, 0, "{told:?}");
    let dir = place.data("").parent().unwrap().join("out/man1");
    let page = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let all = page("baton.1");
    assert_eq!(place.baton(&["man"]).out, all, "without a folder the first page goes to stdout");
    for command in &commands {
        assert!(all.contains(&format!("baton\\-{}(1)", command.replace('-', "\\-"))), "{command} is not in baton(1)");
        assert!(page(&format!("baton-{command}.1")).contains(".SH SYNOPSIS"), "{command}");
    }
    assert!(page("baton-run.1").contains("\\-\\-recover") && page("baton-store-verify.1").contains("verify"));
    let pages = std::fs::read_dir(&dir).unwrap().count();
    assert!(told.out.starts_with(&format!("{pages} pages in out/man1: man -M out baton\n")), "{told:?}");
    // What reads them finds nothing wrong, where it is there.
    if let Ok(read) = Command::new("man").args(["--warnings", "-l"]).arg(dir.join("baton-run.1")).output() {
        assert!(read.status.success() && read.stderr.is_empty(), "{read:?}");
    }
}
