//! The model of the chain.

use std::collections::{BTreeMap, HashMap};

use mustdo_plugin::Text;
use mustdo_plugin::serde_json::{Map, Value, json};

use crate::engine::{Answer, Model, Op, Wrong, error, expect, value};

/// What a handler or a layer raises.
const RAISED: &str = "BOOM";

/// What a header says that gives the identity of a service begins so.
const SERVICE: &str = "service-";

/// A layer.
#[derive(Debug, Clone)]
struct Layer {
    name: String,
    kind: String,
    argument: Value,
    /// Where it was registered: its cache is its own.
    id: usize,
}

impl Layer {
    fn read(args: &[Value], id: usize) -> Self {
        let text = |place: usize| args.get(place).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self { name: text(0), kind: text(1), argument: args.get(2).cloned().unwrap_or_default(), id }
    }
}

/// A response.
#[derive(Debug, Clone, Default, PartialEq)]
struct Response {
    status: u16,
    body: String,
    headers: BTreeMap<String, Value>,
}

/// One call on its way.
struct Call {
    layers: Vec<Layer>,
    request: Value,
    trace: Vec<String>,
    /// Layers of the kind `count` that were entered.
    counted: u64,
    /// How often the handler may still raise.
    fails: u64,
    inner: Value,
}

/// The layers, outermost first, and the handler.
#[derive(Debug, Default)]
pub(super) struct Chain {
    handler: String,
    layers: Vec<Layer>,
    caches: HashMap<(usize, String), Response>,
    registered: usize,
    /// The identity of each service, as the program told it first.
    services: BTreeMap<String, Value>,
}

impl Model for Chain {
    fn judge(&mut self, op: &Op, answer: &Answer) -> Result<(), Wrong> {
        // Nothing says what there is before the first handler; only a list that is made shorter begins with anything else.
        if self.handler.is_empty() && op.name != "HANDLER" {
            return Ok(());
        }
        let right = match op.name {
            "HANDLER" => {
                *self = Self {
                    handler: op.text(0).to_owned(),
                    services: std::mem::take(&mut self.services),
                    ..Self::default()
                };
                value(Value::Null)
            }
            "REGISTER" => {
                self.register(&op.args);
                value(Value::Null)
            }
            "NAME" => value(self.handler.as_str()),
            "CALL" => {
                let request = op.args.first().cloned().unwrap_or_default();
                let right = self.call(request);
                if let Ok(seen) = answer {
                    self.meet(seen)?;
                }
                Ok(self.named(right))
            }
            _ => error("OP"),
        };
        expect(answer, &right)
    }
}

impl Chain {
    fn register(&mut self, args: &[Value]) {
        self.registered += 1;
        self.layers.push(Layer::read(args, self.registered));
    }

    /// What a call answers: its trace, its response or what it raised, and the answer of the call that its handler made.
    pub(super) fn call(&mut self, request: Value) -> Value {
        let fails = request.get("fail").and_then(Value::as_u64).unwrap_or_default();
        let layers = self.layers.clone();
        let mut call = Call { layers, request, trace: Vec::new(), counted: 0, fails, inner: Value::Null };
        let result = self.enter(&mut call, 0);
        let mut told = json!({ "trace": call.trace, "inner": call.inner });
        match result {
            Ok(Response { status, body, headers }) => {
                told["response"] = json!({ "status": status, "body": body, "headers": headers });
            }
            Err(raised) => told["error"] = json!(raised),
        }
        told
    }

    fn enter(&mut self, call: &mut Call, depth: usize) -> Result<Response, String> {
        let Some(layer) = call.layers.get(depth).cloned() else { return self.handle(call) };
        call.trace.push(format!(">{}", layer.name));
        let result = self.pass(call, depth, &layer);
        call.trace.push(format!("{}{}", if result.is_ok() { '<' } else { '!' }, layer.name));
        result
    }

