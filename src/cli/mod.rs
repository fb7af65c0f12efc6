//! Arguments, commands, the terminal and exit codes.
