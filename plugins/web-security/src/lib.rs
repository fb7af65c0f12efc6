//! The plugin `web-security`: a site visited as several users do, and as an attacker would.
//!
//! A file a check. All of them find out first how people register and log in (`flow`), act through browsers with cookies
//! of their own, and judge nothing before the ordinary way has visibly worked. Payloads prove and never destroy.

mod access_control;
mod account;
mod address;
mod advice;
mod browser;
mod carrier;
mod check;
mod crawl;
mod csrf;
mod enumeration;
mod flow;
mod form;
mod headers;
mod jar;
mod markup;
mod offer;
mod outbound;
mod page;
mod password_storage;
mod path_traversal;
mod register_login;
mod session;
mod signed;
mod sink;
mod sqli;
mod template_escape;
#[cfg(test)]
mod testing;
mod throttle;
mod token_forgery;
mod xss;

use mustdo_plugin::{Plugin, Text};

pub use access_control::AccessControl;
pub use csrf::Csrf;
pub use enumeration::Enumeration;
pub use headers::Baseline;
pub use outbound::Outbound;
pub use password_storage::PasswordStorage;
pub use path_traversal::PathTraversal;
pub use register_login::RegisterLogin;
pub use session::Session;
pub use sqli::Sqli;
pub use template_escape::TemplateEscape;
pub use throttle::Throttle;
pub use token_forgery::TokenForgery;
pub use xss::Xss;

/// The plugin and its checks.
#[must_use]
pub fn plugin() -> Plugin {
    Plugin::new(
        "web-security",
        env!("CARGO_PKG_VERSION"),
        Text::new("Web security", "Web 安全"),
        Text::new(
            "Registration and login, sessions, scripts and requests of other sites, injection, access, headers, stored passwords",
            "注册登录、会话、跨站脚本与跨站请求、注入、权限、响应头、密码的保存",
        ),
    )
    .license(env!("CARGO_PKG_LICENSE"))
    .check::<RegisterLogin>()
    .check::<Xss>()
    .check::<Csrf>()
    .check::<Session>()
    .check::<Baseline>()
    .check::<Sqli>()
    .check::<PathTraversal>()
    .check::<AccessControl>()
    .check::<TokenForgery>()
    .check::<Outbound>()
    .check::<Enumeration>()
    .check::<Throttle>()
    .check::<PasswordStorage>()
    .check::<TemplateEscape>()
}

mustdo_plugin::export!(plugin);
