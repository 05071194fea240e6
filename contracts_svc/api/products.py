"""``/data-products``: documents of the Open Data Product Standard, which say who reads which contracts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel, Field

from contracts_svc.api.access import Caller, Reader, Writer, must_own
from contracts_svc.api.bodies import Document
from contracts_svc.api.contracts import YAML, etag_of, must_match
from contracts_svc.api.deps import ServiceOf
from contracts_svc.api.pages import Cursor, Limit, Page, after, cursor_of
from contracts_svc.api.problems import PREFIX, RESPONSES, Refused, also, responses
from contracts_svc.api.service import Service
from contracts_svc.errors import UserMistake
from contracts_svc.lineage.declared import DataProduct, Reads, read_declarations
from contracts_svc.ports_lineage import Product

router = APIRouter(prefix=f"{PREFIX}/data-products", tags=["lineage"], responses=RESPONSES)

MAX_PRODUCT = 1024 * 1024
"""Bytes of a data product that comes by HTTP."""

_EXAMPLE = """\
apiVersion: v1.0.0
kind: DataProduct
id: revenue
name: Revenue
status: active
team: {name: finance}
inputPorts:
  - {name: orders, version: 1.0.0, contractId: orders}
"""
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            YAML: {"schema": {"type": "string"}, "example": _EXAMPLE},
            "application/json": {"schema": {"type": "object"}},
        },
    }
}


class ReadsShown(BaseModel):
    """A contract that is read, at a version."""

    contract: str = Field(examples=["orders"])
    version: str = Field(examples=["1.0.0"])
    known: bool = Field(description="False: no contract with this id is registered, so this tells nobody")


class ProductShown(BaseModel):
    """A data product, as far as lineage needs it."""

    id: str = Field(examples=["revenue"])
    title: str
    team: str
    reads: list[ReadsShown]
    makes: list[str] = Field(description="Contracts that its output ports keep")
    etag: str


@router.post(
    "",
    status_code=201,
    responses=also(200, ProductShown, "It was there; it is now as sent") | responses(412, 415),
    openapi_extra=_BODY,
)
def put_product(
    service: ServiceOf,
    caller: Writer,
    text: Document,
    request: Request,
    response: Response,
    if_match: Annotated[str, Header(description="The ETag of what you know")] = "",
) -> ProductShown:
    """Register a data product (ODPS), or change it: whoever changes a contract that it reads is told whom
    that breaks, and the product's team must agree."""
    if len(text) > MAX_PRODUCT:
        raise Refused(413, f"a data product may have {MAX_PRODUCT:,} bytes", headers={"Retry-After": "0"})
    said = _read(text, "data product")
    if said.tenant != caller.tenant:
        raise Refused(403, f"the data product says tenant {said.tenant!r}, this token {caller.tenant!r}")
    must_own(caller, said.team, f"data product {said.id}")
    product = Product(id=said.id, tenant=caller.tenant, team=said.team, text=text)

    def work() -> bool:
        # Two who put one at once come one after the other.
        service.store.lock_lineage(caller.tenant)
        before = _find(service, caller, said.id)
        if before is not None:
            must_own(caller, before.team, f"data product {said.id}")
        must_match(if_match, etag_of(before.text) if before else None)
        service.store.put_product(product, service.clock.now(), caller.actor(request))
        return before is None

    response.status_code = 201 if service.store.atomically(work) else 200
    response.headers["ETag"] = etag_of(text)
    return _shown(service, caller, product)


@router.get("")
def list_products(
    service: ServiceOf, caller: Reader, cursor: Cursor = "", limit: Limit = 100
) -> Page[ProductShown]:
    """The data products in use, by id."""
    begin = after(cursor)
    found = [p for p in service.store.products(caller.tenant) if p.id > begin]
    items = [_shown(service, caller, p) for p in found[:limit]]
    return Page(items=items, next=cursor_of(items[-1].id) if len(found) > limit else None)


@router.post("/{product_id:path}/retire", status_code=204, responses=responses(404, 412))
def retire_product(
    service: ServiceOf,
    caller: Writer,
    product_id: str,
    request: Request,
    if_match: Annotated[str, Header()] = "",
) -> None:
    """Take a data product out of use: it reads nothing any more."""

    def work() -> None:
        service.store.lock_lineage(caller.tenant)
        before = _visible(service, caller, product_id)
        must_own(caller, before.team, f"data product {product_id}")
        must_match(if_match, etag_of(before.text))
        service.store.retire_product(caller.tenant, product_id, service.clock.now(), caller.actor(request))

    service.store.atomically(work)


@router.get(
    "/{product_id:path}",
    response_class=Response,
    responses={200: {"content": {YAML: {"schema": {"type": "string"}}}}, **responses(404)},
)
def get_product(service: ServiceOf, caller: Reader, product_id: str) -> Response:
    """A data product as it was sent."""
    found = _visible(service, caller, product_id)
    headers = {"ETag": etag_of(found.text), "Cache-Control": "private, no-cache"}
    return Response(found.text, media_type=YAML, headers=headers)


def _read(text: bytes, file: str) -> DataProduct:
    """The one data product of a document. Raises UserMistake."""
    found = read_declarations(text, file)
    if len(found) == 1 and isinstance(found[0], DataProduct):
        return found[0]
    raise UserMistake.of(
        "this is no data product",
        "write 'kind: DataProduct' (ODPS); a subscription is put at its contract",
        at=found[0].at if found else None,
    )


def _find(service: Service, caller: Caller, product_id: str) -> Product | None:
    return next((p for p in service.store.products(caller.tenant) if p.id == product_id), None)


def _visible(service: Service, caller: Caller, product_id: str) -> Product:
    found = _find(service, caller, product_id)
    if found is None:
        raise Refused(404, f"no data product {product_id!r} is registered")
    return found


def _shown(service: Service, caller: Caller, product: Product) -> ProductShown:
    said = _read(product.text, product.id)
    reads = dict.fromkeys((*said.inputs, *(r for o in said.outputs for r in o.inputs)))
    rows = service.store.contract_rows({r.contract for r in reads})
    known = {id_ for id_, row in rows.items() if row.tenant == caller.tenant}

    def shown(read: Reads) -> ReadsShown:
        return ReadsShown(contract=read.contract, version=read.version, known=read.contract in known)

    return ProductShown(
        id=said.id,
        title=said.title,
        team=said.team,
        reads=[shown(r) for r in reads],
        makes=list(dict.fromkeys(o.contract for o in said.outputs if o.contract)),
        etag=etag_of(product.text),
    )
