"""A good server of lines, as asyncio writes it: python3 lines.py PORT"""

import asyncio
import resource
import sys


async def serve(reader, writer):
    try:
        while line := await reader.readline():
            if not line.endswith(b"\n"):
                break
            writer.write(line)
            await writer.drain()
    except (ConnectionError, ValueError):
        # The client broke off, or sent a line that is longer than the reader takes.
        pass
    finally:
        writer.close()


async def main(port):
    server = await asyncio.start_server(serve, "127.0.0.1", port, backlog=1024)
    async with server:
        await server.serve_forever()


most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
asyncio.run(main(int(sys.argv[1])))
