"""What valid requests need that no schema says.

A token of a session is one that the server has made. A region is one that the cluster has. An id
that was made up names nothing, so that most of them are put in place by one that an answer has named:
else nobody would ever be asked about what is there. And a stay is one that somebody could have:
ahead, and of one night. What is to be refused stays as it is.
"""

import datetime
import itertools
import uuid

import schemathesis

SESSION = "Meridian-Session"
KEY = "Idempotency-Key"
MATCH = "If-Match"
# The regions of the cluster.
REGIONS = itertools.cycle(["us-east", "eu-west", "ap-southeast"])
# Of so many valid requests, one keeps the id that was made up.
MADE_UP = 8
# Ids of a kind that are kept: the latest.
KEPT = 16
# Where answers name things, and where requests do.
NAMES = ["id", "hold_id", "booking_id", "block_id", "listing_id"]

# The token of the latest answer.
latest: list[str] = []
# Ids by their first letters.
known: dict[str, list[str]] = {}
# Days from today on, so that stays follow each other and do not clash.
days = itertools.cycle(range(2, 300))
turns = itertools.count()


def named(text):
    """An id of the same kind that an answer has named, in most cases."""
    ids = known.get(text[:4], []) if isinstance(text, str) else []
    if not ids or text in ids or next(turns) % MADE_UP == 0:
        return text
    return ids[next(turns) % len(ids)]


def stay(body, first, last):
    """Moves the ends of a stay to one night that is ahead."""
    begin = datetime.date.today() + datetime.timedelta(days=next(days))
    body[first] = begin.isoformat()
    body[last] = (begin + datetime.timedelta(days=1)).isoformat()


def likely(operation, body):
    """Makes a valid body one that may succeed after what was done before."""
    if operation == "createListing":
        if body.get("home_region"):
            body["home_region"] = next(REGIONS)
        for name in ["slot", "min_stay", "max_stay", "turnover", "survival"]:
            body.pop(name, None)
    elif operation == "book":
        if isinstance(body.get("hold_id"), str):
            body["hold_id"] = named(body["hold_id"])
            for name in ["listing_id", "check_in", "check_out", "guests", "quote"]:
                body.pop(name, None)
        elif isinstance(body.get("listing_id"), str):
            body["listing_id"] = named(body["listing_id"])
            body["guests"] = 1
            stay(body, "check_in", "check_out")
            body.pop("quote", None)
        body["payment_method"] = "card_ok"
    elif operation == "hold":
        body["guests"] = 1
        stay(body, "check_in", "check_out")
        body.pop("quote", None)
    elif operation == "block":
        stay(body, "from", "until")


def is_valid(case, location):
    """Whether what a request has there is to be taken: one that is to be refused is refused for what
    is wrong with it, and not for an id that somebody made up."""
    meta = getattr(case, "meta", None)
    if meta is None or meta.generation.mode.is_positive:
        return True
    parts = {str(getattr(at, "value", at)): part for at, part in meta.components.items()}
    return location not in parts or parts[location].mode.is_positive


def fresh(headers):
    """Puts a session's token in place, and a key that nobody has used.

    At the edges of its schema an empty `If-Match` is made, which its pattern and its length exclude:
    that one is no valid request.
    """
    if headers.get(MATCH) == "":
        headers[MATCH] = "*"
    if SESSION in headers:
        if latest:
            headers[SESSION] = latest[0]
        else:
            del headers[SESSION]
    if KEY in headers and next(turns) % MADE_UP:
        headers[KEY] = str(uuid.uuid4())


@schemathesis.hook
def before_call(context, case, kwargs):
    """Changes what is valid of a request, as the module says."""
    if case.headers and is_valid(case, "header"):
        fresh(case.headers)
    path = case.path_parameters or {}
    if is_valid(case, "path"):
        for name in ["block", "id"]:
            if name in path:
                path[name] = named(path[name])
        if "block" in path:
            # A block is of the listing that its id names.
            path["id"] = "lst_" + "_".join(path["block"].split("_")[1:3])
    # What is tried at the edges of schemas is tried as it is.
    meta = getattr(case, "meta", None)
    is_scenario = meta is None or meta.phase.name.value != "coverage"
    if is_scenario and isinstance(case.body, dict) and is_valid(case, "body"):
        likely(case.operation.definition.raw.get("operationId"), case.body)


@schemathesis.hook
def after_call(context, case, response):
    """Keeps what an answer names."""
    token = response.headers.get(SESSION.lower())
    if token:
        latest[:] = token if isinstance(token, list) else [token]
    operation = case.operation.definition.raw.get("operationId")
    if operation == "deleteListing" and response.status_code == 204:
        gone = (case.path_parameters or {}).get("id")
        known["lst_"] = [one for one in known.get("lst_", []) if one != gone]
    if response.status_code != 201:
        return
    body = response.json()
    for name in NAMES:
        text = body.get(name)
        if isinstance(text, str) and text not in known.setdefault(text[:4], []):
            known[text[:4]] = (known[text[:4]] + [text])[-KEPT:]
