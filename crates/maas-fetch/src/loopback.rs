//! A server on this machine, for tests.
