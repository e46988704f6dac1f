//! Killing a task unwinds its stack. Where panics abort, that would end the process, so such a
//! build is refused.

#[cfg(panic = "abort")]
compile_error!(
    "labrt kills simulated tasks by unwinding them: \
     build with panic = \"unwind\" (see [profile] in Cargo.toml)"
);
