//! The contract of a source and a journal, as a suite that every transport runs.
