//! Building the test binaries, once, and asking them what tests they have.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::labs::Lab;

/// A test that can be run.
#[derive(Clone, Debug)]
pub struct Test {
    pub package: String,
    /// The part it belongs to.
    pub lab: String,
    /// As the test binary knows it: `election_3a::initial_election_3a`.
    pub path: String,
    pub binary: PathBuf,
    /// Where cargo would run it.
    pub folder: PathBuf,
}

impl Test {
    /// The name of the test's function.
    pub fn name(&self) -> &str {
        self.path.rsplit("::").next().unwrap_or(&self.path)
    }

    /// The test binary, about to run this test alone.
    pub fn command(&self) -> Command {
        let mut command = bare(&self.binary, &self.folder);
        command.args(["--exact", &self.path, "--nocapture", "--test-threads=1"]);
        command
    }
}

/// `binary` in `folder`, with none of our own variables: make exports those of the `test-*` targets, and their values are not for us.
fn bare(binary: &Path, folder: &Path) -> Command {
    let mut command = Command::new(binary);
    command.current_dir(folder).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LAB_") {
            command.env_remove(name);
        }
    }
    command
}

/// How cargo is to build.
#[derive(Clone, Debug)]
pub struct Build {
    /// A profile of the workspace: `test`, `release`, `soak`, ...
    pub profile: String,
    /// Take this test binary instead of building any.
    pub binary: Option<PathBuf>,
}

/// Builds the tests of `labs` and lists those whose names contain `filter`.
///
/// # Errors
/// When something cannot be built, or no test is left.
pub fn tests_of(labs: &[&'static Lab], filter: Option<&str>, build: &Build) -> Result<Vec<Test>> {
    let binaries = match &build.binary {
        Some(binary) => {
            vec![Binary { package: "-".to_owned(), path: binary.clone(), folder: ".".into() }]
        }
        None => build_all(labs, &build.profile)?,
    };
    let mut tests = Vec::new();
    for binary in &binaries {
        for path in list(binary)? {
            let name = path.rsplit("::").next().unwrap_or(&path);
            if filter.is_some_and(|filter| !path.contains(filter)) {
                continue;
            }
            let lab = if build.binary.is_some() {
                Some("-")
            } else {
                let mine = |lab: &&&Lab| {
                    lab.packages.contains(&binary.package.as_str()) && name.contains(lab.filter)
                };
                labs.iter().find(mine).map(|lab| lab.name)
            };
            let Some(lab) = lab else { continue };
            tests.push(Test {
                package: binary.package.clone(),
                lab: lab.to_owned(),
                path,
                binary: binary.path.clone(),
                folder: binary.folder.clone(),
            });
        }
    }
    if tests.is_empty() {
        match filter {
            Some(filter) => bail!("no test of these parts has {filter:?} in its name"),
            None => bail!("these parts have no tests"),
        }
    }
    Ok(tests)
}

/// A test binary.
struct Binary {
    package: String,
    path: PathBuf,
    folder: PathBuf,
}

/// What cargo says of one thing it built, as far as it matters here.
#[derive(Deserialize)]
struct Artifact {
    reason: String,
    #[serde(default)]
    manifest_path: PathBuf,
    executable: Option<PathBuf>,
}

fn build_all(labs: &[&'static Lab], profile: &str) -> Result<Vec<Binary>> {
    let mut packages: Vec<&str> = labs.iter().flat_map(|lab| lab.packages).copied().collect();
    packages.sort_unstable();
    packages.dedup();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["test", "--quiet", "--no-run", "--test", "lab", "--message-format=json"]);
    command.args(["--profile", profile]);
    for package in &packages {
        command.args(["-p", package]);
    }
    let built = command.stderr(Stdio::inherit()).output().context("cannot start cargo")?;
    if !built.status.success() {
        // Cargo's own words are in its messages here.
        for message in String::from_utf8_lossy(&built.stdout).lines() {
            if let Ok(message) = serde_json::from_str::<serde_json::Value>(message)
                && let Some(text) = message["message"]["rendered"].as_str()
            {
                eprint!("{text}");
            }
        }
        bail!("the tests could not be built");
    }
    let mut binaries = Vec::new();
    for line in String::from_utf8_lossy(&built.stdout).lines() {
        let Ok(artifact) = serde_json::from_str::<Artifact>(line) else { continue };
        let (Some(path), Some(folder)) = (artifact.executable, artifact.manifest_path.parent())
        else {
            continue;
        };
        // Cargo names no package here that would be easy to read, but a package lies in a folder of its name.
        let package = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if artifact.reason == "compiler-artifact" && packages.contains(&package.as_str()) {
            binaries.push(Binary { package, path, folder: folder.to_path_buf() });
        }
    }
    binaries.sort_by(|a, b| a.package.cmp(&b.package));
    Ok(binaries)
}

/// The paths of a binary's tests.
fn list(binary: &Binary) -> Result<Vec<String>> {
    let name = binary.path.display();
    let listed = bare(&binary.path, &binary.folder)
        .args(["--list", "--format", "terse"])
        .output()
        .with_context(|| format!("cannot start {name}"))?;
    if !listed.status.success() {
        bail!("{name} cannot list its tests: {}", listed.status);
    }
    let text = String::from_utf8_lossy(&listed.stdout);
    Ok(text.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
}
