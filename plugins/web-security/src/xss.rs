//! `xss`: can text that I submit become markup or script for somebody else?

use std::time::Duration;

use mustdo_plugin::service::{Advice, Probe, excerpt};
use mustdo_plugin::verdict::{Finding, Need, Severity};
use mustdo_plugin::{Check, CheckInfo, Context, Fault, Report, Text};

use crate::advice::problem;
use crate::browser::{Visit, is_html};
use crate::check::{reach, run, visiting};
use crate::flow::Flow;
use crate::markup::{Breakout, breakout};
use crate::page::Page;
use crate::sink::{self, People, Sink, Trail};

pub(crate) const ADVICE: Advice = Advice {
    item: "must-do.xss",
    with: "sinks = [{ submit = { path = \"/posts\", body = \"title={text}&body={text}\" }, view = \"/posts\" }]",
};

visiting! {
    /// Where people write and others read.
    pub struct Xss advised by ADVICE {}
}

impl Check for Xss {
    const ID: &'static str = "xss";

    fn info() -> CheckInfo {
        CheckInfo {
            title: Text::new("What one writes stays text for others", "用户写的内容对别人始终只是文字"),
            description: Text::new(
                "Registers two people, finds the fields whose text is shown to others, and sends a plain word first. Then it sends texts that would become an element, an attribute, a script or an address that runs, and reads the pages as a browser does. Passes when every page that shows the word shows nothing but text. The texts stay: use a test database.",
                "注册两个用户，找到内容会显示给别人的输入框，先发一个普通的词，再发会变成元素、属性、脚本或可执行地址的内容，像浏览器一样读页面。凡是显示那个词的页面都只有文字，才算通过。写入的内容会留下，请用测试库。",
            ),
            capabilities: vec![reach()],
            typical: Duration::from_secs(15),
            exclusive: false,
        }
    }

    fn run(&self, context: &mut Context<'_>) -> Report {
        let passed = Text::new(
            "everything that was written came out as text, and as nothing else",
            "写进去的内容出来时都只是文字",
        );
        run(context, &self.headers, passed, |probe, report| self.judge(probe, report))
    }
}

impl Xss {
    pub(crate) fn judge(&self, probe: &mut Probe, report: &mut Report) -> Option<()> {
        let found = Flow::find(probe, self.doors()).and_then(|(flow, first)| {
            let mut people = People::join(probe, &flow, first)?;
            let found =
                sink::find(probe, &["/", &flow.whoami], &mut people, self.doors().features.sinks, ADVICE)?;
            Ok((people, found))
        });
        let (mut people, found) = report.judge("sinks", Need::Must, found, |(_, found)| {
            let list = found
                .sinks
                .iter()
                .map(|sink| format!("{} {}", sink.line(), sink.field()))
                .collect::<Vec<_>>()
                .join("; ");
            Text::new(
                format!("a plain word is shown from: {list}"),
                format!("这些地方写的普通词会显示出来：{list}"),
            )
        })?;
        report.judge("forms-work", Need::Must, found.all_take_text(ADVICE), |()| {
            Text::new("every form that was found takes text", "找到的表单都接受文字")
        });
        let sinks = found.sinks;
        report.measure("sinks", f64::from(u32::try_from(sinks.len()).unwrap_or(u32::MAX)), "1");
        let mut shown = 0;
        let outcome = sinks.iter().enumerate().try_for_each(|(place, sink)| {
            let part = u16::try_from(place).unwrap_or_default();
            probe.progress(0.2 + 0.1 * f32::from(part), &sink.line());
            shown += stays_text(probe, &mut people, sink)?;
            Ok(())
        });
        report.judge("stays-text", Need::Must, outcome, |()| {
            Text::new(
                format!("{shown} hostile texts were shown, all of them as text"),
                format!("显示了 {shown} 段恶意内容，都只是文字"),
            )
        });
        let outcome = sinks.iter().try_for_each(|sink| legal_text(probe, &mut people, sink));
        report.judge("legal-text", Need::Should, outcome, |()| {
            Text::new(
                "quotes, ampersands and angle brackets come back as they were written",
                "引号、& 和尖括号原样显示",
            )
        })
    }
}

