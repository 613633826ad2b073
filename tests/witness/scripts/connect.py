"""Signs in by cookie, by bearer token and with a bogus token. Arguments: host, token."""

import json
import sys

from deriva.core import ErmrestCatalog, HatracStore, format_credential
from requests import HTTPError


def seen_with(host: str, credential: dict[str, str] | None) -> dict[str, object]:
    catalog = ErmrestCatalog("http", host, "1", credential)
    store = HatracStore("http", host, credential)
    return {
        "session": _or_status(lambda: catalog.get_authn_session().json()["client"]["id"]),
        "schemas": _or_status(lambda: sorted(catalog.getCatalogSchema()["schemas"])),
        "model": _or_status(lambda: sorted(catalog.getCatalogModel().schemas)),
        "root namespace": _or_status(lambda: store.retrieve_namespace("/hatrac")),
    }


def _or_status(ask):
    try:
        return ask()
    except HTTPError as error:
        return error.response.status_code


host, token = sys.argv[1:]
json.dump(
    {
        "cookie": seen_with(host, format_credential(token=token)),
        "bearer": seen_with(host, format_credential(oauth2_token=token)),
        "bogus": seen_with(host, format_credential(token="bogus")),
    },
    sys.stdout,
)
