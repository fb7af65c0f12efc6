"""An array: a fixed number of slots, each reached in one step."""

from mlp import Refused, serve


class Array:
    def __init__(self):
        self.slots = []

    def new(self, count):
        self.slots = [0] * count

    def get(self, index):
        return self.slots[self.checked(index)]

    def set(self, index, value):
        self.slots[self.checked(index)] = value

    def checked(self, index):
        # Python's own lists take negative indices; an array has none.
        if not 0 <= index < len(self.slots):
            raise Refused("INDEX")
        return index

    def rotate(self, places):
        """To the left, in place: two parts reversed and then the whole are the parts in the other order."""
        if not self.slots:
            return
        places %= len(self.slots)
        self.reverse(0, places)
        self.reverse(places, len(self.slots))
        self.reverse(0, len(self.slots))

    def reverse(self, start, end):
        while start < end - 1:
            end -= 1
            self.slots[start], self.slots[end] = self.slots[end], self.slots[start]
            start += 1

    def lower(self, wanted):
        """The first place whose value is not below `wanted`: before `low` all are, from `high` on none is."""
        low, high = 0, len(self.slots)
        while low < high:
            middle = (low + high) // 2
            if self.slots[middle] < wanted:
                low = middle + 1
            else:
                high = middle
        return low


array = Array()
serve(
    "array",
    {
        "NEW": array.new,
        "GET": array.get,
        "SET": array.set,
        "ROTATE": array.rotate,
        "SORT": lambda: array.slots.sort(),
        "LOWER": array.lower,
        "LEN": lambda: len(array.slots),
        "ALL": lambda: array.slots,
    },
)