/// Texts that become something else where they are not escaped for their place. `M` is the marker that must be shown, `X`
/// what would be the name of an element, an attribute or a function.
const PAYLOADS: [&str; 20] = [
    "M<X>",
    "M\" X=\"",
    "M' X='",
    "M X=1 ",
    "M\"><X>",
    "M</script><X>",
    "M</textarea></title><X>",
    "M<ScRiPt>X()</sCrIpT>",
    "M<scr<script>ipt>X()</scr</script>ipt>",
    "M<img src=k onerror=X()>",
    "M<svg/onload=X()>",
    "M<a href=\"javascript:X()\">k</a>",
    "M<iframe srcdoc=\"&lt;X&gt;\"></iframe>",
    "javascript:X()//M",
    " jAvAscript:X()//https://M",
    "M%3CX%3E",
    "M&lt;X&gt;",
    "M\";X();//",
    "M';X();//",
    "M\\\";X();//`${X()}",
];

/// Sends every payload and looks at every page that shows its marker; counts those pages.
pub(crate) fn stays_text(probe: &mut Probe, people: &mut People, sink: &Sink) -> Result<u32, Fault> {
    let mut shown = 0;
    let mut payloads = PAYLOADS;
    probe.generator().shuffle(&mut payloads);
    for payload in payloads {
        let marker = probe.generator().token(10);
        let name = format!("x{}", probe.generator().token(8));
        let text = payload.replace('M', &marker).replace('X', &name);
        for visit in send(probe, people, sink, &text, &marker)? {
            shown += 1;
            if !runs_as_html(&visit) {
                continue;
            }
            if let Some(broke) = breakout(&Page::parse(&visit.response.body), &name) {
                return Err(escaped(sink, &visit, &text, &marker, broke));
            }
        }
    }
    computed(probe, people, sink)?;
    still_shown(probe, people, sink)?;
    Ok(shown)
}

/// A site that stopped taking texts on the way shows none of them, hostile or not.
fn still_shown(probe: &mut Probe, people: &mut People, sink: &Sink) -> Result<(), Fault> {
    let word = probe.generator().token(12);
    let text = sink.plain_text(probe, &mut people.writer.browser, &word)?;
    if !send(probe, people, sink, &text, &word)?.is_empty() {
        return Ok(());
    }
    let line = sink.line();
    let summary = Text::new(
        format!("{line} no longer shows a plain word, so that hostile texts are not shown says nothing"),
        format!("{line} 已经连普通的词都不显示了，恶意内容没显示说明不了什么"),
    );
    let message = Text::new(
        "a plain word was shown at first; after the hostile texts the same form was sent another one, and no page shows it",
        "开始时普通的词能显示；发完恶意内容之后再用同一个表单发一个，哪个页面都看不到",
    );
    let hint = Text::new(
        "lift limits on how much one user writes while testing, and show the newest first",
        "测试时放开单个用户的写入限制，并把最新的排在最前面",
    );
    Err(Fault::inconclusive(summary).with(
        Finding::new(Severity::Warning, "web-security.no-longer-shown", message)
            .at(crate::advice::place(&line))
            .hint(hint),
    ))
}

/// Sends a text and gives the answers that show its marker, as another user where another user sees them.
pub(crate) fn send(
    probe: &mut Probe,
    people: &mut People,
    sink: &Sink,
    text: &str,
    marker: &str,
) -> Result<Vec<Visit>, Fault> {
    let reader = if sink.is_public { &mut people.reader.browser } else { &mut people.writer.browser };
    let known = if sink.stores { sink.links(probe, reader)? } else { Vec::new() };
    let Some(answer) = sink.submit(probe, &mut people.writer.browser, text)? else { return Ok(Vec::new()) };
    let reader = if sink.is_public { &mut people.reader.browser } else { &mut people.writer.browser };
    let own = (!sink.is_public).then_some(&answer);
    let trail = Trail { answer: own, address: sink.address(&answer.response), known: &known };
    sink.shown(probe, reader, &trail, marker)
}

