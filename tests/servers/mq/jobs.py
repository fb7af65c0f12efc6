"""A service that takes jobs and lets a worker do them, over a queue in Redis: run by gunicorn as `jobs:application`, and by
python as the worker. The variable FLAW names one mistake."""

import json
import os
import threading
import time

import redis
from flask import Flask, jsonify, request

flaw = os.environ.get("FLAW", "")
store = redis.Redis(port=int(os.environ["REDIS_PORT"]), decode_responses=True, socket_timeout=5)
application = Flask(__name__)

# For the one that keeps its queue in the process.
waiting = []


def work(job):
    time.sleep(job["work_ms"] / 1000)
    # The effect and that it is done are one transaction; who did it before does nothing.
    if store.hset("done", job["id"], "yes") or flaw == "not-idempotent":
        store.rpush("effects", job["id"])


@application.post("/jobs")
def take():
    job = request.get_json()
    if flaw == "in-request":
        work(job)
        return jsonify(id=job["id"]), 202
    if flaw == "thread":
        threading.Thread(target=work, args=(job,)).start()
        return jsonify(id=job["id"]), 202
    if flaw == "module-list":
        waiting.append(job)
        return jsonify(id=job["id"]), 202
    if flaw == "answers-200":
        store.lpush("jobs", json.dumps(job))
        return jsonify(id=job["id"])
    try:
        store.lpush("jobs", json.dumps(job))
    except redis.RedisError:
        if flaw == "false-202":
            return jsonify(id=job["id"]), 202
        return jsonify(error="the queue is down, try again later"), 503
    return jsonify(id=job["id"]), 202


@application.get("/jobs/<job_id>")
def status(job_id):
    if flaw == "always-done" or store.hexists("done", job_id):
        return jsonify(id=job_id, status="done")
    return jsonify(id=job_id, status="queued")


@application.get("/effects")
def effects():
    return jsonify(store.lrange("effects", 0, -1))


@application.post("/next")
def next_job():
    return jsonify(waiting.pop(0) if waiting else None)


def next_of_list():
    """The next job of the one that keeps its queue in the process, over HTTP."""
    import urllib.request

    address = f"http://127.0.0.1:{os.environ['WEB_PORT']}/next"
    with urllib.request.urlopen(urllib.request.Request(address, method="POST"), timeout=5) as answer:
        return json.load(answer)


def main():
    own = "taken"
    while True:
        try:
            # What the last one had in its hands when it died.
            while store.lmove(own, "jobs", "LEFT", "RIGHT"):
                pass
            while True:
                if flaw == "module-list":
                    job = next_of_list()
                    if job is None:
                        time.sleep(0.05)
                    else:
                        work(job)
                    continue
                if flaw == "loses":
                    taken = store.brpop("jobs", 1)
                    if taken:
                        work(json.loads(taken[1]))
                    continue
                taken = store.blmove("jobs", own, 1, "RIGHT", "LEFT")
                if taken:
                    work(json.loads(taken))
                    store.lrem(own, 1, taken)
        except (redis.RedisError, OSError):
            time.sleep(0.2)


if __name__ == "__main__":
    main()
