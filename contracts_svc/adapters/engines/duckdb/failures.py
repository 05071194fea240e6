"""What DuckDB's errors mean for a check."""

from __future__ import annotations

import duckdb


def first_paragraph(error: Exception) -> str:
    return " ".join(str(error).split("\n\n")[0].split())


_QUERY = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ParserException,
    duckdb.ConversionException,
    duckdb.OutOfRangeException,
    duckdb.TypeMismatchException,
)
_DENIED = (401, 403)
_DAMAGED = (
    "magic bytes", "too small to be a parquet", "tprotocol", "corrupt", "decompress", "footer",
    "out of buffer",
)  # fmt: skip
GONE = "check the location, or that the file was not removed meanwhile"


def classify(error: duckdb.Error, timeout: float | None) -> tuple[str, str, bool]:
    """Cause, hint and whether trying again can help."""
    text = first_paragraph(error)
    low = text.lower()
    match error:
        case duckdb.HTTPException() if error.status_code in _DENIED:
            hint = "check the S3 access key and secret key, and that they may read this bucket"
            return f"access denied: {text}", hint, False
        case duckdb.HTTPException() if error.status_code == 404:
            return f"not found: {text}", GONE, True
        case duckdb.HTTPException():
            return f"the S3 server could not answer: {text}", "", True
        case duckdb.InterruptException():
            bound = f"took longer than {timeout:g} s" if timeout else "was interrupted"
            return f"the query {bound}", "allow more time, or check fewer partitions at once", True
        case duckdb.OutOfMemoryException():
            return f"out of memory: {text}", "raise the memory limit, or free space to spill to", False
        case duckdb.PermissionException():
            return f"the query reads what its contract does not name: {text}", "", False
        case _ if isinstance(error, _QUERY):
            return f"the query does not fit the data: {text}", "", False
        case _ if "unsupported compression codec" in low:
            return f"a compression that is not read: {text}", "write it with zstd or snappy", False
        case _ if "is not valid utf8" in low:
            hint = "write the text as UTF-8, or promise bytes (format binary)"
            return f"text that is not UTF-8: {text}", hint, False
        case _ if "csv parser state machine" in low:
            hint = "write the file again, with one kind of line ends and every quote closed"
            return "a CSV file whose lines the reader cannot tell apart", hint, False
        case _ if "malformed json" in low:
            hint = "an s3 server may say `delimiter: new_line` to have such lines counted; or write it again"
            return f"JSON that breaks off: {text}", hint, False
        case duckdb.FatalException():
            return f"the engine has stopped after an earlier error: {text}", "check again", True
        case _ if any(sign in low for sign in _DAMAGED):
            return f"not a Parquet file, or a damaged one: {text}", "write the file again", False
        case duckdb.IOException():
            return f"reading failed: {text}", "check the S3 endpoint and the network", True
    return text, "", False
