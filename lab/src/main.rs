//! The `lab` command: see the library of this package.

fn main() -> std::process::ExitCode {
    lab::main()
}
