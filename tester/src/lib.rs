//! Clusters, faults, histories and checks for the tests of the labs.
