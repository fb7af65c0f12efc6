"""What inversions.c has to answer, in plain Python."""


def count(items):
    """How many pairs stand in the wrong order: merge sort sees them when it takes one from the right."""
    return merge_sort(list(items))[1]


def merge_sort(items):
    if len(items) < 2:
        return items, 0
    middle = len(items) // 2
    left, first = merge_sort(items[:middle])
    right, second = merge_sort(items[middle:])
    merged, pairs, at = [], first + second, 0
    for item in right:
        while at < len(left) and left[at] <= item:
            merged.append(left[at])
            at += 1
        merged.append(item)
        pairs += len(left) - at
    return merged + left[at:], pairs
