//! Words and rules of the key/value services.
