"""A relay between Kafka clients and one broker that reads the requests' headers and can hold a single request back: it cuts the
client's connection, keeps its own to the broker, and sends the held request whenever asked. Loopback, threads; for tests.

The broker gets a listener of its own for the relay's clients, advertised at the relay's address, so that no metadata leads
around it. What is held was never seen by the broker; a client that lost the connection sends it again by itself."""
import socket
import struct
import threading

from lab import ROOT, free_port

PRODUCE, INIT_PRODUCER_ID, ADD_PARTITIONS, ADD_OFFSETS, END_TXN, WRITE_TXN_MARKERS, TXN_OFFSET_COMMIT = 0, 22, 24, 25, 26, 27, 28


def is_commit(frame):
    """Of an EndTxn: commit, or abort."""
    version = struct.unpack_from(">h", frame, 6)[0]
    return frame[-1 if version < 3 else -2] == 1


def error_of(api, version, body):
    """The (first) error code of an answer, behind its correlation id."""
    def varint(at):
        value = shift = 0
        while True:
            byte = body[at]
            value |= (byte & 127) << shift
            at, shift = at + 1, shift + 7
            if byte < 128:
                return value, at

    if api == END_TXN:
        return struct.unpack_from(">h", body, 4 if version < 3 else 5)[0]
    if api == TXN_OFFSET_COMMIT and version >= 3:
        _, at = varint(5)
        size, at = varint(at)
        _, at = varint(at + size - 1)
        return struct.unpack_from(">h", body, at + 4)[0]
    if api in (PRODUCE, TXN_OFFSET_COMMIT) and version < 9:
        at = 0 if api == PRODUCE else 4
        size = struct.unpack_from(">h", body, at + 4)[0]
        return struct.unpack_from(">h", body, at + 4 + 2 + size + 4 + 4)[0]
    if api == PRODUCE:
        _, at = varint(1)
        size, at = varint(at)
        _, at = varint(at + size - 1)
        return struct.unpack_from(">h", body, at + 4)[0]
    raise ValueError(f"no answer of API {api} is read here")


def read_frame(connection):
    def exactly(count):
        data = b""
        while len(data) < count:
            more = connection.recv(count - len(data))
            if not more:
                raise ConnectionError("closed")
            data += more
        return data
    head = exactly(4)
    return head + exactly(struct.unpack(">i", head)[0])


class Connection:
    """One client and the relay's connection to the broker on its behalf."""

    def __init__(self, relay, client):
        self.relay, self.client, self.cut_off = relay, client, False
        self.broker = socket.create_connection(("127.0.0.1", relay.target))
        self.broker.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.asked = {}
        for work in (self.requests, self.answers):
            threading.Thread(target=work, daemon=True).start()

    def cut(self):
        """The client loses its connection; the broker notices nothing."""
        self.cut_off = True
        self.client.shutdown(socket.SHUT_RDWR)
        self.client.close()

    def send(self, frame):
        api, version, correlation = struct.unpack_from(">hhi", frame, 4)
        self.asked[correlation] = (api, version)
        self.broker.sendall(frame)

    def requests(self):
        try:
            while True:
                frame = read_frame(self.client)
                api, _, correlation = struct.unpack_from(">hhi", frame, 4)
                if self.relay.on_request(self, api, correlation, frame):
                    self.send(frame)
        except OSError:
            if not self.cut_off:
                self.broker.close()

    def answers(self):
        try:
            while True:
                frame = read_frame(self.broker)
                correlation = struct.unpack_from(">i", frame, 4)[0]
                api, version = self.asked.pop(correlation, (None, 0))
                self.relay.on_answer(self, api, version, correlation, frame[8:])
                if not self.cut_off:
                    self.client.sendall(frame)
        except OSError:
            pass


class Relay:
    """Subclasses override on_request (False: not passed on) and on_answer; both may block their connection."""

    def __init__(self, port, target):
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", port), backlog=64)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            client, _ = self.listener.accept()
            try:
                Connection(self, client)
            except OSError:
                client.close()

    def on_request(self, connection, api, correlation, frame):
        return True

    def on_answer(self, connection, api, version, correlation, body):
        pass


