# The part of the harness for the server of `wsgi`: a client that sends bytes and gives back the bytes that come.
import socket
import time


@operation
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@operation
def exchange(port, pieces, mark, marker):
    """Sends the pieces, a moment apart, and reads until the server closes. Once `mark` has come, the file `marker` is there."""
    try:
        link = socket.create_connection(("127.0.0.1", port), 1)
    except OSError:
        return None
    came, is_closed = b"", False
    with link:
        link.settimeout(4)
        try:
            for number, piece in enumerate(pieces):
                if number:
                    time.sleep(0.05)
                link.sendall(bytes.fromhex(piece))
            while True:
                more = link.recv(65536)
                if not more:
                    is_closed = True
                    break
                came += more
                if mark and mark.encode() in came and not os.path.exists(marker):
                    with open(marker, "w"):
                        pass
        except socket.timeout:
            pass
        except OSError:
            is_closed = True
    return {"bytes": came.hex(), "closed": is_closed}
