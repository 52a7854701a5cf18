"""What decides who a request is from."""

from __future__ import annotations

from abc import ABC, abstractmethod

from cachemw.http.messages import HttpRequest

# Where clients of OpenAI, Azure, Anthropic, Google and Azure's API gateway put the credential.
CREDENTIAL_HEADERS = (
    b"authorization",
    b"api-key",
    b"x-api-key",
    b"x-goog-api-key",
    b"ocp-apim-subscription-key",
)


class Identity(ABC):
    """Lets a request in: every request to /v1, before anything else is done with it."""

    @abstractmethod
    def admit(self, request: HttpRequest) -> None:
        """Set `request.caller`, and take out of its headers what is not to go upstream.

        Raises NotAuthenticated, RateLimited.
        """
