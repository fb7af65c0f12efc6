//! The task `middleware`: layers around a handler.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::{Answer, Flaw, Program, text};

#[derive(Clone)]
struct Layer {
    number: usize,
    name: String,
    kind: String,
    argument: Value,
}

#[derive(Clone)]
struct Response {
    status: u16,
    body: String,
    headers: Map<String, Value>,
}

impl Response {
    fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, body: body.into(), headers: Map::new() }
    }
}

type Outcome = Result<Response, &'static str>;

/// What belongs to one request.
struct Request {
    /// The layers of the time when it came.
    layers: Vec<Layer>,
    asked: Value,
    trace: Vec<String>,
    counted: u64,
    fails: u64,
    inner: Value,
    /// Of the flaw that retries everything: how often it may still begin anew.
    again: Option<u64>,
}

/// The application.
pub(super) struct App {
    flaw: Option<Flaw>,
    handler: String,
    layers: Vec<Layer>,
    registered: usize,
    caches: HashMap<(usize, String), Response>,
    services: HashMap<String, u64>,
    made: u64,
    /// Of the flaw that shares it: what a layer of the kind `count` noted last.
    noted: HashMap<usize, u64>,
}

impl App {
    pub(super) fn new(flaw: Option<Flaw>) -> Self {
        Self {
            flaw,
            handler: String::new(),
            layers: Vec::new(),
            registered: 0,
            caches: HashMap::new(),
            services: HashMap::new(),
            made: 0,
            noted: HashMap::new(),
        }
    }

    fn register(&mut self, arguments: &[Value]) {
        self.registered += 1;
        self.layers.push(Layer {
            number: self.registered,
            name: text(arguments, 0).to_owned(),
            kind: text(arguments, 1).to_owned(),
            argument: arguments.get(2).cloned().unwrap_or_default(),
        });
    }

    fn call(&mut self, asked: Value) -> Value {
        let mut request = Request {
            layers: self.layers.clone(),
            fails: asked["fail"].as_u64().unwrap_or_default(),
            asked,
            trace: Vec::new(),
            counted: 0,
            inner: Value::Null,
            again: None,
        };
        let outcome = self.enter(&mut request, 0);
        if self.flaw == Some(Flaw::MiddlewareAfterOrder) {
            let way_in = request
                .trace
                .iter()
                .rposition(|event| event.starts_with(['>', '=']))
                .map_or(0, |place| place + 1);
            request.trace[way_in..].reverse();
        }
        let mut told = json!({ "trace": request.trace, "inner": request.inner });
        match outcome {
            Ok(Response { status, body, headers }) => {
                told["response"] = json!({ "status": status, "body": body, "headers": headers });
            }
            Err(raised) => told["error"] = json!(raised),
        }
        told
    }

    fn enter(&mut self, request: &mut Request, depth: usize) -> Outcome {
        let Some(layer) = request.layers.get(depth).cloned() else { return self.handle(request) };
        request.trace.push(format!(">{}", layer.name));
        let outcome = self.pass(request, depth, &layer);
        let is_innermost = depth + 1 == request.layers.len();
        match &outcome {
            Ok(_) => request.trace.push(format!("<{}", layer.name)),
            Err(_) if self.flaw == Some(Flaw::MiddlewareSkipsAfter) && !is_innermost => {}
            Err(_) => request.trace.push(format!("!{}", layer.name)),
        }
        outcome
    }

