"""``/lineage``: what a dataset or a column is made of, and who reads it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from contracts_svc.api.access import Reader
from contracts_svc.api.deps import LineageOf
from contracts_svc.api.lineage import downstream, impact, ref_of, upstream
from contracts_svc.api.pages import Cursor
from contracts_svc.lineage.graph import ColumnRef
from contracts_svc.web.graph import around
from contracts_svc.web.pages import page

router = APIRouter(include_in_schema=False)

_PAGE = 50


@router.get("/lineage")
def lineage(
    known: LineageOf,
    caller: Reader,
    request: Request,
    dataset: Annotated[str, Query(max_length=4_096)] = "",
    column: Annotated[str, Query(max_length=4_096)] = "",
    readers: Cursor = "",
    up: Cursor = "",
    down: Cursor = "",
) -> HTMLResponse:
    """The lineage of what is named; a form where nothing is."""
    given = {"dataset": dataset.strip(), "column": column.strip()}
    if not given["dataset"]:
        return page(request, "lineage.html", caller, given=given, ref=None)
    name, path = given["dataset"], given["column"] or None
    ref = ref_of(known, caller.tenant, name, path)
    contract = known.refresh(caller.tenant).identities.contract_of(ref.dataset)
    return page(
        request,
        "lineage.html",
        caller,
        given=given,
        ref=ref,
        contract=contract,
        columns=_columns(ref, contract),
        drawing=around(known, ref.dataset, caller.tenant, ref.column),
        impact=impact(caller, known, name, path, readers, _PAGE),
        up=upstream(caller, known, name, path, up, _PAGE),
        down=downstream(caller, known, name, path, down, _PAGE),
    )


_COLUMNS = 200


def _columns(ref: ColumnRef, contract: object) -> list[str]:
    """The columns that one can go on to."""
    if not isinstance(contract, tuple):
        return []
    table = contract[1]
    return [c.stored_name for c in table.columns if c.stored_name != ref.column][:_COLUMNS]
