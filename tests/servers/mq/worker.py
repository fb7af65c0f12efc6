"""A worker over RabbitMQ: works on messages of a queue and writes the id of each into effects.txt. With --flaw NAME it
makes one mistake."""

import argparse
import json
import sys
import time

import pika

FLAWS = [
    "auto-ack",
    "ack-first",
    "never-acks",
    "never-acks-unlimited",
    "requeues-poison",
    "unlimited-prefetch",
    "acks-in-finally",
    "dies-of-poison",
    "drops-effect",
    "not-idempotent",
    "silent-about-poison",
    "stops-after-poison",
]

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--queue", required=True)
parser.add_argument("--flaw", choices=FLAWS)
parser.add_argument("--open", action="store_true", help="keep the file of effects open")
options = parser.parse_args()
flaw = options.flaw

EFFECTS = "effects.txt"
kept = open(EFFECTS, "a") if options.open else None


def is_done(message_id):
    try:
        with open(EFFECTS) as effects:
            return message_id in effects.read().split()
    except FileNotFoundError:
        return False


def work(body):
    task = json.loads(body)
    if task.get("customer") == "nobody":
        raise OSError("there is no such customer")
    time.sleep(task["work_ms"] / 1000)
    if is_done(task["id"]) and flaw != "not-idempotent":
        return
    if kept:
        kept.write(task["id"] + "\n")
        kept.flush()
        return
    with open(EFFECTS, "a") as effects:
        effects.write(task["id"] + "\n")


def on_message(channel, method, properties, body):
    if flaw == "drops-effect" and method.delivery_tag % 5 == 0:
        channel.basic_ack(method.delivery_tag)
        return
    if flaw == "ack-first":
        channel.basic_ack(method.delivery_tag)
    try:
        work(body)
    except ValueError:
        if flaw == "requeues-poison":
            channel.basic_nack(method.delivery_tag, requeue=True)
            return
        if flaw == "dies-of-poison":
            raise
        if flaw == "stops-after-poison":
            time.sleep(3600)
        if flaw != "silent-about-poison":
            print("not JSON, goes to the dead letters:", body, flush=True)
        if flaw == "acks-in-finally":
            channel.basic_ack(method.delivery_tag)
        elif flaw not in ("auto-ack", "ack-first"):
            channel.basic_reject(method.delivery_tag, requeue=False)
        return
    except OSError as error:
        print("failed:", error, file=sys.stderr, flush=True)
        if flaw == "acks-in-finally":
            channel.basic_ack(method.delivery_tag)
        elif flaw not in ("auto-ack", "ack-first"):
            time.sleep(0.2)
            channel.basic_nack(method.delivery_tag, requeue=True)
        return
    if flaw in ("auto-ack", "ack-first", "never-acks", "never-acks-unlimited"):
        return
    channel.basic_ack(method.delivery_tag)


connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", options.port))
channel = connection.channel()
dead = options.queue + ".dead"
channel.queue_declare(dead, durable=True)
arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead}
if flaw == "silent-about-poison":
    arguments = {}
channel.queue_declare(options.queue, durable=True, arguments=arguments)
if flaw not in ("unlimited-prefetch", "never-acks-unlimited"):
    channel.basic_qos(prefetch_count=10)
channel.basic_consume(options.queue, on_message, auto_ack=flaw == "auto-ack")
channel.start_consuming()
