"""`python -m bench.server`: the server as a parent process starts it. `bench serve` is the command for people.

In: `ServeOptions` as one line of JSON on standard input, which then stays open. Exit: 0, or a `BenchError`'s code.
"""

from __future__ import annotations

import sys

from pydantic import ValidationError

from bench.errors import BenchError
from bench.server.options import ServeOptions


def main() -> int:
    try:
        try:
            options = ServeOptions.model_validate_json(sys.stdin.buffer.readline())
        except ValidationError as error:
            raise BenchError(
                f"no options of a server on standard input: {error}",
                hint="`bench serve` starts a server by hand; bench.server.options.start_server from a program",
            ) from None
        from bench.server.run import serve  # loads the engines: not needed to refuse wrong options

        serve(options, until_stdin_ends=True)
    except BenchError as error:
        print(f"error: {error.message}" + (f"\nhint: {error.hint}" if error.hint else ""), file=sys.stderr)
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main())
