//! The lines that bind a target.

use crate::model::{TargetKind, TargetName};

/// Lines for `mustdo.toml` that bind `name`, to be filled in by the learner. The kind is the usual one of that name, where
/// the shipped checklists share it; else the learner has to know.
#[must_use]
pub fn binding(name: &TargetName) -> Vec<String> {
    let mut lines = vec![format!("[targets.{name}]")];
    let rest: &[&str] = match usual(name) {
        Some(TargetKind::Http) => &["kind = \"http\"", "url = \"http://127.0.0.1:8000\""],
        Some(TargetKind::Tcp) => &["kind = \"tcp\"", "address = \"127.0.0.1:9000\""],
        Some(TargetKind::Udp) => &["kind = \"udp\"", "address = \"127.0.0.1:9000\""],
        Some(TargetKind::Dir) => &["kind = \"dir\"", "path = \".\""],
        Some(TargetKind::Command) => &["kind = \"command\"", "program = \"./program\""],
        None => &["kind = \"http\"  # or tcp, udp, dir, command", "url = \"http://127.0.0.1:8000\""],
    };
    lines.extend(rest.iter().map(|&line| line.to_owned()));
    lines
}

/// Target names that the shipped checklists share.
fn usual(name: &TargetName) -> Option<TargetKind> {
    Some(match name.as_str() {
        "web" | "gateway" => TargetKind::Http,
        "socket" | "db" | "redis" | "amqp" => TargetKind::Tcp,
        "datagram" => TargetKind::Udp,
        "src" => TargetKind::Dir,
        "program" | "worker" => TargetKind::Command,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_names_have_their_kind_and_others_name_the_choice() {
        let lines = |name: &str| binding(&name.parse().unwrap());
        assert_eq!(lines("web")[..2], ["[targets.web]", "kind = \"http\""]);
        assert_eq!(lines("worker")[1], "kind = \"command\"");
        assert!(lines("shop")[1].contains("or tcp, udp, dir, command"));
    }
}
