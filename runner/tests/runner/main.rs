//! Tests of the runner on bodies that need no cluster.

mod causes;
mod reports;
mod runs;
mod settings;
