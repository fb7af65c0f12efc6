//! The interface of the reference shop, held against every service that claims to have it.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::Duration,
};

use mustdo::reference::{Options, Service};
use serde_json::{Value, json};

/// A service under test; every request has a connection of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shop {
    pub(crate) address: SocketAddr,
}

/// One answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Shop {
    /// Sends `"METHOD /path"`, with the document unless it is null. Panics where the answer is no HTTP.
    pub(crate) fn send(self, line: &str, fields: &[(&str, &str)], document: &Value) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut request = Vec::new();
        write!(request, "{line} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address).unwrap();
        for (name, value) in fields {
            write!(request, "{name}: {value}\r\n").unwrap();
        }
        if document.is_null() {
            request.extend(b"\r\n");
        } else {
            let body = document.to_string();
            let length = body.len();
            write!(request, "Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
                .unwrap();
        }
        stream.write_all(&request).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        Answer::parse(&bytes)
    }

    pub(crate) fn get(self, path: &str) -> Answer {
        self.send(&format!("GET {path}"), &[], &Value::Null)
    }

    /// How many rows a list has, by its `count`.
    pub(crate) fn count(self, path: &str) -> u64 {
        self.get(path).json()["count"].as_u64().unwrap()
    }

    /// Posts the same submission `times` at once; the statuses, sorted.
    pub(crate) fn together(self, times: usize, path: &str, key: &str, document: &Value) -> Vec<u16> {
        let line = format!("POST {path}");
        let post = || self.send(&line, &[("Idempotency-Key", key)], document).status;
        let mut statuses: Vec<u16> = thread::scope(|scope| {
            let threads: Vec<_> = (0..times).map(|_| scope.spawn(post)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        statuses.sort_unstable();
        statuses
    }
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("the head has an end");
        let head = std::str::from_utf8(&bytes[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let fields = lines
            .map(|line| line.split_once(':').unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Self { status, fields, body: bytes[end + 4..].to_vec() }
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Panics unless the service keeps the whole interface. It must be fresh, and an order must take 200 ms or more.
pub(crate) fn assert_conforms(shop: Shop) {
    pages(shop);
    items(shop);
    orders(shop);
    tickets(shop);
    session(shop);
}

fn pages(shop: Shop) {
    assert_eq!((shop.get("/healthz").status, shop.get("/healthz").body.as_slice()), (200, b"ok".as_slice()));
    for path in ["/", "/about"] {
        let get = shop.get(path);
        let head = shop.send(&format!("HEAD {path}"), &[], &Value::Null);
        assert_eq!((get.status, head.status), (200, 200));
        assert!(get.field("content-type").unwrap().starts_with("text/html"));
        assert!(get.field("etag").is_some() && get.field("etag") == head.field("etag"));
        assert_eq!(get.field("content-length"), Some(get.body.len().to_string().as_str()));
        assert!(head.body.is_empty());
    }
    let missing = shop.get("/nothing");
    assert_eq!(missing.status, 404);
    assert!(missing.json()["error"].is_string());
}

fn items(shop: Shop) {
    assert_eq!(shop.get("/items").json(), json!({ "items": [] }));
    let created = shop.send("POST /items", &[], &json!({ "name": "cup", "price": 3 }));
    assert_eq!(created.status, 201);
    let path = created.field("location").unwrap().to_owned();
    let mut cup = created.json();
    assert_eq!(path, format!("/items/{}", cup["id"].as_str().unwrap()));
    assert_eq!((&cup["name"], &cup["price"]), (&json!("cup"), &json!(3)));
    assert_eq!(shop.get(&path).json(), cup);
    let etag = shop.get(&path).field("etag").unwrap().to_owned();
    assert_eq!(shop.send(&format!("HEAD {path}"), &[], &Value::Null).field("etag"), Some(etag.as_str()));

    cup["name"] = json!("dish");
    for _ in 0..3 {
        let put = shop.send(&format!("PUT {path}"), &[], &json!({ "name": "dish", "price": 3 }));
        assert_eq!((put.status, put.json()), (200, cup.clone()));
        assert_eq!(shop.get("/items").json(), json!({ "items": [cup] }));
    }
    assert_ne!(shop.get(&path).field("etag"), Some(etag.as_str()));
    assert_eq!(shop.send("PUT /items/own", &[], &json!({ "name": "own", "price": 1 })).status, 201);
    assert_eq!(shop.get("/items").json()["items"].as_array().unwrap().len(), 2);

    assert_eq!(shop.get("/items/own/delete").status, 200);
    assert_eq!(shop.get("/items/own").status, 200);
    assert_eq!(shop.send("POST /items/own/delete", &[], &Value::Null).status, 303);
    for status in [204, 404, 404] {
        assert_eq!(shop.send(&format!("DELETE {path}"), &[], &Value::Null).status, status);
        assert_eq!(shop.get("/items").json(), json!({ "items": [] }));
    }

    let wrong = [json!({}), json!({ "name": "cup" }), json!({ "name": "cup", "price": true }), json!([1])];
    for document in wrong {
        let refused = shop.send("POST /items", &[], &document);
        assert_eq!(refused.status, 400, "{document}");
        assert!(refused.json()["error"].is_string());
    }
    let broken = shop.send("POST /items", &[("Content-Type", "application/json")], &Value::Null);
    assert_eq!(broken.status, 400);
    assert_eq!(shop.send("POST /items", &[("Content-Type", "text/plain")], &Value::Null).status, 415);
    assert_eq!(shop.get("/items").json(), json!({ "items": [] }));
}

fn orders(shop: Shop) {
    let order = json!({ "sku": "cup", "quantity": 2 });
    let post = |key: &str, document: &Value| shop.send("POST /orders", &[("Idempotency-Key", key)], document);

    let first = post("first", &order);
    assert_eq!(first.status, 201);
    let mut row = first.json();
    let id = row["id"].as_str().unwrap().to_owned();
    assert_eq!(row, json!({ "id": id, "sku": "cup", "quantity": 2 }));
    assert_eq!(first.field("location"), Some(format!("/orders/{id}").as_str()));
    assert_eq!(shop.get(&format!("/orders/{id}")).json(), row);
    row["caller"] = json!("anonymous");
    assert_eq!(shop.get("/orders").json(), json!({ "count": 1, "orders": [row] }));

    for key in ["first", "\"first\""] {
        let retry = post(key, &order);
        assert_eq!((retry.status, &retry.body), (201, &first.body));
        assert_eq!(retry.field("location"), first.field("location"));
        assert_eq!(retry.field("idempotent-replayed"), Some("true"));
    }
    assert_eq!(post("first", &json!({ "sku": "cup", "quantity": 3 })).status, 422);
    for _ in 0..2 {
        assert_eq!(post("invalid", &json!({ "sku": "cup", "quantity": 0 })).status, 400);
    }
    assert_eq!(shop.send("POST /orders", &[], &order).status, 400);
    assert_eq!(post(&"k".repeat(256), &order).status, 400);
    assert_eq!(shop.count("/orders"), 1);
    assert_eq!(post(&"k".repeat(255), &order).status, 201);
    assert_eq!(shop.count("/orders"), 2);

    assert_eq!(shop.together(8, "/orders", "together", &order), [201, 409, 409, 409, 409, 409, 409, 409]);
    assert_eq!(shop.count("/orders"), 3);

    let callers = [("Bearer alice-token", 201), ("Bearer bob-token", 201), ("Bearer unknown", 401)];
    for (token, status) in callers {
        let fields = [("Idempotency-Key", "first"), ("Authorization", token)];
        assert_eq!(shop.send("POST /orders", &fields, &order).status, status, "{token}");
    }
    let list = shop.get("/orders").json();
    assert_eq!(list["count"], 5);
    assert_eq!(
        (&list["orders"][3]["caller"], &list["orders"][4]["caller"]),
        (&json!("alice"), &json!("bob"))
    );
}

fn tickets(shop: Shop) {
    let ticket = json!({ "seat": "A1", "token": "t" });
    let first = shop.send("POST /tickets", &[], &ticket);
    assert_eq!(first.status, 201);
    let row = first.json();
    let path = format!("/tickets/{}", row["id"].as_str().unwrap());
    assert_eq!((row["seat"].as_str(), first.field("location")), (Some("A1"), Some(path.as_str())));
    assert_eq!(shop.get(&path).json(), row);
    assert_eq!(shop.get("/tickets").json(), json!({ "count": 1, "tickets": [row] }));

    let duplicate = shop.send("POST /tickets", &[], &ticket);
    assert_eq!((duplicate.status, duplicate.field("location")), (303, Some(path.as_str())));
    let other = json!({ "seat": "A1", "token": "u" });
    assert_eq!(shop.together(8, "/tickets", "unused", &other), [201, 303, 303, 303, 303, 303, 303, 303]);
    assert_eq!(shop.count("/tickets"), 2);
    assert_eq!(shop.send("POST /tickets", &[], &json!({ "seat": "A1" })).status, 400);
    assert_eq!(shop.count("/tickets"), 2);
}

fn session(shop: Shop) {
    let user =
        |cookie: &str| shop.send("GET /session", &[("Cookie", cookie)], &Value::Null).json()["user"].clone();
    assert_eq!(shop.get("/session").json(), json!({ "user": null }));
    let login = shop.send("POST /login", &[], &json!({ "user": "ann" }));
    assert_eq!(login.status, 204);
    let cookie = login.field("set-cookie").unwrap();
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let cookie = cookie.split(';').next().unwrap();
    assert_eq!(user(cookie), "ann");
    let refused = shop.send("GET /logout", &[("Cookie", cookie)], &Value::Null);
    assert_eq!(refused.status, 405);
    assert!(refused.field("allow").unwrap().contains("POST"));
    assert_eq!(user(cookie), "ann");
    assert_eq!(shop.send("POST /logout", &[("Cookie", cookie)], &Value::Null).status, 204);
    assert_eq!(user(cookie), Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_service_conforms() {
    let running = Service::bind(Options::default(), ([127, 0, 0, 1], 0).into()).unwrap().spawn();
    let shop = Shop { address: running.address() };
    tokio::task::spawn_blocking(move || assert_conforms(shop)).await.unwrap();
    running.stop().await.unwrap();
}
