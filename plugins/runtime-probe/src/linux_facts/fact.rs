//! What can be asked of a live system, and when an answer is right.

use mustdo_plugin::Text;

/// How far the most resident memory may be off: the kernel counts it in batches (proc(5), `VmHWM`).
const MEMORY_TOLERANCE: f64 = 0.05;

/// A kind of question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Listener,
    Deleted,
    Descriptors,
    Threads,
    Children,
    Nice,
    Cwd,
    Environment,
    Zombie,
    Mode,
    Largest,
    Lines,
    Ignores,
    PeakMemory,
    Interface,
}

impl Kind {
    pub(super) const ALL: [Self; 15] = [
        Self::Listener,
        Self::Deleted,
        Self::Descriptors,
        Self::Threads,
        Self::Children,
        Self::Nice,
        Self::Cwd,
        Self::Environment,
        Self::Zombie,
        Self::Mode,
        Self::Largest,
        Self::Lines,
        Self::Ignores,
        Self::PeakMemory,
        Self::Interface,
    ];

    /// The first word of its question.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Listener => "listener",
            Self::Deleted => "deleted",
            Self::Descriptors => "descriptors",
            Self::Threads => "threads",
            Self::Children => "children",
            Self::Nice => "nice",
            Self::Cwd => "cwd",
            Self::Environment => "environment",
            Self::Zombie => "zombie",
            Self::Mode => "mode",
            Self::Largest => "largest",
            Self::Lines => "lines",
            Self::Ignores => "ignores",
            Self::PeakMemory => "peak-memory",
            Self::Interface => "interface",
        }
    }

    /// Where the answer stands.
    pub(super) fn hint(self) -> Text {
        match self {
            Self::Listener => Text::new(
                "the row of /proc/net/tcp in state 0A with this local port has an inode; /proc/PID/fd/* of the owner links to socket:[inode]; or `ss -ltnp`",
                "/proc/net/tcp 里状态为 0A、本地端口相符的那一行有 inode；属主的 /proc/PID/fd/* 指向 socket:[inode]；也可用 `ss -ltnp`",
            ),
            Self::Deleted => Text::new(
                "a link in /proc/*/fd that begins with the folder and ends with ` (deleted)`; stat follows it, and tells the size",
                "/proc/*/fd 里以该目录开头、以 ` (deleted)` 结尾的链接；对它做 stat 能得到大小",
            ),
            Self::Descriptors => {
                Text::new("the entries of /proc/PID/fd, of that process", "该进程 /proc/PID/fd 里的条目数")
            }
            Self::Threads => Text::new(
                "`Threads:` in /proc/PID/status; the fields of /proc/PID/stat are counted behind the last `)`",
                "/proc/PID/status 的 `Threads:`；/proc/PID/stat 的字段要从最后一个 `)` 之后数起",
            ),
            Self::Children => Text::new(
                "the processes whose `PPid:` in /proc/*/status is this one: not theirs, and by no column that a name with blanks moves",
                "/proc/*/status 里 `PPid:` 是它的进程：不算孙进程，也不要按会被带空格的名字挤歪的列来取",
            ),
            Self::Nice => Text::new(
                "the 19th field of /proc/PID/stat, which is the 17th behind the last `)`; or `ps -o ni= -p PID`",
                "/proc/PID/stat 的第 19 个字段，也就是最后一个 `)` 之后的第 17 个；也可用 `ps -o ni= -p PID`",
            ),
            Self::Cwd => Text::new(
                "the link /proc/PID/cwd, whole, with its blanks",
                "链接 /proc/PID/cwd 的全部内容，包括空格",
            ),
            Self::Environment => Text::new(
                "/proc/PID/environ: pairs that end with a zero byte; the name goes up to the first `=`",
                "/proc/PID/environ：每一对以零字节结尾；名字到第一个 `=` 为止",
            ),
            Self::Zombie => Text::new(
                "of its children the one in state Z (`State:` in /proc/PID/status)",
                "它的子进程里状态为 Z 的那个（/proc/PID/status 的 `State:`）",
            ),
            Self::Mode => Text::new(
                "four octal digits: set-user-id is 4000, set-group-id 2000, sticky 1000; `stat -c %a PATH`",
                "四位八进制数：setuid 是 4000，setgid 是 2000，粘滞位是 1000；`stat -c %a PATH`",
            ),
            Self::Largest => Text::new(
                "the sizes of all files below, hidden ones too, without following links: `du -s`",
                "下面所有文件的大小之和，包括隐藏文件，不跟随链接：`du -s`",
            ),
            Self::Lines => Text::new(
                "the line feeds at this moment, empty lines too: `wc -l`",
                "此刻换行符的个数，空行也算：`wc -l`",
            ),
            Self::Ignores => Text::new(
                "`SigIgn:` in /proc/PID/status is a mask in hexadecimal digits; signal N is bit N - 1; 32 and 33 are the C library's own",
                "/proc/PID/status 的 `SigIgn:` 是十六进制掩码；信号 N 对应第 N - 1 位；32 和 33 是 C 库自用的",
            ),
            Self::PeakMemory => Text::new(
                "`VmHWM:` in /proc/PID/status; VmRSS is what is resident now, VmPeak counts what was only reserved",
                "/proc/PID/status 的 `VmHWM:`；VmRSS 是当前常驻，VmPeak 还包括只预留没用到的",
            ),
            Self::Interface => Text::new(
                "`dev` in what `ip route get ADDRESS` says, or the longest prefix in /proc/net/route; loopback addresses are in the table local",
                "`ip route get ADDRESS` 输出里的 `dev`，或 /proc/net/route 里最长的前缀；回环地址在 local 表里",
            ),
        }
    }
}

