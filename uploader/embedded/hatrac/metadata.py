"""`;metadata`: read all fields or one, set, remove."""

from __future__ import annotations

from dataclasses import dataclass

from uploader.embedded.hatrac import changes, fields
from uploader.embedded.hatrac.bodies import read_small
from uploader.embedded.hatrac.exchange import Exchange
from uploader.embedded.hatrac.objects import addressed_version
from uploader.embedded.hatrac.refusal import bad_request, method_not_allowed, not_found
from uploader.embedded.hatrac.rights import Rights
from uploader.embedded.hatrac.store import HatracStore

VALUE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Metadata:
    """Answers requests about the metadata of a version."""

    store: HatracStore
    rights: Rights

    async def handle(self, exchange: Exchange) -> None:
        """Answer by method."""
        target = exchange.target
        match exchange.method, target.detail:
            case (("GET" | "HEAD"), ()):
                self.rights.may_read(exchange.client, target.url)
                await exchange.json(dict(addressed_version(self.store, exchange).metadata))
            case (("GET" | "HEAD"), (field,)):
                self.rights.may_read(exchange.client, target.url)
                found = addressed_version(self.store, exchange).metadata.get(field)
                if found is None:
                    raise not_found(f"{target.url};metadata/{field}")
                await exchange.answer(200, found)
            case "PUT", (field,):
                self.rights.must_write(exchange.client, target.url)
                if field not in fields.FIELDS:
                    raise bad_request(f"Metadata field {field} is not known.")
                given = (await read_small(exchange.receive, VALUE_BYTES)).decode("latin-1").strip()
                await self._set(exchange, field, fields.check_field(field, given))
            case "DELETE", (field,):
                self.rights.must_write(exchange.client, target.url)
                await self._set(exchange, field, None)
            case _:
                raise method_not_allowed()

    async def _set(self, exchange: Exchange, field: str, value: str | None) -> None:
        version = addressed_version(self.store, exchange)
        await self.store.change(lambda index: changes.set_metadata(index, version, field, value))
        await exchange.no_content()