    fn pass(&mut self, request: &mut Request, depth: usize, layer: &Layer) -> Outcome {
        let Layer { number, name, argument, .. } = layer;
        let next = depth + 1;
        match layer.kind.as_str() {
            "auth" if request.asked["token"] != *argument => {
                if self.flaw == Some(Flaw::MiddlewareRunsHandler) {
                    // What it answers is thrown away.
                    let _ = self.handle(request);
                }
                Ok(Response::new(401, name))
            }
            "cache" => {
                let key = (*number, request.asked["path"].as_str().unwrap_or_default().to_owned());
                if let Some(response) = self.caches.get(&key) {
                    return Ok(response.clone());
                }
                let response = self.enter(request, next)?;
                if response.status == 200 {
                    self.caches.insert(key, response.clone());
                }
                Ok(response)
            }
            "retry" => self.retry(request, next, argument.as_u64().unwrap_or_default()),
            "catch" => Ok(self.enter(request, next).unwrap_or_else(|raised| Response::new(500, raised))),
            "header" => {
                self.with_header(request, next, argument.as_str().unwrap_or_default(), |_| json!(name))
            }
            "count" => {
                request.counted += 1;
                let own = request.counted;
                self.noted.insert(*number, own);
                let number = *number;
                self.with_header(request, next, &format!("count-{name}"), move |app| {
                    let shared = app.flaw == Some(Flaw::MiddlewareSharedState);
                    json!(if shared { app.noted.get(&number).copied().unwrap_or_default() } else { own })
                })
            }
            "service" => {
                let service = argument.as_str().unwrap_or_default();
                self.with_header(request, next, &format!("service-{service}"), |app| {
                    json!(app.service(service))
                })
            }
            _ => self.enter(request, next),
        }
    }

    /// Enters the next layer, and puts a header onto what comes back.
    fn with_header(
        &mut self,
        request: &mut Request,
        next: usize,
        name: &str,
        value: impl FnOnce(&mut Self) -> Value,
    ) -> Outcome {
        let mut response = self.enter(request, next)?;
        response.headers.insert(name.to_owned(), value(self));
        Ok(response)
    }

    fn retry(&mut self, request: &mut Request, next: usize, tries: u64) -> Outcome {
        let mut outcome = self.enter(request, next);
        if self.flaw == Some(Flaw::MiddlewareRetriesAll) {
            let again = request.again.get_or_insert(tries.saturating_sub(1));
            if outcome.is_err() && *again > 0 {
                *again -= 1;
                outcome = self.enter(request, 0);
            }
            return outcome;
        }
        for _ in 1..tries {
            if outcome.is_ok() {
                break;
            }
            outcome = self.enter(request, next);
        }
        outcome
    }

    /// The identity of a service, which is made when it is asked for first.
    fn service(&mut self, name: &str) -> u64 {
        let is_kept = self.flaw != Some(Flaw::MiddlewareManyServices);
        if let (Some(id), true) = (self.services.get(name), is_kept) {
            return *id;
        }
        self.made += 1;
        self.services.insert(name.to_owned(), self.made);
        self.made
    }

    fn handle(&mut self, request: &mut Request) -> Outcome {
        request.trace.push(format!("={}", self.handler));
        if request.fails > 0 {
            request.fails -= 1;
            return Err("BOOM");
        }
        if let Some(layer) = request.asked["add"].as_array() {
            self.register(&layer.clone());
        }
        if let Some(then) = request.asked.get("then").cloned() {
            request.inner = self.call(then);
        }
        let path = request.asked["path"].as_str().unwrap_or_default();
        Ok(Response::new(200, format!("{}:{path}", self.handler)))
    }
}

impl Program for App {
    fn answer(&mut self, operation: &str, arguments: &[Value]) -> Answer {
        match operation {
            "HANDLER" => {
                let kept = std::mem::replace(self, Self::new(self.flaw));
                (self.services, self.made) = (kept.services, kept.made);
                text(arguments, 0).clone_into(&mut self.handler);
                Ok(Value::Null)
            }
            "REGISTER" => {
                self.register(arguments);
                Ok(Value::Null)
            }
            "NAME" if self.flaw == Some(Flaw::MiddlewareLostName) && !self.layers.is_empty() => {
                Ok(json!("wrapper"))
            }
            "NAME" => Ok(json!(self.handler)),
            "CALL" => Ok(self.call(arguments.first().cloned().unwrap_or_default())),
            _ => Err("OP"),
        }
    }
}
