//! The learner's targets: starting, waiting until ready, stopping.
