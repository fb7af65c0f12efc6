//! `password-storage`: how are passwords stored?
//!
//! Two people register with one password and a third with another; then the folder where the site keeps its rows and logs
//! is read. A hash counts only when it is seen to be that of a password that was just chosen, so that neither an old row
//! nor a constant earns a pass.

mod hash;
mod store;
mod trace;

use std::collections::BTreeSet;
use std::time::Duration;

use mustdo_plugin::service::{Advice, Probe};
use mustdo_plugin::verdict::{Finding, Location, Need, Severity};
use mustdo_plugin::{Capability, CapabilityRequest, Check, CheckInfo, Context, Fault, Report, Text};

use crate::account::Account;
use crate::check::{reach, run, visiting};
use crate::flow::Flow;
use hash::{Cost, Hash, Incomparable, Scheme};
use store::Contents;

/// The folder where the site keeps its rows and its logs.
const STORE: &str = "store";

const ADVICE: Advice = Advice {
    item: "challenge.web-security",
    with: "register = \"/register\", login = \"/login\", whoami = \"/\"",
};

/// Rows and log lines may be written a moment after the answer.
const SETTLES: Duration = Duration::from_millis(500);

/// How often the folder is looked at until everybody who registered is there.
const LOOKS: u32 = 4;

/// The shortest text that two people do not share by chance.
const TELLING: usize = 22;

visiting! {
    /// How people register and log in.
    pub struct PasswordStorage advised by ADVICE {}
}

impl Check for PasswordStorage {
    const ID: &'static str = "password-storage";

    fn info() -> CheckInfo {
        let read = CapabilityRequest {
            capability: Capability::Read(STORE.to_owned()),
            reason: "to read the folder of your site's database and logs, and see what is kept of passwords that the check itself chose"
                .to_owned(),
            required: true,
        };
        CheckInfo {
            title: Text::new("Passwords are stored as slow, salted hashes", "密码只以加盐的慢哈希保存"),
            description: Text::new(
                "Registers three people, two of them with one password, logs in rightly and wrongly, and reads the folder where the site keeps its database and logs. Passes when none of the passwords can be read there, encoded or as a quick digest, and each is kept as argon2id, bcrypt (cost 10 or more), scrypt (N 2^14, r 8 or more) or PBKDF2 (600,000 rounds of SHA-256 or more) that is seen to belong to the password, with a salt of its own. A database file will do (SQLite), or a folder of the server's that you may read. It cannot see what is kept elsewhere, encrypted or compressed, or hashed with a secret of the program's (a pepper).",
                "注册三个用户，其中两个用同一个密码；再各用对的和错的密码登录，然后读取网站存放数据库和日志的目录。目录里读不到任何一个密码（编码或快速摘要也不行），并且每个密码都以 argon2id、bcrypt（cost 至少 10）、scrypt（N 至少 2^14、r 至少 8）或 PBKDF2（SHA-256 至少 60 万轮）保存，能与密码对上，各有自己的盐，才算通过。可以是数据库文件（SQLite），或你能读的数据库目录。看不到存在别处、加密或压缩过的内容，也无法核对加了程序密钥（pepper）的哈希。",
            ),
            capabilities: vec![reach(), read],
            // Four or five hashes are computed, each meant to be slow.
            typical: Duration::from_secs(30),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let passed = Text::new(
            "no password can be read, and each has a slow hash with its own salt",
            "读不到任何密码，每个密码都有带独立盐的慢哈希",
        );
        run(context, &self.headers, passed, |probe, report| self.judge(probe, report))
    }
}

/// Who registered: the first and the last with one password, and the one between with another. What is the same by the
/// time of registration, the one between has as well.
struct People {
    first: Account,
    between: Account,
    last: Account,
    /// A password that is nobody's, tried once.
    wrong: String,
}

impl People {
    fn passwords(&self) -> [&str; 3] {
        [&self.first.password, &self.between.password, &self.wrong]
    }

    fn names(&self) -> [&str; 6] {
        let [one, two, three] = [&self.first, &self.between, &self.last];
        [&one.name, &two.name, &three.name, &one.email, &two.email, &three.email]
    }

