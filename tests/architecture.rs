//! The floors of the house: a room uses only what lies below it, and foreign crates stay in the rooms that may name them.
//!
//! The check reads paths as the compiler does: `crate::{a, b::c}`, `super::super::a`, inline modules, renames. What it cannot
//! see is a path built by a macro.

use std::fs;
use std::path::{Path, PathBuf};

/// Every room and its floor. Rooms of one floor do not know each other, except on [`OPEN_FLOOR`].
const FLOORS: &[(&str, u8)] = &[
    ("stats", 0),
    ("data", 1),
    ("telemetry", 1),
    ("replica", 2),
    ("connector", 2),
    ("checkpoint", 2),
    ("network", 2),
    ("serve", 2),
    ("objective", 3),
    ("learner", 4),
    ("flow", 5),
    ("config", OPEN_FLOOR),
    ("error", OPEN_FLOOR),
    ("pipeline", OPEN_FLOOR),
    ("report", OPEN_FLOOR),
    ("benchmark", OPEN_FLOOR),
    ("cli", 7),
    ("allocator", 8),
    ("main", 8),
];

/// The rooms that compose the others, and so may see each other.
const OPEN_FLOOR: u8 = 6;

/// Foreign crates that belong to certain rooms.
const FOREIGN: &[(&str, &[&str])] = &[
    ("timely", &["flow"]),
    ("burn", &["network", "objective", "learner"]),
    ("rdkafka", &["connector"]),
    ("object_store", &["connector"]),
    ("realfft", &["data"]),
    ("clap", &["cli", "main"]),
    ("clap_complete", &["cli", "main"]),
    ("indicatif", &["cli", "main"]),
];

/// The name under which the binary and other crates see the library.
const LIBRARY: &str = "evenkeel";

const MAX_LINES: usize = 500;

#[test]
fn no_room_looks_up() {
    let mut faults = Vec::new();
    for (file, text) in sources("src") {
        faults.extend(check(&file, &text).into_iter().map(|fault| format!("{}: {fault}", file.display())));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_file_is_longer_than_500_lines() {
    for folder in ["src", "tests", "benches"] {
        for (file, text) in sources(folder) {
            let lines = text.lines().count();
            assert!(lines <= MAX_LINES, "{} has {lines} lines, at most {MAX_LINES}", file.display());
        }
    }
}

#[test]
fn every_folder_is_explained() {
    for (file, text) in sources("src") {
        let name = file.file_name().unwrap();
        if name == "mod.rs" || name == "lib.rs" {
            assert!(text.starts_with("//! "), "{} does not begin with `//!` docs", file.display());
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(file.parent().unwrap());
        let module = folder.join("mod.rs");
        let beside = folder.with_extension("rs");
        let root = folder.ends_with("src") || folder.ends_with("src/bin");
        assert!(root || module.is_file() || beside.is_file(), "{} has no mod.rs", folder.display());
    }
}

#[test]
fn upward_paths_are_found_however_they_are_written() {
    let upward = [
        "use crate::flow::Train;",
        "use crate::{data::Row, flow::Train};",
        "use crate::{data::{Row, Records}, flow};",
        "use super::super::flow::Train;",
        "use super::{super::flow::Train, moments};",
        "mod tests { use super::super::super::flow::Train; }",
        "fn f() { let x = crate::flow::Train::new(); }",
        "fn f(x: &'a crate::flow::Train) {}",
        "pub(in crate::flow) fn f() {}",
        "use crate as house;",
        "use crate::*;",
        "use super::super::*;",
        "use evenkeel::flow::Train;",
        "use r#crate::flow;\nuse crate :: /* on */ flow :: Train;",
        "use crate::unheard_of::Thing;",
    ];
    for code in upward {
        assert!(!check(Path::new("src/stats/moments.rs"), code).is_empty(), "not found: {code}");
    }
    assert!(!check(Path::new("src/stats.rs"), "use super::data::Row;").is_empty());
    assert!(!check(Path::new("src/connector/files.rs"), "use crate::checkpoint::Store;").is_empty());
    assert!(!check(Path::new("src/attic/mod.rs"), "").is_empty(), "a room without a floor");
}

#[test]
fn foreign_crates_are_found_however_they_are_named() {
    let foreign = [
        "use burn::tensor::Tensor;",
        "use ::burn::tensor::Tensor;",
        "use burn as fire;",
        "use {burn::tensor::Tensor, std::fs};",
        "extern crate burn;",
        "fn f(x: burn::Tensor<2>) {}",
        "fn f(x: Vec<::burn::Tensor<2>>) {}",
    ];
    for code in foreign {
        assert!(!check(Path::new("src/data/row.rs"), code).is_empty(), "not found: {code}");
        assert!(check(Path::new("src/network/encoder.rs"), code).is_empty(), "wrongly found: {code}");
    }
}

#[test]
fn what_is_allowed_is_left_alone() {
    let allowed = [
        "use crate::{data::Row, flow::Train, stats};",
        "use super::train::Train;\nmod tests { use super::*; use super::super::train; }",
        "// use crate::cli::Arguments;\n/* crate::cli /* crate::cli */ */",
        "const S: &str = \"crate::cli::run\"; const R: &str = r#\"use \"clap::Parser\"\"#; const C: char = '\"'; fn f<'a>(x: &'a str) {}",
        "pub(crate) fn f() {}\npub(super) fn g() {}",
        "fn f(clap: bool) { if clap { this.burn(); } }",
        "use self::inner::burn::Tensor;",
        "use timely::dataflow::Scope;",
    ];
    for code in allowed {
        assert_eq!(check(Path::new("src/flow/sink.rs"), code), Vec::<String>::new(), "{code}");
    }
    assert!(check(Path::new("src/main.rs"), "use evenkeel::{cli, flow::Train};").is_empty());
    assert!(check(Path::new("src/pipeline/run.rs"), "use crate::{config::Plan, error::Error};").is_empty());
}

/// All `.rs` files under `folder` of the repository, with their text.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut found, mut open) = (Vec::new(), vec![root.join(folder)]);
    while let Some(folder) = open.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(root).unwrap().to_owned(), text));
            }
        }
    }
    assert!(folder != "src" || !found.is_empty(), "no sources under {}", root.display());
    found
}

