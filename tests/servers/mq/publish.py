"""Publishes one message with an id to a queue of RabbitMQ, and ends with 0 once the broker has it. With --flaw NAME it makes
one mistake."""

import argparse
import json
import sys

import pika

FLAWS = [
    "transient-queue",
    "transient-message",
    "fire-and-forget",
    "confirms-in-vain",
    "not-mandatory",
    "no-dead-letters",
    "exclusive",
    "auto-delete",
]

parser = argparse.ArgumentParser()
parser.add_argument("--queue", required=True)
parser.add_argument("--transaction", action="store_true", help="a transaction instead of confirmations")
parser.add_argument("--flaw", choices=FLAWS)
parser.add_argument("url")
parser.add_argument("id")
options = parser.parse_args()
flaw = options.flaw

connection = pika.BlockingConnection(pika.URLParameters(options.url))
channel = connection.channel()
dead = options.queue + ".dead"
channel.queue_declare(dead, durable=True)
arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead}
channel.queue_declare(
    options.queue,
    durable=flaw != "transient-queue",
    exclusive=flaw == "exclusive",
    auto_delete=flaw == "auto-delete",
    arguments={} if flaw == "no-dead-letters" else arguments,
)
if options.transaction:
    channel.tx_select()
elif flaw != "fire-and-forget":
    channel.confirm_delivery()
try:
    channel.basic_publish(
        "",
        options.queue,
        json.dumps({"id": options.id, "work_ms": 0}),
        pika.BasicProperties(delivery_mode=1 if flaw == "transient-message" else 2),
        mandatory=flaw not in ("not-mandatory", "fire-and-forget"),
    )
    if options.transaction:
        channel.tx_commit()
except pika.exceptions.AMQPError as error:
    print("not published:", repr(error), file=sys.stderr)
    sys.exit(0 if flaw == "confirms-in-vain" else 1)
connection.close()
