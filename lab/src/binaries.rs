//! Building test binaries, and asking them which tests they have.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use runner::Settings;
use serde::Deserialize;

use crate::parts::Part;
use crate::typed;

/// A test that can be run.
#[derive(Clone, Debug)]
pub struct Test {
    pub package: String,
    /// The part it belongs to; `-` for none.
    pub part: String,
    /// Its name in the test binary: `election_3a::initial_election_3a`.
    pub path: String,
    pub binary: PathBuf,
    /// The folder in which cargo would run it.
    pub folder: PathBuf,
}

impl Test {
    /// The name of the test's function.
    pub fn name(&self) -> &str {
        last(&self.path)
    }

    /// The test binary, about to run this test alone, without the runner's variables of ours.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command.current_dir(&self.folder).stdin(Stdio::null());
        for variable in Settings::VARIABLES {
            command.env_remove(variable);
        }
        command.args(["--exact", &self.path, "--nocapture", "--test-threads=1"]);
        command
    }
}

fn last(path: &str) -> &str {
    path.rsplit("::").next().unwrap_or(path)
}

/// Which tests.
#[derive(Clone, Debug)]
pub enum Selection {
    /// Those of parts of the labs.
    Parts(Vec<&'static Part>),
    /// All tests of these packages.
    Packages(Vec<String>),
    /// All tests of the workspace.
    Workspace,
    /// All tests of this binary, which is not built.
    Binary(PathBuf),
}

/// A test binary.
#[derive(Clone, Debug)]
pub struct Binary {
    pub package: String,
    /// Name of the test target.
    target: String,
    pub path: PathBuf,
    pub folder: PathBuf,
}

/// What cargo has built.
#[derive(Default)]
pub struct Built {
    pub binaries: Vec<Binary>,
    /// Whether there is a library, which may have tests in its documentation.
    pub library: bool,
}

/// What cargo reports about one thing it built, as far as it matters here.
#[derive(Deserialize)]
struct Artifact {
    package_id: String,
    manifest_path: PathBuf,
    target: Target,
    profile: Profile,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

impl Selection {
    /// The packages, as options of cargo.
    pub fn package_options(&self) -> Vec<String> {
        let mut packages: Vec<&str> = match self {
            Selection::Parts(parts) => {
                parts.iter().flat_map(|part| part.packages).copied().collect()
            }
            Selection::Packages(packages) => packages.iter().map(String::as_str).collect(),
            Selection::Workspace | Selection::Binary(_) => Vec::new(),
        };
        packages.sort_unstable();
        packages.dedup();
        packages.iter().flat_map(|package| ["-p".to_owned(), (*package).to_owned()]).collect()
    }

    /// The part of a test; `None` if it is not selected. Sweeps leave out second targets.
    fn part_of(&self, binary: &Binary, name: &str, sweep: bool) -> Option<&'static str> {
        let Selection::Parts(parts) = self else { return Some("-") };
        let fits = |part: &&&Part| {
            let target = binary.target == "lab" || !sweep && part.also == Some(&binary.target);
            target && part.packages.contains(&binary.package.as_str()) && name.contains(part.filter)
        };
        parts.iter().find(fits).map(|part| part.name)
    }

    /// Builds the binaries in a profile. Cargo's messages go to stderr.
    ///
    /// # Errors
    /// When something cannot be built.
    pub fn build(&self, profile: &str, sweep: bool) -> Result<Built> {
        if let Selection::Binary(path) = self {
            let target = String::new();
            let (package, path, folder) = ("-".to_owned(), path.clone(), ".".into());
            let binaries = vec![Binary { package, target, path, folder }];
            return Ok(Built { binaries, library: false });
        }
        let mut command = cargo();
        command.args(["test", "--quiet", "--no-run", "--profile", profile]);
        command.arg("--message-format=json-render-diagnostics").args(self.package_options());
        if let Selection::Parts(parts) = self {
            command.args(["--test", "lab"]);
            for target in parts.iter().filter(|_| !sweep).filter_map(|part| part.also) {
                command.args(["--test", target]);
            }
        }
        let built = command.stderr(Stdio::inherit()).output().context("cannot start cargo")?;
        if !built.status.success() {
            bail!("the tests could not be built");
        }
        let mut result = Built::default();
        for line in String::from_utf8_lossy(&built.stdout).lines() {
            let Ok(artifact) = serde_json::from_str::<Artifact>(line) else { continue };
            let Artifact { package_id, manifest_path, target, profile, executable } = artifact;
            let (Some(path), Some(folder), true) =
                (executable, manifest_path.parent(), profile.test)
            else {
                continue;
            };
            result.library |= target.kind.iter().any(|kind| kind == "lib");
            let (package, folder) = (package_name(&package_id), folder.to_path_buf());
            result.binaries.push(Binary { package, target: target.name, path, folder });
        }
        result.binaries.sort_by(|a, b| (&a.package, &a.target).cmp(&(&b.package, &b.target)));
        Ok(result)
    }

