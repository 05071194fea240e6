"""How a server's files are read: its format, and the options that the standard leaves to it.

ODCS gives servers ``format`` (and, for JSON, ``delimiter``; since 3.2 also ``encoding``). The options of
CSV are custom properties of the server: ``csvDelimiter``, ``csvQuote``, ``csvHeader``, ``csvNull``.
"""

from __future__ import annotations

from contracts_svc.errors import Problem, UserMistake
from contracts_svc.files import Reading
from contracts_svc.model import Json, Server, Table

FORMATS = ("parquet", "csv", "json", "delta", "iceberg")
_DOCUMENTS = {"new_line": "newline_delimited", "array": "array"}
_ENCODINGS = {
    "utf-8": "utf-8", "utf8": "utf-8", "ascii": "utf-8", "us-ascii": "utf-8",
    "iso-8859-1": "latin-1", "latin-1": "latin-1", "latin1": "latin-1",
    "utf-16": "utf-16", "utf16": "utf-16",
}  # fmt: skip


def reading_of(server: Server, table: Table) -> Reading:
    """How the files of a table on this server are read.

    Raises UserMistake, with every problem, for a format or an option that cannot be used.
    """
    problems: list[Problem] = []
    kind = str(server.fields.get("format") or "parquet").strip().lower()
    if kind not in FORMATS:
        problems.append(
            Problem(
                server.place("format"),
                f"the server {server.server} has the format {kind}, which is not checked",
                f"{', '.join(FORMATS[:-1])} and {FORMATS[-1]} are",
            )
        )
    options = {c.property: c for c in server.custom}
    texts: dict[str, str] = {}
    for name, most in (("csvDelimiter", 4), ("csvQuote", 1), ("csvNull", 64)):
        found = options.get(name)
        if found is None:
            continue
        if not isinstance(found.value, str) or len(found.value) > most or (most < 64 and not found.value):
            problems.append(Problem(found.at, f"{name} {found.value!r} is not 1 to {most} characters", ""))
        else:
            texts[name] = found.value
    header = options["csvHeader"].value if "csvHeader" in options else True
    if not isinstance(header, bool):
        problems.append(Problem(options["csvHeader"].at, f"csvHeader {header!r} is not true or false", ""))
    encoding = _encoding(server, problems)
    documents = _documents(server, problems) if kind == "json" else "auto"
    if problems:
        raise UserMistake(problems)
    return Reading(
        format=kind,
        delimiter=texts.get("csvDelimiter", ","),
        quote=texts.get("csvQuote", '"'),
        null=texts.get("csvNull", ""),
        header=bool(header),
        names=tuple(c.stored_name for c in table.columns),
        encoding=encoding,
        documents=documents,
    )


def _encoding(server: Server, problems: list[Problem]) -> str:
    written: Json = server.fields.get("encoding") or "utf-8"
    found = _ENCODINGS.get(str(written).strip().lower())
    if found is None:
        known = "UTF-8, ISO-8859-1, ASCII and UTF-16 are"
        problems.append(Problem(server.place("encoding"), f"the encoding {written} cannot be read", known))
    return found or "utf-8"


def _documents(server: Server, problems: list[Problem]) -> str:
    written = server.fields.get("delimiter")
    if written is None:
        return "auto"
    found = _DOCUMENTS.get(str(written).strip().lower())
    if found is None:
        message = f"the delimiter {written} is none of JSON documents"
        problems.append(Problem(server.place("delimiter"), message, "new_line and array are"))
    return found or "auto"
