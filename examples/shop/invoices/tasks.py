"""The same with Celery, and what a currency is worth. `celery -A invoices.tasks worker`"""

import json
import os
import urllib.request

from celery import Celery

from . import ledger

app = Celery("invoices", broker=f"amqp://guest:guest@127.0.0.1:{os.environ.get('SHOP_MQ_PORT', '5672')}//")
app.conf.update(
    task_default_queue="tasks",
    # Celery acknowledges a task before it runs, and calls it done when its process is killed, unless told otherwise.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
)


@app.task(autoretry_for=(OSError,), retry_backoff=True, max_retries=None)
def write_invoice(order, work_ms):
    ledger.write(order, work_ms)


# Who answers 503 is asked again after 1, 2 and 4 s at most, and then no more. What that raises is an OSError.
@app.task(autoretry_for=(OSError,), retry_backoff=True, max_retries=3)
def exchange_rate(address):
    with urllib.request.urlopen(address, timeout=3) as answer:
        return json.load(answer)["value"]
