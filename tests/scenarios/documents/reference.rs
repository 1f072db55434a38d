//! Pages of reference against the code: keys, commands, routes, problems.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::process::Command;

use meridian_node::Config;
use reqwest::StatusCode;

use super::{cells, code, difference, generated, read};
use crate::harness::binary;

#[test]
fn every_key_of_the_configuration_is_documented_with_its_default() {
    let reference = toml::Table::try_from(Config::reference()).expect("it serializes");
    let mut is = BTreeMap::new();
    for (section, keys) in &reference {
        for (key, default) in keys.as_table().expect("sections") {
            is.insert(format!("{section}.{key}"), default.to_string());
        }
    }
    let page = read("docs/reference/config.md");
    let mut said = BTreeMap::new();
    for row in page.lines().filter_map(cells) {
        if let [key, default, what] = row[..]
            && let Some(key) = code(key)
        {
            assert!(!what.is_empty(), "{key}: say what it is");
            said.insert(key.to_owned(), default.to_owned());
        }
    }
    let keys = |keys: &BTreeMap<String, String>| keys.keys().cloned().collect();
    assert_eq!(difference(&keys(&said), &keys(&is)), None);
    for (key, default) in said {
        // Who a node is has no default, and the reference shows an example.
        let required = ["node.", "tls.", "cluster.topology"];
        if required.iter().any(|section| key.starts_with(section)) {
            assert_eq!(default, "required", "{key}");
        } else {
            assert_eq!(code(&default), Some(is[&key].as_str()), "{key}");
        }
    }
}

#[test]
fn every_command_is_documented_as_it_explains_itself() {
    let mut page = String::from(
        "# Command line\n\nWhat each command says of itself. This page is written by a test.\n",
    );
    describe(&mut Vec::new(), &mut page);
    generated("docs/reference/cli.md", &page);
}

#[test]
fn descriptions_of_the_apis_are_kept_as_the_binary_prints_them() {
    for (arguments, copy) in [
        (&["openapi"][..], "docs/reference/openapi.json"),
        (
            &["openapi", "--operators"],
            "docs/reference/openapi-operators.json",
        ),
    ] {
        let printed = Command::new(binary()).args(arguments).output();
        let printed = String::from_utf8(printed.expect("it runs").stdout).expect("text");
        generated(copy, &printed);
    }
}

/// Adds a command's help, and that of the commands below it.
fn describe(path: &mut Vec<String>, page: &mut String) {
    let output = Command::new(binary())
        .args(&*path)
        .arg("--help")
        // The help shows what they are set to.
        .env_remove("MERIDIAN_API")
        .env_remove("MERIDIAN_ADMIN")
        .output()
        .expect("it runs");
    let help = String::from_utf8(output.stdout).expect("text");
    let lines = help.trim_end().lines().map(str::trim_end);
    let help = lines.collect::<Vec<_>>().join("\n");
    let name = [vec!["meridian".to_owned()], path.clone()]
        .concat()
        .join(" ");
    writeln!(page, "\n## `{name}`\n\n```text\n{help}\n```").expect("a string takes all");
    for command in commands(&help) {
        path.push(command);
        describe(path, page);
        path.pop();
    }
}

/// The commands that a help lists.
fn commands(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = listed.take_while(|line| !line.is_empty());
    // Lines that go on are further in.
    let names = listed.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let names = names.filter(|name| !name.is_empty() && *name != "help");
    names.map(str::to_owned).collect()
}

#[test]
fn every_route_is_documented() {
    // The page that a test writes from the table of routes.
    let is = calls("docs/authorization.md");
    assert!(is.len() > 50, "only {} routes were found", is.len());
    assert_eq!(difference(&calls("docs/reference/api.md"), &is), None);
}

/// Methods and paths that stand first in the rows of a page.
fn calls(page: &str) -> BTreeSet<String> {
    let page = read(page);
    let rows = page.lines().filter_map(cells);
    let calls = rows.filter_map(|row| code(row[0]));
    let calls = calls.filter(|call| call.contains(" /"));
    calls.map(str::to_owned).collect()
}

#[test]
fn every_problem_is_documented_with_its_status() {
    let source = read("node/src/api/problem.rs");
    let table = source.split("const fn row(self)").nth(1).expect("a table");
    let table = table.split("\n    }\n").next().expect("its end");
    let mut is = BTreeSet::new();
    for row in table.split("Self::").skip(1) {
        let slug = row.split('"').nth(1).expect("a slug");
        let status = row.split('"').nth(2).expect("a status");
        let status = status.trim_matches([',', ' ', '\n']);
        let status = match status.strip_prefix("S::") {
            Some(name) => number(name),
            None if status == "ELSEWHERE" => StatusCode::MISDIRECTED_REQUEST.as_u16(),
            None => panic!("{slug}: a status that this test does not know: {status}"),
        };
        is.insert(format!("{slug} {status}"));
    }
    let page = read("docs/reference/problems.md");
    let mut said = BTreeSet::new();
    for row in page.lines().filter_map(cells) {
        if let Some(slug) = code(row[0]) {
            said.insert(format!("{slug} {}", row[1]));
        }
    }
    assert_eq!(difference(&said, &is), None);
}

/// The number of a status, by the name of its constant.
fn number(name: &str) -> u16 {
    let constant = |status: &StatusCode| {
        let reason = status.canonical_reason()?;
        Some(reason.to_uppercase().replace([' ', '-'], "_"))
    };
    let mut known = (100..600).filter_map(|code| StatusCode::from_u16(code).ok());
    let found = known.find(|status| constant(status).as_deref() == Some(name));
    found.expect("a status of HTTP").as_u16()
}
