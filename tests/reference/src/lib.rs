//! Programs with one known mistake at a time: what the checks of mustdo's plugins are proven against.
//!
//! Each module is one program in process, good by default. The program never knows that it is being checked.

pub mod site;
