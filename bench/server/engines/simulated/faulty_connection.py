"""A connection with the faults of its session and the limits of the profile: what goes wrong before a call begins.

What goes wrong in a call is in `engine` and `reply_plan`; the plain `ServerConnection` knows no faults.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus

from bench.server.access import unauthorized
from bench.server.engines.simulated.engine import SimulatedEngine
from bench.server.engines.simulated.faults import NO_FAULTS, secret_faults, session_faults
from bench.server.engines.simulated.profile import Limits
from bench.server.http_requests import HttpRequest, error_body
from bench.server.protocol.client_errors import ProtocolError
from bench.server.server_connection import LateRefusal, ServerConnection, Service

SLOW_HANDSHAKE_MS = 3_000
SESSION_LIMIT = "The number of concurrent sessions of this server has been reached."
_BODIES = {
    401: unauthorized(),
    403: error_body("Access to this model is not allowed.", code="unsupported_country_region_territory"),
    429: error_body(
        "Rate limit reached: too many sessions. Please try again later.", "requests", "rate_limit_exceeded"
    ),
    503: error_body("The server is overloaded or not ready yet.", "server_error"),
}


def connect_with(engine: SimulatedEngine) -> Callable[[Service], ServerConnection] | None:
    """The factory of connections for this engine; None when its profile asks for a port that is not listened on."""
    if any(fault.kind == "refuse" and fault.form == "not_listening" for fault in engine.profile.faults):
        return None
    return lambda service: FaultyConnection(service, engine)


class FaultyConnection(ServerConnection):
    """One socket of the simulated server."""

    def __init__(self, service: Service, engine: SimulatedEngine) -> None:
        super().__init__(service)
        self._engine = engine
        self._faults = NO_FAULTS

    def admit(self, request: HttpRequest) -> None:
        profile = self._engine.profile
        self._faults = session_faults(profile.faults, profile.seed, self.number)
        if "refuse" in self._faults:
            self.reset()
        elif (fault := self._faults.get("slow_handshake")) is not None:
            self.service.deadlines.after(fault.delay_ms(SLOW_HANDSHAKE_MS) / 1000, lambda: self._admit(request))
        else:
            self._admit(request)

    def _admit(self, request: HttpRequest) -> None:
        status: int | None = None
        wait_s = self._limits.retry_after / 1000
        if (fault := self._faults.get("http")) is not None:
            status = int(fault.chosen_status)
        elif self._is_full and self._limits.refuse_with != "error" and self.grant_of(request):
            status = int(self._limits.refuse_with)
        elif self._limits.at_handshake and self.grant_of(request):
            wait_s = self._engine.allowance.wait_s()
            status = 429 if wait_s > 0 else None
        if status is None:
            super().admit(request)
        else:
            self._refuse(status, wait_s)

    def _refuse(self, status: int, wait_s: float) -> None:
        extra = dict(self.limit_headers())
        if status == 429 and self._limits.headers:
            extra["retry-after"] = str(math.ceil(wait_s))
        facts = {"at_ns": time.monotonic_ns(), "number": self.number, "status": status, "headers": extra}
        self.service.truth.add("refusal", "", **facts)
        self.answer(HTTPStatus(status), _BODIES[status], extra=extra)

    def give_secret(self, request: HttpRequest, *, asked_ns: int, number: int, dead: bool = False) -> None:
        profile = self._engine.profile
        faults = secret_faults(profile.faults, profile.seed, number)
        rng = random.Random(f"{profile.seed}/client_secret/{number}")
        delay_ms = profile.client_secrets.delay.draw_ms(rng, self._engine.open_sessions)
        refusal = faults.get("secret_http")
        if refusal is not None:
            delay_ms += refusal.delay_ms(0)

        def give() -> None:
            if refusal is None:
                super(FaultyConnection, self).give_secret(
                    request, asked_ns=asked_ns, number=number, dead="dead_secret" in faults
                )
                return
            status = int(refusal.chosen_status)
            facts = {"number": number, "asked_ns": asked_ns, "status": status, "secret": None}
            at_ns = self.answer(HTTPStatus(status), _BODIES[status])
            self.service.truth.add("client_secret", "", at_ns=at_ns, **facts)

        if delay_ms > 0:
            self.service.deadlines.at(asked_ns + round(delay_ms * 1e6), give)
        else:
            give()

    def limit_headers(self) -> Mapping[str, str]:
        return self._engine.allowance.headers() if self._limits.headers else {}

    def late_refusal(self, request: HttpRequest) -> LateRefusal | None:
        refusal = super().late_refusal(request)
        if refusal is not None:
            return refusal
        if (fault := self._faults.get("error_then_close")) is not None:
            code = fault.error_code or "session_limit_reached"
            kind = "server_error" if fault.error_code else "rate_limit_error"
            return ProtocolError(SESSION_LIMIT, code=code, kind=kind), fault.close_code, "simulated fault"
        if self._is_full:
            problem = ProtocolError(SESSION_LIMIT, code="session_limit_reached", kind="rate_limit_error")
            return problem, 1008, "session_limit_reached"
        return None

    @property
    def _limits(self) -> Limits:
        return self._engine.profile.limits

    @property
    def _is_full(self) -> bool:
        most = self._limits.max_sessions
        return most is not None and self._engine.open_sessions >= most
