//! Text to model and back, collecting every problem with its place. Pure.
