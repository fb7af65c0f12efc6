//! Which process, for good: a number alone may belong to another one a moment later.

use std::io;

use rustix::process::{Pid, Signal};

use super::table;

/// A process: its number, and when it began. Of two processes with one number only one began then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessId {
    /// The system's number for it.
    pub pid: u32,
    /// In the system's ticks since it was started itself; zero where it does not tell.
    pub began: u64,
}

impl ProcessId {
    /// The process that has this number now; none where there is none.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        let began = table::began(pid)?;
        Some(Self { pid, began })
    }

    /// Whether it still exists and has not ended.
    #[must_use]
    pub fn runs(self) -> bool {
        table::runs(self)
    }

    /// It and what was started below it, parents first; what has ended is left out.
    #[must_use]
    pub fn tree(self) -> Vec<Self> {
        let below = table::below(self.pid).into_iter().filter(|row| !row.dead).map(|row| row.id);
        std::iter::once(self).filter(|id| id.runs()).chain(below).collect()
    }

    /// Sends a signal to this process and never to another that got its number: the kernel's own handle on the process
    /// is taken first and then compared.
    pub fn signal(self, signal: Signal) -> io::Result<()> {
        let gone = || io::Error::from(rustix::io::Errno::SRCH);
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw).ok_or_else(gone)?;
        #[cfg(target_os = "linux")]
        match rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()) {
            Ok(handle) => {
                // Whoever the handle is on can not change any more, so this look decides.
                if table::began(self.pid) != Some(self.began) {
                    return Err(gone());
                }
                return Ok(rustix::process::pidfd_send_signal(handle, signal)?);
            }
            // Before Linux 5.3, or forbidden by a sandbox around mustdo.
            Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => {}
            Err(error) => return Err(error.into()),
        }
        if table::began(self.pid) != Some(self.began) {
            return Err(gone());
        }
        Ok(rustix::process::kill_process(pid, signal)?)
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn signal_reaches_this_process_and_no_later_one_of_its_number() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let process = ProcessId::of(child.id()).unwrap();
        assert!(process.runs());
        // As if the number had been given to another process meanwhile.
        let before = ProcessId { began: process.began.wrapping_sub(1), ..process };
        assert!(!before.runs());
        assert_eq!(before.signal(Signal::KILL).unwrap_err().raw_os_error(), Some(3));
        assert!(process.runs() && child.try_wait().unwrap().is_none());
        process.signal(Signal::KILL).unwrap();
        assert!(!child.wait().unwrap().success());
        assert!(!process.runs());
        assert!(process.signal(Signal::KILL).is_err());
    }
}
