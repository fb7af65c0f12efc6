"""Invoices, a line each. Writing the same one again changes nothing, so a message may come twice."""

import fcntl
import os
import time

LEDGER = "invoices.txt"


def write(order, work_ms):
    time.sleep(work_ms / 1000)  # stands for what the invoice takes: a template, a PDF, a mail
    with open(LEDGER, "a+") as ledger:
        fcntl.flock(ledger, fcntl.LOCK_EX)  # nobody writes between the look and the line; it ends with the file
        ledger.seek(0)
        if f"{order}\n" not in ledger:
            ledger.write(f"{order}\n")
            ledger.flush()
            os.fsync(ledger.fileno())
