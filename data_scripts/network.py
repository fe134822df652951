"""A server that holds files, asked without a name or a key, and asked again when the line fails."""

import random
import threading
from dataclasses import dataclass

from data_scripts.records import StudyError

PASSING = {408, 425, 429, 500, 502, 503, 504}  # HTTP answers that may be another one in a moment


class NetworkError(StudyError):
    """What a server did not give. One or two sentences, for the person who asked."""


class Stopped(Exception):
    """Somebody else has failed for good, or pressed Ctrl-C: go no further."""


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for.

    Attributes
    ----------
    attempts : int
        In a row, without a single new byte.
    first, longest : float
        Seconds before the second attempt, twice as many before each that follows, and never more than `longest`.
    timeout : float
        Seconds without an answer, or between two pieces of one.
    """

    attempts: int = 7
    first: float = 1.0
    longest: float = 60.0
    timeout: float = 30.0

    def wait(self, failures, stop=None):
        """Wait before the next attempt; a random part keeps many from asking at the same moment.

        Parameters
        ----------
        failures : int
            How many attempts have failed, at least 1.
        stop : threading.Event, optional
            Ends the wait.
        """
        seconds = min(self.longest, self.first * 2 ** (failures - 1)) * random.uniform(0.5, 1.0)
        (stop or threading.Event()).wait(seconds)


def connect(endpoint, patience, n_connections):
    """Open a client for a public S3 server.

    Parameters
    ----------
    endpoint : str or None
        URL of a mirror; None for Amazon's own servers.
    patience : Patience
    n_connections : int
        At once.

    Returns
    -------
    botocore.client.S3
        Asks without credentials, whatever is set up on this machine, and never by itself a second time.

    Raises
    ------
    NetworkError
        If the endpoint is not a URL.
    """
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config

    config = Config(
        signature_version=UNSIGNED,
        region_name="us-east-1",
        connect_timeout=patience.timeout,
        read_timeout=patience.timeout,
        retries={"total_max_attempts": 1},
        max_pool_connections=n_connections,
        s3={"addressing_style": "path" if endpoint else "auto"},
    )
    try:
        return boto3.session.Session().client("s3", endpoint_url=endpoint, config=config)
    except ValueError as error:
        raise NetworkError(f"{endpoint!r} is not the address of a server ({error}): expected https://...") from None


def status_of(error):
    """Look up the HTTP status of a failed request.

    Parameters
    ----------
    error : Exception

    Returns
    -------
    int or None
        None if the server gave no answer.
    """
    response = getattr(error, "response", None) or {}
    return response.get("ResponseMetadata", {}).get("HTTPStatusCode")


def failures_of_network():
    """List what is raised when a request fails.

    Returns
    -------
    tuple of type
        Exceptions.
    """
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError  # such as the page of a hotel's log-in in place of a listing

    return BotoCoreError, ClientError, ResponseParserError


def may_pass(error):
    """Tell whether the same request may succeed later.

    Parameters
    ----------
    error : Exception

    Returns
    -------
    bool
        True for a line that was cut, no answer in time, an answer cut short, and a server that is too busy.
    """
    return status_of(error) in PASSING | {None}


def explain(error):
    """Say in a few words what a server, or the way to it, did wrong.

    Parameters
    ----------
    error : Exception

    Returns
    -------
    str
    """
    status = status_of(error)
    known = {403: "the server refuses it", 404: "the server does not have it", 503: "the server is too busy"}
    if status is not None:
        return f"{known.get(status, 'the server failed')}, HTTP {status}"
    return f"no answer, or one that was cut short: {type(error).__name__}"


def ask(call, patience, what):
    """Ask a server, again if need be.

    Parameters
    ----------
    call : callable
        Makes the request.
    patience : Patience
    what : str
        What is asked for; begins the sentence.

    Returns
    -------
    object
        What `call` returns.

    Raises
    ------
    NetworkError
        If it is refused, or every attempt fails.
    """
    for failures in range(1, patience.attempts + 1):
        try:
            return call()
        except failures_of_network() as error:
            if not may_pass(error):
                raise NetworkError(f"{what}: {explain(error)}. {_advise(error)}") from error
            if failures == patience.attempts:
                raise NetworkError(f"{what}, tried {failures} times: {explain(error)}. {_advise(error)}") from error
        patience.wait(failures)
    raise NetworkError(f"{what}: no attempt was allowed.")


def _advise(error):
    if status_of(error) in (403, 404):
        return "The place may have moved: see the course's data page for other ways to the same files."
    return "Check the connection, or name another server with --endpoint; the same command continues."
