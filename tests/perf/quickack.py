"""What acknowledging at once costs: CPU time per message read, with and without it, in pairs.

    python -m tests.perf.quickack [--messages N] [--pairs N]

A process on loopback sends messages of the size of a small event, each after the last was read. Out: microseconds of
CPU per message of the reading process. The ratio is the result; microseconds depend on the machine.
"""

from __future__ import annotations

import argparse
import multiprocessing
import socket
import statistics
import time

from gevent import socket as green

from bench.transport.wire import QUICKACK, SocketWire

SIZE = 300


def _send(port: int, messages: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(messages):
            sock.sendall(b"x" * SIZE)
            sock.recv(1)


def measured_us(messages: int, *, quickack: bool) -> float:
    """CPU microseconds per message of this process."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sender = multiprocessing.get_context("spawn").Process(target=_send, args=(listener.getsockname()[1], messages))
        sender.start()
        accepted, _ = listener.accept()
    wire = SocketWire(green.socket(fileno=accepted.detach()), send_timeout_s=5, stamped=True, quickack=quickack)
    began_s = time.process_time()
    for _ in range(messages):
        got = 0
        while got < SIZE:
            got += len(wire.read(SIZE - got) or b"")
        wire.send(b"y")
    spent_s = time.process_time() - began_s
    wire.close()
    sender.join(10)
    return spent_s / messages * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--pairs", type=int, default=7)
    options = parser.parse_args()
    if QUICKACK is None:
        raise SystemExit("this platform cannot acknowledge at once")
    ratios = []
    for pair in range(options.pairs):
        order = (True, False) if pair % 2 else (False, True)
        took = {quickack: measured_us(options.messages, quickack=quickack) for quickack in order}
        ratios.append(took[True] / took[False])
        print(f"off {took[False]:6.2f} us   on {took[True]:6.2f} us   ratio {ratios[-1]:.3f}", flush=True)
    print(f"median ratio {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main()
