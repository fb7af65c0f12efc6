//! Whether one user sets another's password.

use mustdo_plugin::service::{Probe, Template};
use mustdo_plugin::{Fault, Text};

use super::token_of;
use crate::account::{Account, Written};
use crate::advice::problem;
use crate::browser::Browser;
use crate::crawl;
use crate::flow::{Flow, Member};
use crate::form::{Form, Kind};

/// By the request that the learner wrote, else by the form that a user finds.
pub(super) fn own(probe: &mut Probe, flow: &Flow, written: Option<&Template>) -> Result<(), Fault> {
    match written {
        Some(template) => by_request(probe, flow, template),
        None => by_form(probe, flow),
    }
}

/// One user sends another's form for a new password.
fn by_form(probe: &mut Probe, flow: &Flow) -> Result<(), Fault> {
    let mut owner = flow.member(probe)?;
    let mut other = flow.member(probe)?;
    let pages = crawl::walk(probe, &mut owner.browser, &["/", &flow.whoami])?;
    let is_change = |form: &Form| {
        form.posts
            && form.asks_password()
            && Some(form.page.as_str()) != flow.login_page()
            && Some(form.page.as_str()) != flow.register_page()
    };
    let Some(form) = crawl::forms(&pages).into_iter().find(is_change) else {
        return Err(Fault::skip(Text::new("no form for a new password was found", "没有找到修改密码的表单")));
    };
    let password = fresh(probe);
    let token_form = other
        .browser
        .open(probe, &form.page)?
        .forms()
        .into_iter()
        .find(|theirs| theirs.action == form.action);
    let own = token_form.map(|form| form.fields).unwrap_or_default();
    let request = form.submit(|field| match field.kind {
        Kind::Password => Some(password.clone()),
        Kind::Hidden => token_of(field, &own),
        Kind::User | Kind::Email | Kind::Text | Kind::Url | Kind::Number | Kind::Fixed | Kind::File => None,
    });
    let line = format!("{} {}", request.method, request.path);
    other.browser.visit(probe, request)?;
    if !gets_in(probe, flow, &owner.account.with_password(&password))? {
        return Ok(());
    }
    let message = Text::new(
        format!(
            "logged in as one user and sent {line} with the fields of another user's form; that user's account then takes the new password"
        ),
        format!("以一个用户登录，用另一个用户的表单字段发送 {line}；那个用户的账号就接受了新密码"),
    );
    Err(set_by_others(&line, message))
}

/// The request that the learner wrote, about one user and sent by others; then by that user, or that nothing came of it
/// would say nothing.
fn by_request(probe: &mut Probe, flow: &Flow, template: &Template) -> Result<(), Fault> {
    let mut owner = flow.member(probe)?;
    let other = flow.member(probe)?.browser;
    let account = owner.account.with_password(fresh(probe));
    let form = matches!(template.body, Some(serde_json::Value::String(_)));
    let request = template.fill(&Written { account: &account, form });
    let line = format!("{} {}", request.method, request.path);
    for (who, zh, mut browser) in
        [("another user", "另一个用户", other), ("a stranger", "陌生人", Browser::default())]
    {
        let status = browser.visit(probe, request.clone())?.first;
        if gets_in(probe, flow, &account)? {
            let message = Text::new(
                format!(
                    "{who} sent {line} ({status}), which is about one user; that user's account then takes the new password"
                ),
                format!("{zh}发送 {line}（{status}），说的是某个用户；那个用户的账号就接受了新密码"),
            );
            return Err(set_by_others(&line, message));
        }
    }
    let status = owner.browser.visit(probe, request)?.first;
    if gets_in(probe, flow, &account)? {
        return Ok(());
    }
    Err(Fault::inconclusive(Text::new(
        format!(
            "{line} ({status}) does not set the user's own password either, so that others cannot says nothing"
        ),
        format!("{line}（{status}）连用户自己的密码也改不了，别人改不了说明不了什么"),
    )))
}

fn set_by_others(line: &str, message: Text) -> Fault {
    let summary = Text::new("one user can set another user's password", "一个用户能改另一个用户的密码");
    let hint = Text::new(
        "take whose password it is from the session, never from the form or the address, and ask for the old one",
        "改谁的密码由会话决定，不看表单和地址，并要求输入旧密码",
    );
    Fault::fail(summary).with(problem("web-security.password-of-others", line, message, hint))
}

fn fresh(probe: &mut Probe) -> String {
    format!("{}-Q7", probe.generator().token(14))
}

fn gets_in(probe: &mut Probe, flow: &Flow, account: &Account) -> Result<bool, Fault> {
    let mut member = Member { browser: flow.log_in(probe, account)?.browser, account: account.clone() };
    flow.sees(probe, &mut member.browser, &account.name)
}