/// Something that is so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fact {
    pub(super) kind: Kind,
    /// What stands behind the word in the question.
    pub(super) subject: String,
    pub(super) key: Key,
}

impl Fact {
    /// `nice 4711`.
    pub(super) fn question(&self) -> String {
        format!("{} {}", self.kind.word(), self.subject)
    }
}

/// The right answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    Number(u64),
    /// A process, and bytes.
    Held(u64, u64),
    /// Permissions.
    Octal(u64),
    /// The line as it is.
    Words(String),
    /// The name of a folder, with or without the way to it.
    Folder(String),
    /// A signal: its number, or its name with or without SIG. That 32 and 33, the C library's own, are ignored as well may
    /// be told or not.
    Signal(u64, String),
    /// KiB.
    Memory(u64),
    /// Lines of the file at this path, which grows.
    Growing(String),
    /// As many as there were before the question, up to as many as there were after the answer.
    Between(u64, u64),
}

impl Key {
    /// The key of a question that was asked when this one held, and answered when `later` did.
    pub(super) fn until(self, later: Self) -> Self {
        match (self, later) {
            (Self::Between(least, _), Self::Between(_, most)) => Self::Between(least, most),
            (same, _) => same,
        }
    }

    pub(super) fn is(&self, answer: &str) -> bool {
        let answer = answer.trim_end_matches('\r');
        let words: Vec<&str> = answer.split_whitespace().collect();
        let number = |word: &str| word.parse::<u64>().ok();
        match self {
            Self::Number(key) => matches!(words[..], [word] if number(word) == Some(*key)),
            Self::Held(process, bytes) => {
                matches!(words[..], [one, two] if number(one) == Some(*process) && number(two) == Some(*bytes))
            }
            Self::Octal(key) => {
                matches!(words[..], [word] if u64::from_str_radix(word.trim_start_matches("0o"), 8) == Ok(*key))
            }
            Self::Words(key) => answer == key,
            Self::Folder(key) => {
                let name = answer.trim_end_matches('/');
                name == key || name.ends_with(&format!("/{key}"))
            }
            Self::Signal(key, name) => {
                let told: Vec<&str> = words.into_iter().filter(|word| !["32", "33"].contains(word)).collect();
                matches!(told[..], [word] if number(word) == Some(*key)
                    || word.eq_ignore_ascii_case(name) || Some(word) == name.strip_prefix("SIG"))
            }
            Self::Memory(key) => {
                let said = match words[..] {
                    [word] => number(word),
                    [word, unit] if ["kb", "kib"].contains(&unit.to_ascii_lowercase().as_str()) => {
                        number(word)
                    }
                    _ => None,
                };
                said.is_some_and(|said| near(said, *key))
            }
            Self::Between(least, most) => {
                matches!(words[..], [word] if number(word).is_some_and(|lines| (*least..=*most).contains(&lines)))
            }
            Self::Growing(_) => false,
        }
    }

