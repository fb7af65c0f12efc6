"""Writes the invoices that the queue asks for, with pika. `python -m invoices.worker`"""

import json
import logging
import os
import time

import pika

from . import ledger

QUEUE, DEAD = "invoices", "invoices.dead"


def work(channel, method, properties, body):
    try:
        asked = json.loads(body)
        order, work_ms = asked["order"], asked["work_ms"]
    except (ValueError, TypeError, KeyError):
        # It will never be right: it goes to the dead letters, where somebody can look at it.
        logging.exception("no order: %r", body)
        channel.basic_reject(method.delivery_tag, requeue=False)
        return
    try:
        ledger.write(order, work_ms)
    except OSError:
        # It may be right later: back into the queue, and not at once.
        logging.exception("order %s", order)
        time.sleep(1)
        channel.basic_nack(method.delivery_tag, requeue=True)
        return
    # Last of all: who dies before this leaves the message to another.
    channel.basic_ack(method.delivery_tag)


def declare(channel):
    """Both queues, which outlive the broker; what is rejected in the first goes to the second."""
    channel.queue_declare(DEAD, durable=True)
    dead_letters = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": DEAD}
    channel.queue_declare(QUEUE, durable=True, arguments=dead_letters)


def main():
    port = int(os.environ.get("SHOP_MQ_PORT", "5672"))
    with pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port)) as connection:
        channel = connection.channel()
        declare(channel)
        channel.basic_qos(prefetch_count=10)  # the rest stays in the queue, for others
        channel.basic_consume(QUEUE, work)
        channel.start_consuming()


if __name__ == "__main__":
    main()
