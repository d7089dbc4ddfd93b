"""A relay that is a bad network when asked to: what the seeded faults put between scorers and brokers."""
import random
import threading
import time

from relay import ADD_OFFSETS, ADD_PARTITIONS, END_TXN, INIT_PRODUCER_ID, PRODUCE, TXN_OFFSET_COMMIT, Relay

FETCH, METADATA, OFFSET_FETCH, JOIN_GROUP, HEARTBEAT, SYNC_GROUP = 1, 3, 9, 11, 12, 14
TRANSACTIONAL = (PRODUCE, INIT_PRODUCER_ID, ADD_PARTITIONS, ADD_OFFSETS, END_TXN, TXN_OFFSET_COMMIT)


class Meddler(Relay):
    """Passes everything on until it is asked to be a bad network for a while. Then by chance a request is delayed (and with it what
    its connection sends next), cut off before or behind the broker, or comes late: the client has lost the connection, sent it
    again on another, and the broker gets the first copy after that."""
    FAULTS = ("delayed", "delayed", "cut before", "cut behind", "late")

    def __init__(self, port, target):
        self.until, self.lock, self.done = 0, threading.Lock(), {}
        super().__init__(port, target)

    def meddle(self, seed, apis, share, seconds, longest):
        self.random, self.apis, self.share, self.longest, self.done = random.Random(seed), apis, share, longest, {}
        self.until = time.monotonic() + seconds

    def draw(self, api):
        with self.lock:
            if time.monotonic() > self.until or api not in self.apis or self.random.random() > self.share:
                return None, 0
            fault, pause = self.random.choice(self.FAULTS), self.random.uniform(0.01, self.longest)
            self.done[fault] = self.done.get(fault, 0) + 1
            return fault, pause

    def on_request(self, connection, api, correlation, frame):
        fault, pause = self.draw(api)
        if fault == "delayed":
            time.sleep(pause)
        elif fault:
            connection.cut()
        if fault == "cut before":
            connection.broker.close()
        elif fault == "late":
            threading.Timer(pause, self.send_late, (connection, frame)).start()
        return fault not in ("cut before", "late")

    @staticmethod
    def send_late(connection, frame):
        try:
            connection.send(frame)
        except OSError:
            pass  # the broker is gone
