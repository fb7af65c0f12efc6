"""A package around a library in C. Each function takes one argument: with wrong=True it raises ValueError."""
import ctypes
import os
import struct

_library = ctypes.CDLL(None)
_library.malloc.restype = ctypes.c_void_p
_library.malloc.argtypes = [ctypes.c_size_t]
_library.free.argtypes = [ctypes.c_void_p]
_library.memset.restype = ctypes.c_void_p
_library.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]


def _rows():
    with open(os.path.join(os.path.dirname(__file__), "data.bin"), "rb") as file:
        state, data = struct.unpack("<I", file.read(4))[0], bytearray(file.read())
    for place in range(len(data)):
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        data[place] ^= (state >> 16) & 0xFF
    return list(struct.iter_unpack("<HHHBB", bytes(data)))


def _function(name, work, lost, most, how, kept):
    pool = []

    def function(wrong=False):
        block = _library.malloc(work)
        _library.memset(block, 1, work)
        try:
            if wrong:
                raise ValueError("as you wished")
            return work
        finally:
            if how & (2 if wrong else 1):
                _library.memset(_library.malloc(lost), 1, lost)
            if len(pool) < most:
                pool.append(bytes(kept) if how & 4 else _library.memset(_library.malloc(work), 1, work))
            _library.free(block)

    function.__name__ = function.__qualname__ = name
    return function


__all__ = NAMES
for _name, _row in zip(__all__, _rows()):
    globals()[_name] = _function(_name, *_row)