    fn pass(&mut self, call: &mut Call, depth: usize, layer: &Layer) -> Result<Response, String> {
        let next = depth + 1;
        match layer.kind.as_str() {
            "auth" if call.request.get("token") != Some(&layer.argument) => {
                Ok(Response { status: 401, body: layer.name.clone(), ..Response::default() })
            }
            "cache" => {
                let key = (layer.id, text(&call.request, "path"));
                if let Some(kept) = self.caches.get(&key) {
                    return Ok(kept.clone());
                }
                let response = self.enter(call, next)?;
                if response.status == 200 {
                    self.caches.insert(key, response.clone());
                }
                Ok(response)
            }
            "retry" => {
                let tries = layer.argument.as_u64().unwrap_or_default();
                let mut result = self.enter(call, next);
                for _ in 1..tries {
                    if result.is_ok() {
                        break;
                    }
                    result = self.enter(call, next);
                }
                result
            }
            "header" => {
                let name = layer.argument.as_str().unwrap_or_default().to_owned();
                let mut response = self.enter(call, next)?;
                response.headers.insert(name, json!(layer.name));
                Ok(response)
            }
            "catch" => Ok(self.enter(call, next).unwrap_or_else(|raised| Response {
                status: 500,
                body: raised,
                ..Response::default()
            })),
            "count" => {
                call.counted += 1;
                let own = call.counted;
                let mut response = self.enter(call, next)?;
                response.headers.insert(format!("count-{}", layer.name), json!(own));
                Ok(response)
            }
            "service" => {
                let name = layer.argument.as_str().unwrap_or_default().to_owned();
                let mut response = self.enter(call, next)?;
                response.headers.insert(format!("{SERVICE}{name}"), Value::Null);
                Ok(response)
            }
            _ => self.enter(call, next),
        }
    }

    fn handle(&mut self, call: &mut Call) -> Result<Response, String> {
        call.trace.push(format!("={}", self.handler));
        if call.fails > 0 {
            call.fails -= 1;
            return Err(RAISED.to_owned());
        }
        if let Some(Value::Array(layer)) = call.request.get("add").cloned() {
            self.register(&layer);
        }
        if let Some(request) = call.request.get("then").cloned() {
            call.inner = self.call(request);
        }
        let body = format!("{}:{}", self.handler, text(&call.request, "path"));
        Ok(Response { status: 200, body, headers: BTreeMap::new() })
    }

    /// Learns which identity a service has, wherever an answer tells it: always the same, and that of no other.
    fn meet(&mut self, answer: &Value) -> Result<(), Wrong> {
        let headers = answer.pointer("/response/headers").and_then(Value::as_object);
        for (name, id) in headers.into_iter().flatten() {
            let Some(service) = name.strip_prefix(SERVICE) else { continue };
            let known = self.services.entry(service.to_owned()).or_insert_with(|| id.clone());
            if known != id {
                return Err(Wrong::new(
                    "service",
                    Text::new(
                        format!("{name}: {known}, as before: there is one {service}"),
                        format!("{name}: {known}，与之前相同：{service} 只有一个"),
                    ),
                )
                .hint(Text::new(
                    "make the service once and hand the same object to everybody",
                    "服务只创建一次，把同一个对象交给所有人",
                )));
            }
        }
        let ids: Vec<_> = self.services.values().collect();
        let is_shared = ids.iter().enumerate().any(|(place, id)| id.is_null() || ids[..place].contains(id));
        if is_shared {
            return Err(Wrong::new(
                "service",
                Text::new(
                    "an identity for each service, and another for each",
                    "每个服务有一个标识，各不相同",
                ),
            ));
        }
        match answer.get("inner") {
            Some(inner @ Value::Object(_)) => self.meet(inner),
            _ => Ok(()),
        }
    }

    /// Puts the identities that are known into an answer of the model.
    fn named(&self, mut answer: Value) -> Value {
        if let Some(headers) = answer.pointer_mut("/response/headers").and_then(Value::as_object_mut) {
            self.name_in(headers);
        }
        if let Some(inner) = answer.get_mut("inner") {
            let known = self.named(inner.take());
            *inner = known;
        }
        answer
    }

