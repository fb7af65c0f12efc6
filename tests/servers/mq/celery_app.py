"""An application of Celery whose task writes its id into effects.txt, once. The variable FLAW names one mistake."""

import os
import sqlite3
import time

from celery import Celery

flaw = os.environ.get("FLAW", "")
broker = os.environ["BROKER"]

app = Celery("celery_app", broker=broker)
app.conf.update(
    task_default_queue=os.environ["QUEUE"],
    broker_connection_retry_on_startup=True,
    result_backend=os.environ.get("RESULTS"),
    task_acks_late=flaw != "early-ack",
    task_reject_on_worker_lost=flaw not in ("early-ack", "no-reject"),
    task_always_eager=flaw == "eager",
    worker_prefetch_multiplier=1,
    worker_send_task_events=False,
)
if broker.startswith("redis"):
    app.conf.broker_transport_options = {"visibility_timeout": 3600 if flaw == "an-hour" else 4}
if flaw == "results-in-memory":
    app.conf.result_backend = "cache+memory://"


def is_first(task_id):
    """Whether nobody has done this before: the id and the effect are one transaction."""
    if flaw == "not-idempotent":
        return True
    database = sqlite3.connect("done.sqlite", timeout=30)
    with database:
        database.execute("CREATE TABLE IF NOT EXISTS done (id TEXT PRIMARY KEY)")
        return database.execute("INSERT OR IGNORE INTO done VALUES (?)", (task_id,)).rowcount == 1


@app.task(name="tasks.work")
def work(task_id, work_ms):
    time.sleep(work_ms / 1000)
    if is_first(task_id):
        with open("effects.txt", "a") as effects:
            effects.write(task_id + "\n")
    return task_id