class Injector(Relay):
    """Holds one request of a transaction back and lets it go into the next. `inject` names which and where."""

    def __init__(self, port, target):
        self.lock = threading.RLock()
        self.state, self.kind = "idle", None
        self.released = threading.Event()  # the held request has its answer
        self.results = []                  # (kind, error code of the late request; None: no answer)
        self.stopped = False               # nothing more reaches the broker
        super().__init__(port, target)

    def inject(self, name, matches, trigger, after_answer=False):
        """`matches(api, frame)`: what to hold; `trigger(api)`: the request of the next transaction before which (or behind whose
        answer) it goes on."""
        with self.lock:
            self.kind, self.matches, self.trigger, self.after_answer = name, matches, trigger, after_answer
            self.end, self.watched, self.state = None, None, "armed"
            self.released.clear()

    def hold(self, connection, api, frame):
        self.state, self.holder, self.held = "held", connection, frame
        self.held_api = api
        connection.cut()

    def let_go(self):
        self.state = "released"
        self.holder.send(self.held)
        answered = self.released.wait(30)  # the client's next request waits meanwhile: less than its time-out
        if not answered:
            self.results.append((self.kind, None))
        self.state = "done"

    def on_request(self, connection, api, correlation, frame):
        if self.stopped:
            return False
        with self.lock:
            if self.state == "armed" and self.matches(api, frame):
                self.hold(connection, api, frame)
                return False
            if self.state == "held" and api == END_TXN:
                self.end = (connection, correlation)
            if self.state != "ended" or not self.trigger(api):
                return True
            if self.after_answer:
                self.watched = self.watched or (connection, correlation)
                return True
            self.let_go()
        return True

    def on_answer(self, connection, api, version, correlation, body):
        if self.state == "released" and connection is self.holder and api == self.held_api:
            self.results.append((self.kind, error_of(api, version, body)))
            self.released.set()
            return
        with self.lock:
            if self.state == "held" and self.end == (connection, correlation) and error_of(api, version, body) == 0:
                self.state = "ended"
            elif self.state == "ended" and self.watched == (connection, correlation):
                self.let_go()


class Gate(Relay):
    """Drops requests of the kinds in `shut`; notes which came."""

    def __init__(self, port, target):
        self.shut, self.dropped, self.connections = set(), set(), []
        super().__init__(port, target)

    def on_request(self, connection, api, correlation, frame):
        if connection not in self.connections:
            self.connections.append(connection)
        if api not in self.shut:
            return True
        self.dropped.add(api)
        return False

    def close(self, *apis):
        self.dropped.clear()
        self.shut = set(apis)

    def cut_all(self):
        while self.connections:
            try:
                self.connections.pop().cut()
            except OSError:
                pass


def relayed_kafka(lab, relay_class=Injector, name="kafka", *properties):
    """A real broker with a relay before it: (its own address, the relay's, the relay)."""
    port, inner, controller, outer = (free_port() for _ in range(4))
    directory = lab.dir / name
    broker = ROOT / "deploy/kafka/broker"
    lab.endings.append(lambda: lab.run(broker, "stop", directory, "--wipe"))
    address = lab.must(
        broker, "start", directory, port, f"controller.quorum.voters=1@127.0.0.1:{controller}",
        f"listeners=PLAINTEXT://127.0.0.1:{port},RELAY://127.0.0.1:{inner},CONTROLLER://127.0.0.1:{controller}",
        f"advertised.listeners=PLAINTEXT://127.0.0.1:{port},RELAY://127.0.0.1:{outer},CONTROLLER://127.0.0.1:{controller}",
        "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,RELAY:PLAINTEXT,CONTROLLER:PLAINTEXT", *properties).strip()
    return address, f"127.0.0.1:{outer}", relay_class(outer, inner)
