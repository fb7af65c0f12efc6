"""Guessing passwords is slow: after some wrong ones in a row an account rests for a moment."""

from . import database

FREE = 10
REST_SECONDS = 5


def seconds_to_wait(name):
    found = database.row(
        "SELECT count, %s - TIMESTAMPDIFF(SECOND, last, NOW()) AS wait FROM guesses WHERE name = %s",
        REST_SECONDS,
        key(name),
    )
    return found["wait"] if found and found["count"] >= FREE and found["wait"] > 0 else 0


def count(name):
    # After a rest a few more tries are free, not all of them.
    database.execute(
        "INSERT INTO guesses (name, count) VALUES (%s, 1) "
        "ON DUPLICATE KEY UPDATE count = IF(count >= %s, %s, count + 1), last = NOW()",
        key(name),
        FREE,
        FREE - 2,
    )
    database.commit()


def forget(name):
    database.execute("DELETE FROM guesses WHERE name = %s", key(name))
    database.commit()


def key(name):
    return name[:80]
