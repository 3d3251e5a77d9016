//! A device for tests.