/// What the code of one file may not name.
fn check(file: &Path, text: &str) -> Vec<String> {
    let module = module_path(file);
    let room = module.first().map_or(if file.ends_with("main.rs") { "main" } else { "lib" }, String::as_str);
    if room == "lib" {
        return Vec::new();
    }
    let Some(floor) = floor(room) else {
        return vec![format!("room `{room}` has no floor; give it one in tests/architecture.rs")];
    };
    let mut faults = Vec::new();
    for path in paths(text, &module) {
        match path.as_slice() {
            [root] if root == "crate" => faults.push("the whole crate is renamed or imported".to_owned()),
            [root, star, ..] if root == "crate" && star == "*" => faults.push("`*` imports every room".to_owned()),
            [root, other, ..] if root == "crate" && other != room => match self::floor(other) {
                None => faults.push(format!("room `{other}` has no floor; give it one in tests/architecture.rs")),
                Some(below) if below < floor || below == floor && floor == OPEN_FLOOR => {}
                Some(_) => faults.push(format!("`{room}` may not use `{other}`: {}", path.join("::"))),
            },
            [name, ..] => {
                if let Some((_, rooms)) = FOREIGN.iter().find(|(foreign, _)| foreign == name)
                    && !rooms.contains(&room)
                {
                    faults.push(format!("`{name}` belongs to {rooms:?}, not to `{room}`: {}", path.join("::")));
                }
            }
            [] => {}
        }
    }
    faults
}