    /// The tests in `binaries` whose names contain `filter`.
    ///
    /// # Errors
    /// When a binary cannot list its tests, or no test is left: then with similar names.
    pub fn tests(
        &self,
        binaries: &[Binary],
        filter: Option<&str>,
        sweep: bool,
    ) -> Result<Vec<Test>> {
        let mut all = Vec::new();
        for binary in binaries {
            for path in list(binary)? {
                let Some(part) = self.part_of(binary, last(&path), sweep) else { continue };
                let Binary { package, path: file, folder, .. } = binary.clone();
                all.push(Test { package, part: part.to_owned(), path, binary: file, folder });
            }
        }
        let Some(filter) = filter else {
            return if all.is_empty() { bail!("there are no such tests") } else { Ok(all) };
        };
        let (tests, others): (Vec<Test>, Vec<Test>) =
            all.into_iter().partition(|test| test.path.contains(filter));
        if tests.is_empty() {
            let names: Vec<&str> = others.iter().map(Test::name).collect();
            bail!(
                "{}: no test has this in its name; {}",
                typed("test", filter),
                similar(filter, &names)
            );
        }
        Ok(tests)
    }
}

/// The names most like `wanted`, for an error.
fn similar(wanted: &str, names: &[&str]) -> String {
    const SHOWN: usize = 5;
    let likeness = |name: &str| {
        // A part of a name may be meant.
        let words: Vec<&str> = name.split('_').collect();
        let count = wanted.split('_').count().min(words.len());
        let parts = words.windows(count).map(|window| strsim::jaro(wanted, &window.join("_")));
        parts.fold(strsim::jaro(wanted, name), f64::max)
    };
    let mut scored: Vec<(f64, &str)> = names.iter().map(|name| (likeness(name), *name)).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored.dedup();
    let close = scored.iter().filter(|(score, _)| *score > 0.75);
    let close: Vec<&str> = close.take(SHOWN).map(|(_, name)| *name).collect();
    if !close.is_empty() {
        return format!("similar: {}", close.join(", "));
    }
    let all: Vec<&str> = scored.iter().take(SHOWN).map(|(_, name)| *name).collect();
    format!("there are {} tests, such as {}", scored.len(), all.join(", "))
}

/// The cargo that runs us, else the one on the path.
pub fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// `raft-core` of `path+file:///labs/raft/core#raft-core@0.1.0`, `raft` of `…/labs/raft#0.1.0`.
fn package_name(id: &str) -> String {
    let (url, version) = id.rsplit_once('#').unwrap_or((id, ""));
    match version.split_once('@') {
        Some((name, _)) => name.to_owned(),
        None => url.rsplit('/').next().unwrap_or(url).to_owned(),
    }
}

/// The paths of a binary's tests.
fn list(binary: &Binary) -> Result<Vec<String>> {
    let listed = Command::new(&binary.path)
        .current_dir(&binary.folder)
        .args(["--list", "--format", "terse"])
        .output()
        .with_context(|| format!("cannot start {}", binary.path.display()))?;
    if !listed.status.success() {
        bail!("{} cannot list its tests: {}", binary.path.display(), listed.status);
    }
    let text = String::from_utf8_lossy(&listed.stdout);
    Ok(text.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
}

/// How cargo is to build.
#[derive(Clone, Debug)]
pub struct Build {
    pub selection: Selection,
    /// A profile of the workspace: `test`, `release`, `soak`, …
    pub profile: String,
}

impl Build {
    /// Builds the tests for a sweep or a replay and lists those whose names contain `filter`.
    ///
    /// # Errors
    /// When something cannot be built, or no test is left.
    pub fn tests(&self, filter: Option<&str>) -> Result<Vec<Test>> {
        let built = self.selection.build(&self.profile, true)?;
        self.selection.tests(&built.binaries, filter, true)
    }
}

/// Where a test binary may be run: not relative to the folder of a package.
pub fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}
