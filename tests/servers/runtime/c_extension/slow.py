"""What fast.c does, in plain Python."""


def rising(items):
    """How long the longest rising run is, with gaps."""
    ends = []
    for item in items:
        low, high = 0, len(ends)
        while low < high:
            middle = (low + high) // 2
            if ends[middle] < item:
                low = middle + 1
            else:
                high = middle
        ends[low : low + 1] = [item]
    return len(ends)


def largest(items):
    best = None
    for item in items:
        if best is None or item > best:
            best = item
    if best is None:
        raise ValueError("none is the largest of none")
    return best


def spread(items):
    """The variance, in one pass (Welford)."""
    count, mean, total = 0, 0.0, 0.0
    for value in items:
        count += 1
        away = value - mean
        mean += away / count
        total += away * (value - mean)
    return total / count


def distance(left, right):
    """How many letters have to be put in, taken out or replaced (Levenshtein)."""
    if not isinstance(left, str) or not isinstance(right, str):
        raise TypeError("texts are compared")
    above = list(range(len(right) + 1))
    for row, letter in enumerate(left, 1):
        line = [row]
        for column, other in enumerate(right, 1):
            cost = above[column - 1] + (letter != other)
            line.append(min(cost, above[column] + 1, line[column - 1] + 1))
        above = line
    return above[-1]
