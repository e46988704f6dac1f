//! Tasks, time, locks, channels, randomness and disk: one blocking API on OS threads and in a deterministic simulation.
