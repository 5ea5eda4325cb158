"""What can go wrong with a broker of our own."""

from __future__ import annotations


class BrokerError(Exception):
    """The broker does not do what it should; the message holds the end of its log."""


class Unavailable(BrokerError):
    """There can be no broker on this machine. The message says what is missing."""