/// A text that a template would calculate: nobody but a template knows the product.
fn computed(probe: &mut Probe, people: &mut People, sink: &Sink) -> Result<(), Fault> {
    for open_close in ["{{ }}", "${ }", "#{ }", "<%= %>"] {
        let [one, other] = [(); 2].map(|()| probe.generator().number(10_000..99_999));
        let marker = probe.generator().token(10);
        let text = format!("{marker}{}", open_close.replace(' ', &format!("{one}*{other}")));
        let product = (one * other).to_string();
        for visit in send(probe, people, sink, &text, &marker)? {
            if visit.response.text().contains(&format!("{marker}{product}")) {
                let line = sink.line();
                let summary = Text::new(
                    format!("{line} runs what users write as a template"),
                    format!("{line} 把用户写的内容当模板执行"),
                );
                let message = Text::new(
                    format!(
                        "sent {text}; GET {} shows {marker}{product}, the product. Whoever writes a template reads the server's secrets",
                        visit.path
                    ),
                    format!(
                        "发送 {text}；GET {} 显示 {marker}{product}，正是乘积。能写模板的人就能读到服务器的秘密",
                        visit.path
                    ),
                );
                let hint = Text::new(
                    "pass the text to the template as a value, and build no template out of it",
                    "把文字作为值传给模板，不要拼成模板本身",
                );
                return Err(Fault::fail(summary).with(problem(
                    "web-security.template-injection",
                    &line,
                    message,
                    hint,
                )));
            }
        }
    }
    Ok(())
}

/// Whether a browser would read the answer as markup: HTML, XML, or a kind that it has to guess.
fn runs_as_html(visit: &Visit) -> bool {
    let response = &visit.response;
    let sniffs =
        !response.header("x-content-type-options").is_some_and(|value| value.eq_ignore_ascii_case("nosniff"));
    match response.header("content-type") {
        None => sniffs,
        Some(kind) => is_html(response) || kind.contains("xml"),
    }
}

fn escaped(sink: &Sink, visit: &Visit, text: &str, marker: &str, broke: Breakout) -> Fault {
    let line = sink.line();
    let page = visit.path.split('?').next().unwrap_or_default();
    let (became, became_zh) = broke.words();
    let (remedy, remedy_zh) = broke.remedy();
    let body = visit.response.text();
    let around = body.find(marker).map_or("", |at| {
        let begin = body.floor_char_boundary(at.saturating_sub(60));
        let end = body.ceil_char_boundary((at + 60).min(body.len()));
        &body[begin..end]
    });
    let around = excerpt(around.as_bytes());
    let summary = Text::new(
        format!("text sent to {line} becomes {became} on {page}"),
        format!("发给 {line} 的文字，在 {page} 上变成了{became_zh}"),
    );
    let field = if sink.field().is_empty() { String::new() } else { format!(" as `{}`", sink.field()) };
    let message = Text::new(
        format!(
            "sent {text}{field}; GET {page} then has: {around}. A browser reads that as {became}, so it runs what any user writes"
        ),
        format!(
            "发送 {text}{field}；GET {page} 的内容是：{around}。浏览器会把它当作{became_zh}，任何用户写的都会执行"
        ),
    );
    Fault::fail(summary).with(problem("web-security.xss", &line, message, Text::new(remedy, remedy_zh)))
}

/// Text that means no harm, with the characters of one that does: it must be read as it was written.
fn legal_text(probe: &mut Probe, people: &mut People, sink: &Sink) -> Result<(), Fault> {
    let marker = probe.generator().token(10);
    let text = format!("{marker} O'Brien & \"王\" <3");
    if sink.field().contains("url") || sink.field().contains("link") {
        return Ok(());
    }
    let seen = send(probe, people, sink, &text, &marker)?;
    if seen.iter().any(|visit| visit.words().contains(&text) || visit.response.text().contains(&text)) {
        return Ok(());
    }
    let line = sink.line();
    let shown = seen.first().map(Visit::words).unwrap_or_default();
    let around = shown
        .find(&marker)
        .map_or("nothing", |at| &shown[at..shown.ceil_char_boundary((at + 60).min(shown.len()))]);
    let summary = Text::new(
        format!("legal text sent to {line} is not shown as it was written"),
        format!("发给 {line} 的正常文字没有原样显示"),
    );
    let message = Text::new(
        format!(
            "sent {text}; a reader sees: {around}. Text is escaped where it is shown, once, and kept as it was written"
        ),
        format!("发送 {text}；读者看到的是：{around}。文字应原样保存，只在显示时转义一次"),
    );
    let hint = Text::new(
        "take nothing out of the text and escape it once, on output",
        "不要删改文字，只在输出时转义一次",
    );
    Err(Fault::fail(summary).with(problem("web-security.mangled-text", &line, message, hint)))
}
