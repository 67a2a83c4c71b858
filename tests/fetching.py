"""Running a query on a local archive, and counting what it was asked; a server that says any bytes."""

import contextlib
import socket
import threading

import pyarrow.parquet as pq
from helpers import ROOT, archive

from crossz.archive import query, services
from crossz.archive.sql import archive_query

SQL = ROOT / "workflow/sql/extended.sql"
DIGEST = archive_query(SQL.read_text(), "extended.sql", "DR17").digest


def rows(folder):
    """The rows that were written, in a fixed order."""
    return pq.read_table(folder / "raw.parquet").to_pandas().sort_values("specObjID", ignore_index=True)


def fetch(server, folder, backend="casjobs", sql=SQL, **more):
    """The rows of a query; `more`: settings of the archive block."""
    folder.mkdir(exist_ok=True)
    outputs = {"raw": folder / "raw.parquet", "receipt": folder / "receipt.json"}
    with services.connected(backend, archive(server.url, **more)) as service:
        query.write_archive_query(sql=sql, **outputs, cache=folder / "cache", context="DR17", service=service)
    return rows(folder)


def asked(server, method, path, sql=""):
    """How many requests there were of this kind."""
    return sum(hit.method == method and path in hit.path and sql in (hit.sql or "") for hit in server.hits)


@contextlib.contextmanager
def answering(begin, more=b"", pause=0.0, seen=None):
    """The address of a server that answers each request by the bytes `begin`, and then `more` again and again.

    `pause`: seconds before each `more`. `seen`: a list that gets the requests.
    """
    over = threading.Event()

    def answer(connection):
        with connection, contextlib.suppress(OSError):
            request = connection.recv(1 << 16)
            if seen is not None:
                seen.append(request)
            connection.sendall(begin)
            while more and not over.wait(pause):
                connection.sendall(more)

    def accept(listener):
        with contextlib.suppress(OSError):  # the listener is closed
            while True:
                threading.Thread(target=answer, args=[listener.accept()[0]], daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=[listener], daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        over.set()
