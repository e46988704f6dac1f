//! The format: round trips, known bytes, damaged input.
