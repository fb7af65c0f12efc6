//! Files and git: the only place that reads and writes the workspace.
