"""Tells Schemathesis what a schema cannot say. https://schemathesis.readthedocs.io/en/stable/guides/extending/"""

import os
import zoneinfo

import requests
import schemathesis
from hypothesis import strategies as st

URL = os.environ["API_URL"]
ACCOUNT = {"email": os.environ["API_EMAIL"], "password": os.environ["API_PASSWORD"]}

used_keys = set()


@schemathesis.auth()
class AccessToken:
    """Asked for again after a 401: some operations end the session."""

    def get(self, case, context):
        response = requests.post(f"{URL}/auth/login", json=ACCOUNT, timeout=10)
        response.raise_for_status()
        return response.json()["accessToken"]

    def set(self, case, data, context):
        case.headers["Authorization"] = f"Bearer {data}"


schemathesis.openapi.format("timezone", st.sampled_from(sorted(zoneinfo.available_timezones() - {"Factory", "localtime"})))
# Not common ones.
schemathesis.openapi.format("password", st.integers(10**20, 10**30).map(lambda number: f"pass {number}"))
schemathesis.serializer.alias("application/x-ndjson", "text/plain")


@schemathesis.hook
def before_call(ctx, case, kwargs):
    """Makes valid requests hold the rules between two fields, or between a field and what is stored."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    query, headers, body = case.query or {}, case.headers or {}, case.body
    case.query = query
    # A cursor belongs to the list that it came from.
    query.pop("cursor", None)
    if int(query.get("page", 1)) * int(query.get("limit", 20)) > 10_000:
        query["page"] = 1
    if case.path.startswith("/entries/stats"):
        query.update({"from": "2026-01-01", "to": "2026-12-31"})
    # A key belongs to one request.
    if headers.get("Idempotency-Key") in used_keys:
        del headers["Idempotency-Key"]
    elif "Idempotency-Key" in headers:
        used_keys.add(headers["Idempotency-Key"])
    if case.path == "/users/me/password" and body["newPassword"] == body["currentPassword"]:
        body["newPassword"] += " 2"
