"""The other side in the tests of a side process: `python -m tests.run.echo_process SOCKET`.

It is ready at once, says every line again, and dies in the middle when it is told to `die`.
"""

from __future__ import annotations

import json
import os
import socket
import sys


def main() -> None:
    line = socket.socket(fileno=int(sys.argv[1]))
    line.setblocking(True)
    words = line.makefile("rb")
    if "refuse" in json.loads(words.readline()):
        os._exit(3)
    line.sendall(b'{"ready": true}\n')
    for each in words:
        if "die" in json.loads(each):
            os._exit(3)
        line.sendall(each)


if __name__ == "__main__":
    main()