    fn name_in(&self, headers: &mut Map<String, Value>) {
        for (name, id) in headers.iter_mut() {
            if let Some(known) = name.strip_prefix(SERVICE).and_then(|service| self.services.get(service)) {
                *id = known.clone();
            }
        }
    }
}

fn text(request: &Value, name: &str) -> String {
    request.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::op;

    fn chain(layers: &[(&str, &str, Value)]) -> Chain {
        let mut chain = Chain { handler: "h".to_owned(), ..Chain::default() };
        for (name, kind, argument) in layers {
            chain.register(&[json!(name), json!(kind), argument.clone()]);
        }
        chain
    }

    #[test]
    fn an_exception_passes_each_outer_layer_once_and_is_retried_inside() {
        let mut chain =
            chain(&[("a", "log", json!(null)), ("b", "retry", json!(2)), ("c", "log", json!(null))]);
        let told = chain.call(json!({ "path": "/", "token": "t", "fail": 1 }));
        assert_eq!(told["trace"], json!([">a", ">b", ">c", "=h", "!c", ">c", "=h", "<c", "<b", "<a"]));
        let told = chain.call(json!({ "path": "/", "token": "t", "fail": 5 }));
        assert_eq!(told["trace"], json!([">a", ">b", ">c", "=h", "!c", ">c", "=h", "!c", "!b", "!a"]));
        assert_eq!(told["error"], "BOOM");
    }

    #[test]
    fn what_is_cached_has_only_the_headers_from_inside() {
        let mut chain =
            chain(&[("a", "header", json!("x")), ("b", "cache", json!(null)), ("c", "header", json!("y"))]);
        let first = chain.call(json!({ "path": "/p" }));
        let second = chain.call(json!({ "path": "/p" }));
        assert_eq!(first["response"], second["response"]);
        assert_eq!(second["trace"], json!([">a", ">b", "<b", "<a"]));
        assert_eq!(second["response"]["headers"], json!({ "x": "a", "y": "c" }));
    }

    #[test]
    fn a_service_is_the_same_everywhere_and_no_other() {
        let mut chain = chain(&[("a", "service", json!("clock")), ("b", "service", json!("store"))]);
        let call = op!("CALL", json!({ "path": "/" }));
        let answer = |clock: u64, store: u64| {
            value(json!({ "inner": null, "trace": [">a", ">b", "=h", "<b", "<a"], "response": {
                "status": 200, "body": "h:/", "headers": { "service-clock": clock, "service-store": store } } }))
        };
        assert_eq!(chain.judge(&call, &answer(7, 8)), Ok(()));
        assert_eq!(chain.judge(&call, &answer(9, 8)).unwrap_err().rule, "service");
        let mut fresh = self::chain(&[("a", "service", json!("clock")), ("b", "service", json!("store"))]);
        assert_eq!(fresh.judge(&call, &answer(7, 7)).unwrap_err().rule, "service");
    }

    #[test]
    fn before_the_first_handler_nothing_is_wrong() {
        let mut chain = Chain::default();
        assert_eq!(chain.judge(&op!("NAME"), &value(json!("any"))), Ok(()));
        assert_eq!(chain.judge(&op!("HANDLER", "h"), &value(Value::Null)), Ok(()));
        assert!(chain.judge(&op!("NAME"), &value(json!("any"))).is_err());
    }

    #[test]
    fn a_layer_that_is_added_meanwhile_is_for_later_calls() {
        let mut chain = chain(&[("a", "log", json!(null))]);
        let told = chain.call(json!({ "path": "/", "add": ["b", "log", null], "then": { "path": "/" } }));
        assert_eq!(told["trace"], json!([">a", "=h", "<a"]));
        assert_eq!(told["inner"]["trace"], json!([">a", ">b", "=h", "<b", "<a"]));
    }
}
