//! The plugin `http-idempotency`.
use mustdo_plugin::*;
use std::time::Duration;
parameters! {
/// T
struct T { /// a
 a: String = String::new() }
}
impl Check for T {
    const ID: &'static str = "t";
    fn info() -> CheckInfo { CheckInfo { title: Text::same("t"), description: Text::same("t"), capabilities: vec![], typical: Duration::from_millis(1), exclusive: true } }
    fn run(&self, c: &mut Context<'_>) -> Report { let mut r = Report::new(Text::same(self.a.clone())); let x = c.generator().token(3);
     let o = c.http("api", &Default::default()).and_then(|c| c.send(&http::Request::get(x))).map_err(Fault::from);
     r.judge("x", verdict::Need::Must, o, |r| Text::same(r.text())); r }
}
/// p
#[must_use]
pub fn plugin() -> Plugin { Plugin::new("http-idempotency", "0.1.0", Text::same(""), Text::same("")).check::<T>() }
mustdo_plugin::export!(plugin);
