"""Queries by libpq, each over a connection of its own, as psql would send it: a psql process for each of a wait loop's looks takes half a core."""
import ctypes
import select
import time

EMPTY, COMMAND_OK, TUPLES_OK, COPIES = 0, 1, 2, (3, 4, 8)
POINTER, TEXT, NUMBER = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
FUNCTIONS = {"connectdb": (POINTER, TEXT), "status": (NUMBER, POINTER), "errorMessage": (TEXT, POINTER), "sendQuery": (NUMBER, POINTER, TEXT),
             "socket": (NUMBER, POINTER), "consumeInput": (NUMBER, POINTER), "isBusy": (NUMBER, POINTER), "getResult": (POINTER, POINTER),
             "resultStatus": (NUMBER, POINTER), "resultErrorMessage": (TEXT, POINTER), "ntuples": (NUMBER, POINTER), "nfields": (NUMBER, POINTER),
             "getvalue": (TEXT, POINTER, NUMBER, NUMBER), "clear": (None, POINTER), "finish": (None, POINTER)}


class Libpq:
    def __init__(self):
        library = ctypes.CDLL("libpq.so.5")
        for name, (result, *arguments) in FUNCTIONS.items():
            function = getattr(library, "PQ" + name)
            function.restype, function.argtypes = result, arguments
            setattr(self, name, function)


def rows(pq, connection, query, seconds):
    """What the statements of the query return, as one list of lists of texts; a NULL is empty."""
    found, failure, deadline = [], None, time.monotonic() + seconds
    if not pq.sendQuery(connection, query.encode()):
        raise RuntimeError(f"PostgreSQL: {pq.errorMessage(connection).decode().strip()}")
    while True:
        while pq.isBusy(connection):
            readable = select.poll()  # select() takes no descriptor beyond 1,024
            readable.register(pq.socket(connection), select.POLLIN)
            if not readable.poll(max(0, deadline - time.monotonic()) * 1000):
                raise RuntimeError(f"PostgreSQL did not answer in {seconds} s: {query[:200]}")
            pq.consumeInput(connection)
        result = pq.getResult(connection)
        if not result:
            break
        status = pq.resultStatus(result)
        if status not in (EMPTY, COMMAND_OK, TUPLES_OK):
            failure = pq.resultErrorMessage(result).decode().strip() or f"a result of status {status}"
            if status in COPIES:
                raise RuntimeError("PostgreSQL: COPY is not for this way")
        elif status == TUPLES_OK:
            found += [[pq.getvalue(result, row, column).decode() for column in range(pq.nfields(result))] for row in range(pq.ntuples(result))]
        pq.clear(result)
    if failure:
        raise RuntimeError(f"PostgreSQL: {failure}")
    return found


def query(url, text, seconds=120):
    pq = Libpq()
    connection = pq.connectdb(url.encode())
    try:
        if pq.status(connection):
            raise RuntimeError(f"PostgreSQL: {pq.errorMessage(connection).decode().strip()}")
        return rows(pq, connection, text, seconds)
    finally:
        pq.finish(connection)
