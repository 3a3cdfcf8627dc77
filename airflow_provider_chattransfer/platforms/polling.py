# SPDX-License-Identifier: Apache-2.0
"""Carry out on a service what the domain decides about a wait for acceptance."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime

from ..chats.acceptance import MAX_FAILED_POLLS, AcceptancePoller, Verdict
from ..chats.model import TransferReport
from ..exceptions import PlatformError
from ..retry_decision import NextStep, decide
from .base import ChatPlatform
from .runner import utc_now

log = logging.getLogger(__name__)


def poll_once(
    poller: AcceptancePoller,
    platform: ChatPlatform,
    *,
    silent_fail: bool = False,
    now: Callable[[], datetime] = utc_now,
) -> Verdict:
    """Read once the chats that are waited for, and let ``poller`` judge them.

    A poll that fails is logged and changes nothing. Raises a ``PlatformError`` when no later poll can succeed, or when
    too many in a row have failed, unless ``silent_fail``.
    """
    if not poller.chat_ids:
        return poller.verdict(now=now())
    try:
        chats = platform.read_chats(poller.chat_ids)
    except PlatformError as error:
        hopeless = decide(error, repeatable=True).next_step in (NextStep.STOP, NextStep.SKIP_CHAT)
        tolerable = not hopeless and poller.poll_failed()
        if not (tolerable or silent_fail):
            raise
        count = f"{poller.failed_polls} of {MAX_FAILED_POLLS} times in a row"
        log.warning("Could not look whether the chats are accepted, %s: %s", count, error)
        return poller.verdict(now=now())
    at = now()
    verdict = poller.observe(chats, now=at)
    if log_line := poller.log_line(now=at):
        log.info("%s", log_line)
    return verdict


def poll_until_done(
    poller: AcceptancePoller,
    platform: ChatPlatform,
    *,
    interval: float,
    now: Callable[[], datetime] = utc_now,
    sleep: Callable[[float], None] = time.sleep,
) -> TransferReport:
    """Poll every ``interval`` seconds until all transfers are settled or the poller's deadline has come."""
    while not (verdict := poll_once(poller, platform, now=now)).done:
        sleep(poller.seconds_to_next_poll(now=now(), interval=interval))
    return verdict.report