    /// The words that a set has for somebody, by name and by address.
    fn words(
        sets: &std::collections::BTreeMap<String, BTreeSet<String>>,
        whose: &Account,
    ) -> BTreeSet<String> {
        [&whose.name, &whose.email].into_iter().filter_map(|name| sets.get(name)).flatten().cloned().collect()
    }
}

/// Hashes that belong to the passwords.
struct Known {
    /// Of the password that two people have.
    shared: Vec<Hash>,
    /// Of the other.
    other: Vec<Hash>,
}

impl Known {
    fn all(&self) -> impl Iterator<Item = &Hash> {
        self.shared.iter().chain(&self.other)
    }
}

impl PasswordStorage {
    fn judge(&self, probe: &mut Probe, report: &mut Report) -> Option<()> {
        let before = probe.context().folder(STORE).map_err(Fault::from);
        let before = before.and_then(|tree| store::read(&tree, &[], &[]));
        let before = report.judge("folder", Need::Must, before, |contents| {
            let files = contents.files;
            Text::new(format!("read {files} files of the folder"), format!("读了目录里的 {files} 个文件"))
        })?;
        let people = self.register(probe);
        let people = report.judge("accounts", Need::Must, people, |_| {
            Text::new(
                "three people registered and logged in, and one tried a wrong password",
                "三个用户注册并登录，其中一个又试了错误的密码",
            )
        })?;
        let found = look(probe, &people, &before);
        let contents = report.judge("store", Need::Must, found, |contents| {
            let files = contents.files;
            Text::new(
                format!("what the site keeps of them is among the {files} files of the folder"),
                format!("目录的 {files} 个文件里有网站保存的这些用户"),
            )
        })?;
        report.measure("files", f64::from(contents.files), "1");
        report.judge("not-readable", Need::Must, not_readable(&people, &contents), |()| {
            Text::new(
                "no password stands there as text, encoded or as a quick digest",
                "没有密码的原文、编码或快速摘要",
            )
        })?;
        let new: Vec<Hash> = contents.hashes.difference(&before.hashes).cloned().collect();
        let known = compare(probe, &people, &contents, &new);
        let known = report.judge("hashed", Need::Must, known, |known| {
            let lines = lines(known);
            Text::new(format!("kept as {lines}"), format!("保存为 {lines}"))
        })?;
        report.evidence("schemes", lines(&known));
        report.judge("own-salt", Need::Must, own_salts(&known, &people, &contents), |()| {
            Text::new("one password of two people is kept in two ways", "两个人用同一个密码，保存的内容不同")
        });
        report.judge("slow", Need::Must, costs(&known, Cost::Fair), |()| {
            Text::new("guessing is slow", "猜测的代价够高")
        });
        report.judge("advised", Need::Should, costs(&known, Cost::Advised), |()| {
            Text::new("the cost is what OWASP advises today", "代价达到 OWASP 目前的建议")
        })
    }

