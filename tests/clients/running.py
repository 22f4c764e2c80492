"""Node of the environment, and an application served on a socket, for tests of clients."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI


async def node(*words: str, folder: Path, **settings: str) -> str:
    """Run a script in a folder with the Node of the environment; return what it says."""
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("node")),
        *words,
        cwd=folder,
        env=os.environ | settings,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return said.decode()


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """Serve a running application on a socket of this machine; yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None))
        running = asyncio.create_task(server.serve(sockets=[listening]))
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        await running
