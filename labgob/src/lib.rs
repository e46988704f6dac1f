//! The codec of the labs: streams of self-checking values.
