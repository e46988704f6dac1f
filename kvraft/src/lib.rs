//! Replicated key/value services.
