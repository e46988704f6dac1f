//! RPC over a simulated network that loses, delays, reorders and cuts.
