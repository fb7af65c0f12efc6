"""A server of lines: each line comes back as it was. `python3 server.py PORT`"""

import asyncio
import resource
import sys

LONGEST_LINE = 64 * 1024


async def serve(reader, writer):
    try:
        # readline() waits for the whole line, however many pieces it comes in.
        while (line := await reader.readline()).endswith(b"\n"):
            writer.write(line)
            await writer.drain()  # a client that does not read is waited for, and nobody else
    except (ConnectionError, ValueError):
        pass  # the client broke off, or its line is too long
    finally:
        writer.close()


async def main(port):
    server = await asyncio.start_server(serve, "127.0.0.1", port, limit=LONGEST_LINE, backlog=1024)
    async with server:
        await server.serve_forever()


# Every client is an open file; the soft limit is often 1024.
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
asyncio.run(main(int(sys.argv[1])))
