//! Whether another site can remove what a user wrote. Nothing is removed but rows that were made for it.

use mustdo_plugin::http::Request;
use mustdo_plugin::service::Probe;
use mustdo_plugin::{Fault, Text};

use super::Forgery;
use crate::advice::problem;
use crate::browser::{Browser, Visit};
use crate::crawl;
use crate::jar::From;
use crate::offer::{Offer, difference, is_secret};
use crate::sink::{People, Sink, Trail, shows};

/// Removes rows as other sites would; says how many requests changed nothing.
pub(super) fn judge(probe: &mut Probe, people: &People, actions: &[Sink]) -> Result<usize, Fault> {
    let mut tried = 0;
    for action in actions {
        let mut victim = people.writer.browser.clone();
        if let Some(pair) = Pair::make(probe, &mut victim, action)? {
            tried += pair.outlasts(probe, &victim)?;
        }
    }
    if tried > 0 {
        return Ok(tried);
    }
    Err(Fault::skip(Text::new(
        "not judged: no link or form was found by which users remove what they wrote",
        "没有判断：没有找到用户删除自己所写内容的链接或表单",
    )))
}

/// Something that the victim wrote, known by a word that nothing else has.
struct Row {
    word: String,
    /// The addresses that show it.
    pages: Vec<String>,
    /// Those, and what they link to.
    addresses: Vec<String>,
    /// What its pages have for removing something and did not have before: most of it is about this row.
    offers: Vec<Offer>,
    /// Those of `offers` that stand beside the word.
    beside: Vec<Offer>,
}

impl Row {
    /// Writes one; none where it is not shown. What is in `old` was there before.
    fn make(
        probe: &mut Probe,
        victim: &mut Browser,
        action: &Sink,
        mut old: Vec<String>,
    ) -> Result<Option<Self>, Fault> {
        let before = action.pages(probe, victim)?;
        old.extend(before.iter().flat_map(Offer::all).map(|offer| offer.address));
        let known: Vec<_> = before.iter().flat_map(crawl::links).collect();
        let word = probe.generator().token(14);
        let text = action.plain_text(probe, victim, &word)?;
        let Some(answer) = action.submit(probe, victim, &text)? else { return Ok(None) };
        let address = action.address(&answer.response);
        let trail = Trail { answer: Some(&answer), address, known: &known };
        let shown = action.shown(probe, victim, &trail, &word)?;
        let mut row =
            Self { word, pages: Vec::new(), addresses: Vec::new(), offers: Vec::new(), beside: Vec::new() };
        for Visit { path, .. } in shown {
            if row.pages.contains(&path) {
                continue;
            }
            // Once more: an answer may say what was written and not be the page where it stands.
            let visit = victim.open(probe, &path)?;
            if shows(&visit, &row.word) {
                row.take(visit, &old);
            }
        }
        Ok((!row.pages.is_empty()).then_some(row))
    }

    fn take(&mut self, visit: Visit, old: &[String]) {
        let mut offers = Offer::all(&visit);
        offers.retain(|offer| !old.contains(&offer.address));
        let page = visit.page();
        for offer in &offers {
            if offer.is_alone_with(&self.word, &page, &offers) {
                self.beside.push(offer.clone());
            }
        }
        self.offers.extend(offers);
        self.addresses.extend(crawl::links(&visit));
        self.addresses.push(visit.path.clone());
        self.pages.push(visit.path);
    }

