//! Processes that follow each other on one listening socket, so that no client is ever refused.

use std::{
    fs::File,
    io,
    net::TcpListener,
    os::fd::{AsFd as _, OwnedFd},
    process::Command,
};

use super::Flaw;

/// The listening socket that a process got from the one before, as its standard input.
pub(super) fn inherited() -> io::Result<TcpListener> {
    let listener = io::stdin().as_fd().try_clone_to_owned()?;
    // Whoever leaves the socket to the next process has no other descriptor of it.
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(listener.into())
}

/// Starts the next process on the socket.
pub(super) fn start(flaw: Flaw, listener: &TcpListener) -> io::Result<()> {
    let listener = OwnedFd::from(listener.try_clone()?);
    let mut next = Command::new(std::env::current_exe()?);
    next.args(["tcp", "-", flaw.name()]).stdin(listener).spawn()?;
    Ok(())
}
