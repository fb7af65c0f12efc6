//! A task as Celery sends it: its message protocol, version 2, in JSON
//! (<https://docs.celeryq.dev/en/stable/internals/protocol.html>).

use amq_protocol_types::{AMQPValue, FieldTable};
use serde_json::{Value, json};

use crate::amqp::wire::text;

/// One task to send.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Task {
    /// Its name: `tasks.work`.
    pub(crate) name: String,
    pub(crate) id: String,
    /// Its arguments, in order.
    pub(crate) arguments: Vec<Value>,
}

impl Task {
    /// Arguments, keywords, and what comes after it: nothing.
    pub(crate) fn body(&self) -> String {
        let embedded = json!({ "callbacks": null, "errbacks": null, "chain": null, "chord": null });
        json!([self.arguments, {}, embedded]).to_string()
    }

    fn headers(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("lang", json!("py")),
            ("task", json!(self.name)),
            ("id", json!(self.id)),
            ("root_id", json!(self.id)),
            ("parent_id", Value::Null),
            ("group", Value::Null),
            ("retries", json!(0)),
            ("timelimit", json!([null, null])),
            ("origin", json!("mustdo")),
        ]
    }

    /// The headers in AMQP's own types.
    pub(crate) fn table(&self) -> FieldTable {
        let mut table = FieldTable::default();
        for (name, value) in self.headers() {
            let value = match value {
                Value::String(words) => text(&words),
                Value::Number(_) => AMQPValue::LongInt(0),
                Value::Array(items) => {
                    AMQPValue::FieldArray(items.iter().map(|_| AMQPValue::Void).collect::<Vec<_>>().into())
                }
                Value::Null | Value::Bool(_) | Value::Object(_) => AMQPValue::Void,
            };
            table.insert(name.into(), value);
        }
        table
    }

    /// The message as kombu keeps it in a list of Redis.
    pub(crate) fn envelope(&self, queue: &str) -> String {
        let headers: serde_json::Map<String, Value> =
            self.headers().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        json!({
            "body": self.body(),
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "headers": headers,
            "properties": {
                "correlation_id": self.id,
                "delivery_mode": 2,
                "delivery_tag": self.id,
                "delivery_info": { "exchange": "", "routing_key": queue },
                "priority": 0,
            },
        })
        .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_what_the_protocol_says() {
        let task = Task {
            name: "tasks.work".to_owned(),
            id: "i1".to_owned(),
            arguments: vec![json!("i1"), json!(5)],
        };
        let body: Value = serde_json::from_str(&task.body()).unwrap();
        assert_eq!(body[0], json!(["i1", 5]));
        assert_eq!(body[1], json!({}));
        let envelope: Value = serde_json::from_str(&task.envelope("celery")).unwrap();
        assert_eq!(envelope["headers"]["task"], "tasks.work");
        assert_eq!(envelope["properties"]["delivery_info"]["routing_key"], "celery");
        assert_eq!(envelope["body"], task.body());
        assert_eq!(task.table().inner().len(), 9);
    }
}