    /// Whether a page shows it. Asked twice: a message that it is gone may repeat it once.
    fn is_there(&self, probe: &mut Probe, victim: &mut Browser) -> Result<bool, Fault> {
        for _ in 0..2 {
            let mut there = false;
            for path in &self.pages {
                there |= shows(&victim.open(probe, path)?, &self.word);
            }
            if !there {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// A way to remove one row, with its address in words.
struct Way {
    offer: Offer,
    /// The address with `{id}` where the row's own stands.
    pattern: String,
}

/// Two rows made alike: what differs between their offers is which row is meant. One is removed, the other stays.
struct Pair {
    row: Row,
    other: Row,
    /// The ways to remove `row`, each once.
    ways: Vec<Way>,
}

impl Pair {
    /// None where rows cannot be made, or nothing is offered that is surely about the one and not the other.
    fn make(probe: &mut Probe, victim: &mut Browser, action: &Sink) -> Result<Option<Self>, Fault> {
        let Some(row) = Row::make(probe, victim, action, Vec::new())? else { return Ok(None) };
        if row.beside.is_empty() {
            return Ok(None);
        }
        let old = row.offers.iter().map(|offer| offer.address.clone()).collect();
        let Some(other) = Row::make(probe, victim, action, old)? else { return Ok(None) };
        let mut ways: Vec<Way> = Vec::new();
        for offer in &row.beside {
            let mut alike = other.beside.iter();
            let Some((pattern, id)) = alike.find_map(|theirs| difference(&offer.address, &theirs.address))
            else {
                continue;
            };
            let is_new = ways.iter().all(|way| !way.offer.is_same(offer));
            if is_new && !is_secret(&id, &row.addresses) {
                ways.push(Way { offer: offer.clone(), pattern });
            }
        }
        // Two that would be the same but for the row: one of them is about something else.
        let is_ambiguous = |way: &Way| {
            ways.iter().any(|other| other.pattern == way.pattern && other.offer.address != way.offer.address)
        };
        let ambiguous: Vec<_> =
            ways.iter().filter(|way| is_ambiguous(way)).map(|way| way.pattern.clone()).collect();
        ways.retain(|way| !ambiguous.contains(&way.pattern));
        let both = row.is_there(probe, victim)? && other.is_there(probe, victim)?;
        Ok((both && !ways.is_empty()).then_some(Self { row, other, ways }))
    }

    /// How many requests of another site left the row alone, when the user's own then removes it.
    fn outlasts(&self, probe: &mut Probe, victim: &Browser) -> Result<usize, Fault> {
        let mut tried = 0;
        for way in &self.ways {
            let forgeries = forgeries(&way.offer, victim);
            for forgery in &forgeries {
                probe.send(forgery.dressed())?;
                if self.is_gone(probe, victim, &way.pattern)? {
                    return Err(removed(&way.pattern, forgery));
                }
            }
            tried += forgeries.len();
        }
        for way in &self.ways {
            let mut user = victim.clone();
            for page in &self.row.pages {
                let visit = user.open(probe, page)?;
                let now = Offer::all(&visit).into_iter().find(|offer| offer.address == way.offer.address);
                if let Some(offer) = now {
                    user.visit(probe, offer.genuine())?;
                    break;
                }
            }
            if !self.row.is_there(probe, &mut user)? {
                return Ok(tried);
            }
        }
        Ok(0)
    }

    /// Whether the row is gone and the other is not.
    fn is_gone(&self, probe: &mut Probe, victim: &Browser, pattern: &str) -> Result<bool, Fault> {
        let mut browser = victim.clone();
        if self.row.is_there(probe, &mut browser)? {
            return Ok(false);
        }
        if self.other.is_there(probe, &mut browser)? {
            return Ok(true);
        }
        Err(Fault::inconclusive(Text::new(
            format!(
                "after another site sent {pattern}, the user's pages show nothing of what was written, so what it did cannot be told"
            ),
            format!("别的网站发送 {pattern} 之后，用户的页面上写过的内容都看不到了，看不出它做了什么"),
        )))
    }
}

fn forgeries(offer: &Offer, victim: &Browser) -> Vec<Forgery> {
    let link = Forgery {
        from: From::OtherSiteLink,
        origin: None,
        ..Forgery::new("as a link, by GET", "做成链接，用 GET", Request::get(offer.address.clone()), victim)
    };
    let posted = offer
        .posted_bare()
        .map(|request| Forgery::new("as a form without a token", "做成表单，不带令牌", request, victim));
    std::iter::once(link).chain(posted).collect()
}

fn removed(pattern: &str, forgery: &Forgery) -> Fault {
    let line = format!("{} {pattern}", forgery.request.method);
    let (en, zh) = (forgery.en, forgery.zh);
    let summary = Text::new(
        format!("another site can remove what a logged-in user wrote: {line}, {en}"),
        format!("别的网站能替登录用户删除内容：{line}（{zh}）"),
    );
    let message = Text::new(
        format!(
            "wrote two texts as a user and sent {line} for the first as a page of another site would ({en}), with the cookies that a browser attaches to it; the first is gone, and the second is still there"
        ),
        format!(
            "以用户身份写了两段内容，再像别的网站的页面那样对第一段发送 {line}（{zh}），cookie 只带浏览器会带的；第一段没有了，第二段还在"
        ),
    );
    let hint = Text::new(
        "remove by POST only, from a form with a token of the session; a GET may show a page that asks, and changes nothing",
        "只用 POST 删除，表单带上与会话绑定的令牌；GET 最多显示一个确认页面，不做修改",
    );
    Fault::fail(summary).with(problem("web-security.csrf", &line, message, hint))
}
