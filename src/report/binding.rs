//! The lines that bind a target.

use crate::model::{TargetKind, TargetName};

/// The learner's interpreter: a check gives it all of its arguments.
const PYTHON: &str = "python";

/// Lines for `mustdo.toml` that bind `name`, to be filled in by the learner. Of the `kinds` that would do, likeliest first,
/// the usual one of that name is taken, if the shipped checklists share it, else the first. Where nobody says which would do,
/// `kinds` is empty, and the learner has to know the kind of a name that is not shared.
#[must_use]
pub fn binding(name: &TargetName, kinds: &[TargetKind]) -> Vec<String> {
    let mut lines = vec![format!("[targets.{name}]")];
    let usual = usual(name).filter(|kind| kinds.is_empty() || kinds.contains(kind));
    let rest: &[&str] = match usual.or(kinds.first().copied()) {
        Some(TargetKind::Http) => &["kind = \"http\"", "url = \"http://127.0.0.1:8000\""],
        Some(TargetKind::Tcp) => &["kind = \"tcp\"", "address = \"127.0.0.1:9000\""],
        Some(TargetKind::Udp) => &["kind = \"udp\"", "address = \"127.0.0.1:9000\""],
        Some(TargetKind::Dir) => &["kind = \"dir\"", "path = \".\""],
        Some(TargetKind::Command) if name.as_str() == PYTHON => {
            &["kind = \"command\"", "program = \"python3\"", "args = [\"**\"]"]
        }
        Some(TargetKind::Command) => &["kind = \"command\"", "program = \"./program\""],
        None => &["kind = \"http\"  # or tcp, udp, dir, command", "url = \"http://127.0.0.1:8000\""],
    };
    lines.extend(rest.iter().map(|&line| line.to_owned()));
    lines
}

/// Target names that the shipped checklists share.
fn usual(name: &TargetName) -> Option<TargetKind> {
    Some(match name.as_str() {
        "web" | "web-plain" | "gateway" => TargetKind::Http,
        "socket" | "db" | "redis" | "amqp" | "dns-tcp" | "tls" | "tuple" | "tuple-address" | "tuple-port" => {
            TargetKind::Tcp
        }
        "datagram" | "dns" | "tuple-datagram" => TargetKind::Udp,
        "src" | "data" | "c-list-source" | "certificates" => TargetKind::Dir,
        "program" | "worker" | "publisher" | "celery" | "client" | "array" | "queue" | "stack" | "list"
        | "tree" | "dict" | "ordered-dict" | "c-list" | "cc" | "btree" | "crypto" | "middleware"
        | "linux" | PYTHON => TargetKind::Command,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_names_have_their_kind_and_others_name_the_choice() {
        let lines = |name: &str| binding(&name.parse().unwrap(), &[]);
        assert_eq!(lines("web")[..2], ["[targets.web]", "kind = \"http\""]);
        assert_eq!(lines("worker")[1], "kind = \"command\"");
        assert_eq!(lines("python")[2..], ["program = \"python3\"", "args = [\"**\"]"]);
        assert!(lines("shop")[1].contains("or tcp, udp, dir, command"));
        let of_kind = |name: &str, kinds: &[TargetKind]| binding(&name.parse().unwrap(), kinds)[1].clone();
        assert_eq!(of_kind("web", &[TargetKind::Tcp, TargetKind::Http]), "kind = \"http\"");
        assert_eq!(of_kind("web", &[TargetKind::Dir]), "kind = \"dir\"");
        assert_eq!(of_kind("shop", &[TargetKind::Tcp, TargetKind::Http]), "kind = \"tcp\"");
    }
}
