"""An application of Celery: one task writes its id into effects.txt, once, and one calls another service, and tries again
where that fails. The variable FLAW names one mistake."""

import json
import os
import sqlite3
import time
import urllib.request

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


# How the call is tried again. What it raises is urllib.error.HTTPError, which is an OSError.
retrying = {"autoretry_for": (OSError,), "retry_backoff": True, "max_retries": 3}
if flaw == "no-max":
    retrying["max_retries"] = None
if flaw == "no-pause":
    retrying = {"autoretry_for": (OSError,), "default_retry_delay": 0, "max_retries": 3}
if flaw == "same-pause":
    retrying = {"autoretry_for": (OSError,), "default_retry_delay": 1, "max_retries": 3}
if flaw == "three-minutes":
    retrying = {"autoretry_for": (OSError,), "max_retries": 3}
if flaw in ("loop", "swallows", "gives-up"):
    retrying = {}
if flaw == "pickle":
    app.conf.accept_content = ["json", "pickle"]
    # Celery would not start as root with it, as tests may run.
    os.environ["C_FORCE_ROOT"] = "1"


def ask(url):
    with urllib.request.urlopen(url, timeout=None if flaw == "no-timeout" else 3) as answer:
        return json.load(answer)["value"]


@app.task(name="tasks.call", **retrying)
def call(url):
    while True:
        try:
            value = ask(url)
            return 7 if flaw == "other-result" else value
        except OSError:
            if flaw == "swallows":
                return None
            if flaw != "loop":
                raise
            time.sleep(0.5)


@app.task(name="tasks.call_by_hand", bind=True, max_retries=4)
def call_by_hand(self, url):
    try:
        return ask(url)
    except OSError as error:
        raise self.retry(exc=error, countdown=0.5 * 2**self.request.retries)