    fn register(&self, probe: &mut Probe) -> Result<People, Fault> {
        let (flow, first) = Flow::find(probe, self.doors())?;
        let between = flow.member(probe)?.account;
        let last = Account::fresh(probe.generator()).with_password(&first.account.password);
        let last = flow.join(probe, last)?.account;
        let wrong = Account::fresh(probe.generator()).password;
        flow.log_in(probe, &last.with_password(&wrong))?;
        Ok(People { first: first.account, between, last, wrong })
    }
}

/// Reads the folder until everybody who registered is there, or time enough has passed.
fn look(probe: &mut Probe, people: &People, before: &Contents) -> Result<Contents, Fault> {
    let traces: Vec<_> = people.passwords().into_iter().flat_map(trace::of).collect();
    let mut looks = 0;
    loop {
        probe.sleep(SETTLES);
        looks += 1;
        let tree = probe.context().folder(STORE)?;
        let contents = store::read(&tree, &traces, &people.names())?;
        let new = contents.hashes.difference(&before.hashes).count();
        let is_there = |whose| !People::words(&contents.around, whose).is_empty();
        let everybody = [&people.first, &people.between, &people.last].into_iter().all(is_there);
        if !contents.readable.is_empty() || (everybody && new >= 3) {
            return Ok(contents);
        }
        if looks == LOOKS {
            let is_empty = new == 0 && contents.around.is_empty();
            return if is_empty { Err(nobody_there()) } else { Ok(contents) };
        }
    }
}

fn nobody_there() -> Fault {
    let summary =
        Text::new("nothing of the people who registered is in this folder", "这个目录里找不到刚注册的用户");
    let message = Text::new(
        "three people registered and could log in, so the site keeps them somewhere: not in a file that was read here",
        "三个用户都注册成功并能登录，说明网站把他们存在了某处，但不在读到的这些文件里",
    );
    let hint = Text::new(
        "bind `store` to the folder of the database file, such as `instance`; a database server writes to a folder of its own",
        "把 store 绑定到数据库文件所在的目录，例如 instance；数据库服务器有它自己的数据目录",
    );
    Fault::inconclusive(summary).with(
        Finding::new(Severity::Warning, "web-security.not-in-the-store", message)
            .at(Location::Note(STORE.to_owned()))
            .hint(hint),
    )
}

/// No password can be read, nor computed from a quick digest.
fn not_readable(people: &People, contents: &Contents) -> Result<(), Fault> {
    if let Some((form, path)) = contents.readable.first() {
        let form = form.words();
        let summary = Text::new(
            format!("a password stands in {path}, {}", form.en),
            format!("{path} 里有密码，{}", form.zh),
        );
        let message = Text::new(
            format!("a password that this check chose a moment ago stands in {path}, {}", form.en),
            format!("检查刚刚选的密码就在 {path} 里，{}", form.zh),
        );
        let hint = Text::new(
            "keep only a slow hash with a salt, such as argon2id of your language's library, and log no form field",
            "只保存加盐的慢哈希，例如你所用语言的 argon2id 库；日志里不要写表单内容",
        );
        return Err(Fault::fail(summary).with(problem(
            "web-security.password-readable",
            path,
            message,
            hint,
        )));
    }
    for whose in [&people.first, &people.between, &people.last] {
        let mut words: Vec<String> = People::words(&contents.around, whose).into_iter().collect();
        words.extend([whose.name.clone(), whose.email.clone()]);
        if let Some(name) = trace::salted(&whose.password, &words) {
            let summary = Text::new(
                format!("passwords are kept as one {name} with a salt: too quick to guess"),
                format!("密码只做了一次加盐的 {name}，猜起来太快"),
            );
            let message = Text::new(
                format!(
                    "beside the name stands {name} of the password and a salt; a graphics card tries billions of those a second"
                ),
                format!("用户名旁边就是密码加盐的 {name}，显卡每秒能试几十亿次"),
            );
            let hint = Text::new(
                "use a hash made for passwords: argon2id, scrypt, bcrypt, or PBKDF2 with 600,000 rounds or more",
                "改用专门的密码哈希：argon2id、scrypt、bcrypt，或 60 万轮以上的 PBKDF2",
            );
            return Err(Fault::fail(summary).with(problem(
                "web-security.quick-digest",
                STORE,
                message,
                hint,
            )));
        }
    }
    Ok(())
}

/// Which of the new hashes belong to the passwords.
fn compare(probe: &mut Probe, people: &People, contents: &Contents, new: &[Hash]) -> Result<Known, Fault> {
    let mut known = Known { shared: Vec::new(), other: Vec::new() };
    let mut refused = None;
    for hash in new {
        let wanted = [
            (&people.first.password, known.shared.len() < 2),
            (&people.between.password, known.other.is_empty()),
        ];
        for (place, (password, is_wanted)) in wanted.into_iter().enumerate() {
            if !is_wanted {
                continue;
            }
            let began = probe.clock();
            match hash.is_of(password) {
                Ok(true) => {
                    let found = if place == 0 { &mut known.shared } else { &mut known.other };
                    found.push(hash.clone());
                }
                Ok(false) => {}
                Err(why) => refused = Some((hash.scheme, why)),
            }
            let took = probe.clock().saturating_sub(began);
            if !probe.has_time(took) {
                return Err(too_slow(hash.scheme));
            }
        }
    }
    if !known.shared.is_empty() && !known.other.is_empty() {
        return Ok(known);
    }
    if let Some((scheme, Incomparable::Memory(mebibytes))) = refused {
        return Err(too_large(scheme, mebibytes));
    }
    // A salt for everybody that stands in the program: what it makes is the same for both, and that is enough to know.
    same_for_both(people, contents)?;
    Err(unknown_form(new.len()))
}

/// What the first and the last have, and the one between has not, is made of the password alone.
fn same_for_both(people: &People, contents: &Contents) -> Result<(), Fault> {
    let [first, between, last] =
        [&people.first, &people.between, &people.last].map(|whose| People::words(&contents.own, whose));
    let is_same = first
        .intersection(&last)
        .any(|word| word.len() >= TELLING && !between.contains(word) && !word.contains(&people.first.name));
    if is_same { Err(shared_salt()) } else { Ok(()) }
}

fn own_salts(known: &Known, people: &People, contents: &Contents) -> Result<(), Fault> {
    let salts: BTreeSet<&[u8]> = known.all().map(|hash| hash.salt.as_slice()).collect();
    if salts.len() < known.all().count() {
        return Err(shared_salt());
    }
    if known.shared.len() == 2 {
        return Ok(());
    }
    same_for_both(people, contents)?;
    Err(Fault::inconclusive(Text::new(
        "two people have one password, and only one hash of it was found",
        "两个人用同一个密码，却只找到一个哈希",
    )))
}

fn shared_salt() -> Fault {
    let summary = Text::new(
        "one password of two people is kept as the same value",
        "两个人用同一个密码，保存的内容一模一样",
    );
    let message = Text::new(
        "without a salt of its own for each password, whoever steals the rows guesses for everybody at once, and sees who has the same one",
        "每个密码没有自己的盐，数据一旦泄露，就能一次猜所有人，还能看出谁的密码相同",
    );
    let hint = Text::new(
        "let the library choose a random salt each time; every library for passwords does so by itself",
        "让密码库每次自己随机选盐，各种密码库默认就是这样",
    );
    Fault::fail(summary).with(problem("web-security.shared-salt", STORE, message, hint))
}

fn costs(known: &Known, least: Cost) -> Result<(), Fault> {
    let Some(weak) = known.all().find(|hash| hash.scheme.cost() < least) else { return Ok(()) };
    let line = weak.scheme.line();
    let summary = Text::new(format!("{line} costs less than it should"), format!("{line} 的代价不够"));
    let message = Text::new(
        format!(
            "passwords are kept as {line}; OWASP advises argon2id with 19 MiB and 2 passes, scrypt with N=2^17 r=8 p=1, bcrypt from a cost of 10, or PBKDF2 with 600,000 rounds of SHA-256"
        ),
        format!(
            "密码保存为 {line}；OWASP 建议 argon2id 用 19 MiB 内存和 2 轮，scrypt 用 N=2^17 r=8 p=1，bcrypt 的 cost 至少 10，PBKDF2 用 60 万轮 SHA-256"
        ),
    );
    let hint = Text::new(
        "raise the parameters, and hash anew when somebody logs in",
        "提高参数，用户下次登录时重新计算",
    );
    Err(Fault::fail(summary).with(problem("web-security.cheap-hash", STORE, message, hint)))
}

/// Every scheme once.
fn lines(known: &Known) -> String {
    let schemes: BTreeSet<Scheme> = known.all().map(|hash| hash.scheme).collect();
    schemes.into_iter().map(Scheme::line).collect::<Vec<_>>().join("; ")
}

fn too_slow(scheme: Scheme) -> Fault {
    let line = scheme.line();
    Fault::inconclusive(Text::new(
        format!("{line} takes so long that the time of this run was not enough to compare; allow it more"),
        format!("{line} 太慢，这次运行的时间不够核对；请给它更多时间"),
    ))
}

fn too_large(scheme: Scheme, mebibytes: u64) -> Fault {
    let line = scheme.line();
    // The program itself, its stack and what was read.
    let needed = mebibytes + 32;
    let summary = Text::new(
        format!("{line} takes more memory than a check may use, so it was not compared with the password"),
        format!("{line} 需要的内存超过检查的上限，没法和密码核对"),
    );
    let message = Text::new(
        format!("a hash that came with the registration takes {mebibytes} MiB to compute"),
        format!("注册时新增的哈希需要 {mebibytes} MiB 内存来计算"),
    );
    let hint = Text::new(
        format!("allow checks more memory in mustdo.toml:\n[limits]\nmemory-mib = {needed}"),
        format!("在 mustdo.toml 里放宽内存上限：\n[limits]\nmemory-mib = {needed}"),
    );
    Fault::inconclusive(summary).with(
        Finding::new(Severity::Warning, "web-security.memory", message)
            .at(Location::Note(STORE.to_owned()))
            .hint(hint),
    )
}

fn unknown_form(new: usize) -> Fault {
    let summary = Text::new(
        "the passwords are kept in a form that could not be compared with them",
        "密码的保存形式无法和密码核对",
    );
    let message = Text::new(
        format!(
            "{new} hashes of a known form came with the registrations, and they are not those of the passwords"
        ),
        format!("注册后新增了 {new} 个已知形式的哈希，但都不是这些密码的"),
    );
    let hint = Text::new(
        "known are the texts that argon2, bcrypt, werkzeug, Django and passlib write, without a pepper; look whether the folder has all of the database",
        "认得 argon2、bcrypt、werkzeug、Django 和 passlib 写出的文本（不带 pepper）；请确认目录里有完整的数据库",
    );
    Fault::inconclusive(summary).with(
        Finding::new(Severity::Warning, "web-security.unknown-hash", message)
            .at(Location::Note(STORE.to_owned()))
            .hint(hint),
    )
}

fn problem(code: &str, place: &str, message: Text, hint: Text) -> Finding {
    Finding::new(Severity::Problem, code, message).at(Location::Note(place.to_owned())).hint(hint)
}