fn floor(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

/// `src/flow/train.rs` is `flow::train`, `src/flow/mod.rs` is `flow`, `src/lib.rs` is the root.
fn module_path(file: &Path) -> Vec<String> {
    let inside = file.strip_prefix("src").unwrap_or(file).with_extension("");
    let mut module: Vec<String> = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if module.last().is_some_and(|last| last == "mod")
        || matches!(module.as_slice(), [only] if only == "lib" || only == "main")
    {
        module.pop();
    }
    module
}

/// Every path the code names, resolved: paths into this crate begin with `crate`, foreign ones with the crate's name.
fn paths(text: &str, module: &[String]) -> Vec<Vec<String>> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    let mut module = module.to_vec();
    // Depth of braces at which each inline module ends.
    let (mut depth, mut inline) = (0usize, Vec::new());
    let mut at = 0;
    while at < tokens.len() {
        let before = at.checked_sub(1).map_or("", |i| tokens[i].as_str());
        match tokens[at].as_str() {
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                if inline.last() == Some(&depth) {
                    inline.pop();
                    module.pop();
                }
            }
            "mod" if tokens.get(at + 2).is_some_and(|next| next == "{") => {
                module.push(tokens[at + 1].clone());
                inline.push(depth);
                depth += 1;
                at += 2;
            }
            "use" | "crate" if before == "extern" || tokens[at] == "use" => {
                at = tree(&tokens, at + 1, Vec::new(), &module, &mut found);
                continue;
            }
            name if is_name(name) && before != "." && before != "fn" => {
                let after = tokens.get(at + 1).map_or("", String::as_str);
                if after == "::" {
                    at = tree(&tokens, at, Vec::new(), &module, &mut found);
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Reads the use tree at `at` behind `prefix`, adds its resolved paths to `found`, returns where it ends.
fn tree(
    tokens: &[String],
    mut at: usize,
    mut prefix: Vec<String>,
    module: &[String],
    found: &mut Vec<Vec<String>>,
) -> usize {
    loop {
        match tokens.get(at).map_or("", String::as_str) {
            "::" => at += 1,
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token != "}") {
                    let end = tree(tokens, at, prefix.clone(), module, found);
                    // Not a use tree (a macro's pattern): its content is read by the caller.
                    if end == at {
                        return at;
                    }
                    at = end;
                    if tokens.get(at).is_some_and(|token| token == "as") {
                        at += 2;
                    }
                    if tokens.get(at).is_some_and(|token| token == ",") {
                        at += 1;
                    }
                }
                return at + 1;
            }
            name if is_name(name) || name == "*" => {
                prefix.push(name.to_owned());
                at += 1;
                if tokens.get(at).is_none_or(|token| token != "::") {
                    found.push(resolve(&prefix, module));
                    return at;
                }
                // A turbofish ends the path: `Vec::<u8>::new`.
                if tokens.get(at + 1).is_some_and(|token| !is_name(token) && token != "{" && token != "*") {
                    found.push(resolve(&prefix, module));
                    return at + 1;
                }
            }
            _ => return at,
        }
    }
}

/// Follows `crate`, `self`, `super` and the library's own name from `module`.
fn resolve(path: &[String], module: &[String]) -> Vec<String> {
    let mut here = match path[0].as_str() {
        "crate" | LIBRARY => Vec::new(),
        "self" | "super" => module.to_vec(),
        _ => return path.to_vec(),
    };
    for (i, segment) in path.iter().enumerate() {
        match segment.as_str() {
            "super" => drop(here.pop()),
            "self" => {}
            "crate" | LIBRARY if i == 0 => {}
            name => here.push(name.to_owned()),
        }
    }
    here.insert(0, "crate".to_owned());
    here
}

fn is_name(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// Names, `::` and single punctuation marks, without comments, strings and lifetimes.
fn tokens(text: &str) -> Vec<String> {
    let code: Vec<char> = text.chars().collect();
    let starts = |at: usize, what: &str| what.chars().enumerate().all(|(i, c)| code.get(at + i) == Some(&c));
    let name_length = |at: usize| code[at..].iter().take_while(|c| c.is_alphanumeric() || **c == '_').count();
    let (mut found, mut at) = (Vec::new(), 0);
    while at < code.len() {
        if starts(at, "//") {
            at += code[at..].iter().take_while(|c| **c != '\n').count();
        } else if starts(at, "/*") {
            let mut open = 0;
            loop {
                (open, at) = match () {
                    () if at >= code.len() => break,
                    () if starts(at, "/*") => (open + 1, at + 2),
                    () if starts(at, "*/") => (open - 1, at + 2),
                    () => (open, at + 1),
                };
                if open == 0 {
                    break;
                }
            }
        } else if let Some(end) = raw_string(&code, at) {
            at = end;
        } else if code[at] == '"' {
            at += 1;
            while at < code.len() && code[at] != '"' {
                at += if code[at] == '\\' { 2 } else { 1 };
            }
            at += 1;
        } else if code[at] == '\'' {
            let escaped = code.get(at + 1) == Some(&'\\');
            let literal = escaped || code.get(at + 2) == Some(&'\'');
            at += if escaped { 3 } else { 1 };
            at += if literal { code[at..].iter().take_while(|c| **c != '\'').count() + 1 } else { name_length(at) };
        } else if name_length(at) > 0 {
            if starts(at, "r#") {
                at += 2;
            }
            found.push(code[at..at + name_length(at)].iter().collect());
            at += name_length(at);
        } else if starts(at, "::") {
            found.push("::".to_owned());
            at += 2;
        } else {
            if !code[at].is_whitespace() {
                found.push(code[at].to_string());
            }
            at += 1;
        }
    }
    found
}

/// Where the raw string that begins at `at` ends, if one begins there.
fn raw_string(code: &[char], at: usize) -> Option<usize> {
    let before = at.checked_sub(1).map(|i| code[i]);
    if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let start = at + usize::from(matches!(code[at], 'b' | 'c'));
    if code.get(start) != Some(&'r') {
        return None;
    }
    let hashes = code[start + 1..].iter().take_while(|c| **c == '#').count();
    let body = start + 2 + hashes;
    if code.get(body - 1) != Some(&'"') {
        return None;
    }
    (body..code.len())
        .find(|&i| code[i] == '"' && code[i + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes)
        .map(|i| i + 1 + hashes)
}
