"""The task `dict`: open addressing as CPython does it, or with one flaw that the first argument names."""

import sys

from mlp import Refused, serve

FLAW = sys.argv[1] if len(sys.argv) > 1 else None
EMPTY, DELETED = object(), object()


class Table:
    def __init__(self):
        self.slots = [EMPTY] * 8
        self.used = self.dummies = self.probes = 0

    def places(self, hash_):
        """Every place, in the order in which a hash tries them."""
        size = len(self.slots)
        if FLAW == "negative-modulo":
            # As % of C: the sign of the hash stays, and -3 is no place.
            place = hash_ % size if hash_ >= 0 else -(-hash_ % size)
            if place < 0:
                raise IndexError(f"place {place}")
        else:
            place = hash_ % size
        perturb = hash_ % 2**64
        while True:
            yield place
            perturb >>= 5
            place = (place * 5 + perturb + 1) % size

    def find(self, hash_, key):
        """The place of a key, or the first one where it could be put."""
        free = None
        for place in self.places(hash_):
            self.probes += 1
            slot = self.slots[place]
            if slot is EMPTY:
                return False, place if free is None else free
            if slot is DELETED:
                free = place if free is None else free
            elif slot[0] == hash_ and (slot[1] == key or FLAW == "compares-hash-only"):
                return True, place

    def put(self, hash_, key, value):
        there, place = self.find(int(hash_), key)
        if there:
            before = self.slots[place][2]
            self.slots[place] = (int(hash_), key, value)
            return before
        if self.slots[place] is DELETED:
            self.dummies -= 1
        self.slots[place] = (int(hash_), key, value)
        self.used += 1
        filled = self.used if FLAW == "litter-stays" else self.used + self.dummies
        if filled * 3 >= len(self.slots) * 2 and FLAW != "never-resizes":
            self.rebuild()
        return None

    def rebuild(self):
        entries = [slot for slot in self.slots if slot not in (EMPTY, DELETED)]
        size = 8
        while size <= self.used * 3:
            size *= 2
        self.slots = [EMPTY] * size
        self.used = self.dummies = 0
        for entry in entries:
            _, place = self.find(entry[0], entry[1])
            self.slots[place] = entry
            self.used += 1

    def get(self, hash_, key):
        there, place = self.find(int(hash_), key)
        if not there:
            raise Refused("KEY")
        return self.slots[place][2]

    def delete(self, hash_, key):
        there, place = self.find(int(hash_), key)
        if not there:
            raise Refused("KEY")
        value = self.slots[place][2]
        self.used -= 1
        if FLAW == "deletes-to-empty":
            self.slots[place] = EMPTY
        else:
            self.slots[place] = DELETED
            self.dummies += 1
        return value

    def pairs(self):
        return [[slot[1], slot[2]] for slot in self.slots if slot not in (EMPTY, DELETED)]

    def clear(self):
        self.slots = [EMPTY] * 8
        self.used = self.dummies = 0

    def stats(self):
        return {
            "kind": "open",
            "capacity": len(self.slots),
            "used": self.used,
            "dummies": self.dummies,
            "probes": self.probes,
        }


class Pairs:
    """The flaw `linear-list`: no table at all."""

    def __init__(self):
        self.entries = []
        self.probes = 0

    def find(self, key):
        for entry in self.entries:
            self.probes += 1
            if entry[0] == key:
                return entry
        return None

    def put(self, _, key, value):
        entry = self.find(key)
        if entry is None:
            self.entries.append([key, value])
            return None
        before, entry[1] = entry[1], value
        return before

    def get(self, _, key):
        entry = self.find(key)
        if entry is None:
            raise Refused("KEY")
        return entry[1]

    def delete(self, _, key):
        entry = self.find(key)
        if entry is None:
            raise Refused("KEY")
        self.entries.remove(entry)
        return entry[1]

    def pairs(self):
        return self.entries

    def clear(self):
        self.entries = []


def main():
    table = Pairs() if FLAW == "linear-list" else Table()
    operations = {
        "PUT": table.put,
        "GET": table.get,
        "DEL": table.delete,
        "LEN": lambda: len(table.pairs()),
        "ITER": table.pairs,
        "CLEAR": table.clear,
    }
    has = []
    if FLAW != "linear-list":
        operations["STATS"] = table.stats
        has = ["STATS"]
    serve("dict in Python", operations, has)


if __name__ == "__main__":
    main()
