"""Asks for an invoice, and ends with 0 once the broker has it. `python -m invoices.publish ADDRESS ORDER`"""

import json
import sys

import pika

from .worker import QUEUE, declare


def main(address, order):
    with pika.BlockingConnection(pika.URLParameters(address)) as connection:
        channel = connection.channel()
        declare(channel)
        # From here on publishing waits for the broker's word: what it refuses, or no queue takes, raises.
        channel.confirm_delivery()
        message = json.dumps({"order": order, "work_ms": 0})
        persistent = pika.BasicProperties(delivery_mode=2)
        channel.basic_publish("", QUEUE, message, persistent, mandatory=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