    /// As it is shown.
    pub(super) fn words(&self) -> Text {
        match self {
            Self::Number(key) => Text::same(key.to_string()),
            Self::Held(process, bytes) => Text::same(format!("{process} {bytes}")),
            Self::Octal(key) => Text::same(format!("{key:04o}")),
            Self::Words(key) | Self::Folder(key) | Self::Growing(key) => Text::same(key),
            Self::Signal(key, name) => Text::new(format!("{key} or {name}"), format!("{key} 或 {name}")),
            Self::Memory(key) => Text::new(format!("about {key}"), format!("约 {key}")),
            Self::Between(least, most) => {
                Text::new(format!("{least} to {most}"), format!("{least} 到 {most}"))
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "KiB of one machine fit into 52 bits")]
fn near(said: u64, key: u64) -> bool {
    (said as f64 - key as f64).abs() <= key as f64 * MEMORY_TOLERANCE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn expect(key: &Key, right: &[&str], wrong: &[&str]) {
        for answer in right {
            assert!(key.is(answer), "{key:?} {answer:?}");
        }
        for answer in wrong.iter().chain(&["", "unknown", "-1"]) {
            assert!(!key.is(answer), "{key:?} {answer:?}");
        }
    }

    #[test]
    fn an_answer_is_right_in_any_usual_notation_and_in_no_other_value() {
        expect(&Key::Number(7), &["7", " 7 "], &["8", "7 8", "7.0", "07x"]);
        expect(&Key::Held(12, 4096), &["12 4096", "12\t4096"], &["12", "4096 12", "12 4095"]);
        expect(&Key::Octal(0o4751), &["4751", "04751", "0o4751"], &["751", "2537", "rwsr-x--x"]);
        expect(&Key::Words("a  b".to_owned()), &["a  b", "a  b\r"], &["a b", "a"]);
        expect(
            &Key::Folder("a b".to_owned()),
            &["a b", "/tmp/x/a b", "./a b/"],
            &["b", "xa b", "/tmp/a b/c"],
        );
        expect(
            &Key::Signal(12, "SIGUSR2".to_owned()),
            &["12", "SIGUSR2", "USR2", "12 32 33"],
            &["11", "USR", "10 12", "32"],
        );
        expect(&Key::Memory(80_000), &["80000", "82000 kB", "79000 KiB"], &["60000", "80 MB", "80000 80000"]);
        expect(&Key::Between(10, 12), &["10", "12"], &["9", "13", "10 log"]);
        expect(&Key::Growing("/log".to_owned()), &[], &["/log"]);
    }

    #[test]
    fn what_grows_is_right_from_the_question_to_the_answer() {
        let (before, after) = (Key::Between(5, 5), Key::Between(9, 9));
        assert_eq!(before.until(after), Key::Between(5, 9));
        assert_eq!(Key::Number(3).until(Key::Number(4)), Key::Number(3));
    }

    #[test]
    fn every_kind_has_a_word_of_its_own() {
        let words: std::collections::BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.word()).collect();
        assert_eq!(words.len(), Kind::ALL.len());
    }
}
