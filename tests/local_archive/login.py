"""The login: a user and a password give a token."""

import secrets

from .exchange import Answer, Request, error_answer, json_answer


class Login:
    """The only user; `tokens` collects the tokens given out."""

    def __init__(self, user: str, password: str, tokens: set[str]):
        self._pair, self._tokens = (user, password), tokens

    def answer(self, request: Request) -> Answer:
        """A token in the header X-Subject-Token."""
        try:
            user = request.json()["auth"]["identity"]["password"]["user"]
            pair = (user["name"], user["password"])
        except (KeyError, TypeError):
            return error_answer("BadRequest", "no user and password")
        if pair != self._pair:
            # As careless as a service may be: a client that logs this logs the password.
            return error_answer("Unauthorized", f"Login failed: {request.body.decode('utf-8', 'replace')}")
        token = secrets.token_hex(16)
        self._tokens.add(token)
        answer = json_answer({"token": {"methods": ["password"], "user": {"name": user["name"]}}})
        return answer._replace(headers={"X-Subject-Token": token})
