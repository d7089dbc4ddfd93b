"""What is done to a run (faults.py): each injection takes the run and a random generator of its own, and returns what it did, or
nothing when it did not come about. What an injection hurts is well again when it returns.

`INJECTIONS` names them with their weights and, where not every run has what they need, with what that is (Run.has)."""
import signal
import time
from collections import Counter

from bad_network import FETCH, HEARTBEAT, JOIN_GROUP, METADATA, OFFSET_FETCH, SYNC_GROUP, TRANSACTIONAL
from faults import PATIENCE, SESSION_S, TRANSACTION_S
from relay import END_TXN, INIT_PRODUCER_ID, PRODUCE, TXN_OFFSET_COMMIT
from servers import send_signal, state_of

# Passed all the time, at every start, and on leaving; the others (score.abort, score.rewind) need another fault.
BUSY_POINTS = ("score.produce", "score.produced", "score.batch", "score.offsets", "score.commit", "score.committed",
               "sink.begun", "sink.copy", "sink.copied", "sink.commit", "sink.commit_sent", "sink.committed")
START_POINTS = ("score.init", "score.assign", "sink.sync")
LEAVE_POINTS = ("score.leaving", "score.revoke")
RESTORE_COUNTS = (1, 20, 150, 400) # of score.restore: current records read


def kill(run, rng):
    slot, delay = rng.choice(run.slots), rng.choice((0, 0, 0.5, SESSION_S + 1))
    run.scorers.pop(slot).kill()
    run.rest(delay)
    run.start(slot)
    return f"{slot}, started again after {delay} s"


def kill_all(run, rng):
    delay = rng.choice((0, 1, SESSION_S + 1))
    for slot in run.slots:
        run.scorers.pop(slot).kill()
    time.sleep(delay)
    for slot in run.slots:
        run.start(slot)
    return f"started again after {delay} s"


def at_point(run, rng, names, action, counts):
    """The slot's scorer is replaced by one that is hit at the point; (slot, point, scorer, whether it was hit in time)."""
    slot = rng.choice(run.slots)
    point = f"{rng.choice(names)}:{rng.choice(counts)}:{action}:{rng.choice((0, 0, 300, 3000, 30000))}"
    run.scorers.pop(slot).kill()
    scorer = run.start(slot, point)
    del run.scorers[slot]  # not looked after: its end is what is waited for
    return slot, point, scorer, lambda seconds: run.wait(lambda: not scorer.alive() or state_of(scorer.popen.pid) == "T", seconds)


def kill_at_point(run, rng):
    leaving = rng.random() < 0.15
    names, counts = (LEAVE_POINTS, (1,)) if leaving else (START_POINTS, (1,)) if rng.random() < 0.2 else (BUSY_POINTS, (1, 1, 2, 7, 40))
    slot, point, scorer, hit = at_point(run, rng, names, "kill", counts)
    if leaving:
        run.rest(4)
        send_signal([scorer.popen.pid], signal.SIGTERM)
    reached = hit(25) and scorer.popen.poll() == -signal.SIGKILL
    if scorer.alive():
        scorer.kill()
    run.start(slot)
    return f"{slot} at {point}" if reached else None


def kill_in_restore(run, rng):
    """While current records are read at the start; or frozen there for longer than its place in the group lasts."""
    freezes = rng.random() < 0.3
    slot, point, scorer, hit = at_point(run, rng, ("score.restore",), "stop" if freezes else "kill", RESTORE_COUNTS)
    reached = hit(25) and (scorer.alive() if freezes else scorer.popen.poll() == -signal.SIGKILL)
    if freezes and reached:
        run.rest(SESSION_S + 1)
        send_signal([scorer.popen.pid], signal.SIGCONT)
        run.scorers[slot] = scorer
        return f"{slot} at {point}, frozen for {SESSION_S + 1} s"
    if scorer.alive():
        scorer.kill()
    run.start(slot)
    return f"{slot} at {point}" if reached else None


def freeze(run, rng):
    slot, seconds = rng.choice(run.slots), rng.choice((0.5, 2, SESSION_S + 0.5, TRANSACTION_S + 1, TRANSACTION_S + 4))
    scorer = run.scorers[slot]
    send_signal([scorer.popen.pid], signal.SIGSTOP)
    run.rest(seconds)
    send_signal([scorer.popen.pid], signal.SIGCONT)
    return f"{slot} for {seconds} s"


def goes_on(run, slot, scorer, reached):
    """One that has not come to its point would stand still there at any later time, for good: another one in its place."""
    if reached:
        send_signal([scorer.popen.pid], signal.SIGCONT)
        run.scorers[slot] = scorer
    else:
        scorer.kill()
        run.start(slot)
    return reached


def freeze_at_point(run, rng):
    slot, point, scorer, hit = at_point(run, rng, BUSY_POINTS, "stop", (1, 2, 7, 40))
    seconds = rng.choice((1, SESSION_S + 1, TRANSACTION_S + 3))
    reached = hit(25) and scorer.alive()
    if reached:
        run.rest(seconds)
    return goes_on(run, slot, scorer, reached) and f"{slot} at {point} for {seconds} s"


def replace_frozen(run, rng):
    """Another process takes over the identity of a frozen one, which then goes on: the newer must win. The frozen one has joined
    its groups before: whoever joins last is right, so one that is frozen while it starts is the newer of the two."""
    slot, before, after = rng.choice(run.slots), rng.choice((0, TRANSACTION_S + 1)), rng.choice((2, SESSION_S + 1, TRANSACTION_S + 3))
    if not run.wait(lambda: run.scorers[slot].get("/health/ready")[0] == 200, PATIENCE):
        return None
    older = run.scorers.pop(slot)
    send_signal([older.popen.pid], signal.SIGSTOP)
    run.rest(before)
    before_it = len(older.text()) # the log is of all processes of the slot
    newer = run.start(slot)
    del run.scorers[slot]
    run.rest(after)
    what = f"{slot}, frozen {before} s before and {after} s after"
    if not newer.alive():  # after brokers that answered so late that its own join, sent again, was taken for another's
        older.kill()
        if "Static consumer fenced by other consumer" not in newer.text()[before_it:]:
            run.problems.append(f"the successor ended by itself ({what}): {newer.text()[-300:]!r}")
        run.scorers[slot] = newer
        return f"{what}, its successor ended before the frozen one went on"
    send_signal([older.popen.pid], signal.SIGCONT)
    run.wait(lambda: not older.alive() or not newer.alive(), PATIENCE)
    run.rest(1)
    if not newer.alive():
        run.problems.append(f"the successor was thrown out by the process it replaced ({what}): {newer.text()[-300:]!r}")
    elif older.alive():
        run.problems.append(f"two processes of one identity live on ({what})")
    if older.alive():
        older.kill()
    run.scorers[slot] = newer
    return what


def guest(run, rng):
    """One more member for a while, so that partitions move there and back."""
    seconds, gently, run.guests = rng.choice((1, 4, 8)), rng.random() < 0.5, run.guests + 1
    name = f"guest{run.guests}"
    run.start(name)
    run.rest(seconds)
    scorer = run.scorers.pop(name)
    if gently and scorer.end() not in (0, 1):
        run.problems.append(f"{name}: status {scorer.popen.returncode} on TERM")
    if not gently:
        scorer.kill()
        run.gone.append(name)
    return f"for {seconds} s, {'TERM' if gently else 'KILL'}"


def terminate(run, rng):
    slot = rng.choice(run.slots)
    scorer = run.scorers.pop(slot)
    status = scorer.end()
    if status not in (0, 1):
        run.problems.append(f"scorer {slot}: {status} on TERM: {scorer.text()[-200:]!r}")
    run.start(slot)
    return slot


def kill_broker(run, rng):
    delay, brokers = rng.choice((0, 0, 3, SESSION_S + TRANSACTION_S)), run.servers.brokers
    node = rng.choice(brokers.nodes)
    kill_and_wait(run, [node.pid()])
    run.rest(delay)
    brokers.start(node)
    return f"{node.number}, started again after {delay} s"


def freeze_broker(run, rng):
    seconds, node = rng.choice((0.5, 3, SESSION_S + 1, TRANSACTION_S + 4, 20)), rng.choice(run.servers.brokers.nodes)
    send_signal([node.pid()], signal.SIGSTOP)
    run.rest(seconds)
    send_signal([node.pid()], signal.SIGCONT)
    return f"{node.number} for {seconds} s"


def kill_and_wait(run, pids):
    send_signal(pids, signal.SIGKILL)
    run.wait(lambda: all(state_of(pid) == "X" for pid in pids), 20)


def fill_broker(run, rng):
    """A broker whose only disk is full gives up; with room again it is started."""
    seconds, node = rng.choice((2, 8)), rng.choice(run.servers.brokers.nodes)
    if not node.disk.fill():
        return None
    run.wait(lambda: state_of(node.pid()) == "X", seconds)
    gave_up = state_of(node.pid()) == "X"
    node.disk.empty()
    kill_and_wait(run, [node.pid()])
    run.servers.brokers.start(node)
    return f"{node.number} for {seconds} s, it {'gave up' if gave_up else 'was killed'}"


def fill_postgres(run, rng):
    seconds = rng.choice((1, 5, 12))
    postmaster = run.servers.postgres_pids()[0]
    if not run.servers.disk.fill():
        return None
    run.rest(seconds)
    run.servers.disk.empty()
    gave_up = not run.wait(lambda: run.stored() is not None, 3)
    if gave_up:
        send_signal([postmaster], signal.SIGQUIT)
        run.wait(lambda: state_of(postmaster) == "X", 20)
        run.servers.start_postgres()
    return f"for {seconds} s, it {'gave up' if gave_up else 'went on'}"


def meddle(run, rng):
    """A bad network between scorers and brokers: single requests delayed, cut off, or late."""
    apis = rng.choice((TRANSACTIONAL, TRANSACTIONAL, (PRODUCE,), (END_TXN,), (TXN_OFFSET_COMMIT,), (INIT_PRODUCER_ID, END_TXN),
                       (FETCH, METADATA, OFFSET_FETCH), (JOIN_GROUP, HEARTBEAT, SYNC_GROUP)))
    share, seconds, longest = rng.choice((0.02, 0.1, 0.3)), rng.choice((2, 5, 10)), rng.choice((0.05, 0.5, 2, TRANSACTION_S + 3))
    relays = [node.relay for node in run.servers.brokers.nodes]
    for relay in relays:
        relay.meddle(rng.random(), apis, share, seconds, longest)
    run.rest(seconds)
    done = sum((Counter(relay.done) for relay in relays), Counter())
    return f"with APIs {','.join(map(str, apis))} for {seconds} s: {dict(done)}" if done else None


def shift_clock(run, rng):
    """The wall clock of one scorer jumps, and back later."""
    slot, shift, seconds = rng.choice(run.slots), rng.choice((-86400, -3600, -7, 7, 1800, 7200, 40 * 86400)), rng.choice((1, 4, 8))
    run.set_clock(slot, shift)
    run.rest(seconds)
    run.set_clock(slot, 0)
    return f"{slot} by {shift} s for {seconds} s"


def empty_topics(run, rng):
    """What the scorers have committed and the sink has stored is deleted, as retention does; kept here for the comparison."""
    name = rng.choice(run.names)
    handled = run.handled(name)
    if not handled:
        return None
    run.archive.keep(name, handled)
    run.servers.brokers.delete_records(name, handled)
    return f"{name.rsplit('-', 1)[1]} before {handled}"


def kill_postgres(run, rng):
    """Immediate shutdown: no checkpoint, recovery from the log at the next start."""
    delay = rng.choice((0, 1, 6))
    pid = run.servers.postgres_pids()[0]
    send_signal([pid], signal.SIGQUIT)
    run.wait(lambda: state_of(pid) == "X", 20)
    run.rest(delay)
    run.servers.start_postgres()
    return f"started again after {delay} s"


def kill_backends(run, rng):
    """SIGTERM ends the sink's session; SIGKILL of one backend makes the whole server recover."""
    number = rng.choice((signal.SIGTERM, signal.SIGTERM, signal.SIGKILL))
    pids = run.servers.backends(run.database)
    send_signal(pids if number == signal.SIGTERM else pids[:1], number)
    return f"{len(pids)} sessions, {number.name}" if pids else None


def freeze_postgres(run, rng):
    seconds = rng.choice((1, 5, 25))
    pids = run.servers.postgres_pids()
    send_signal(pids, signal.SIGSTOP)
    run.rest(seconds)
    send_signal(pids, signal.SIGCONT)
    return f"for {seconds} s"


def doubtful_commit(run, rng):
    """The session ends between COMMIT and its answer: only the stored offsets say whether it happened."""
    immediate = rng.random() < 0.3
    slot, point, scorer, hit = at_point(run, rng, ("sink.commit_sent",), "stop", (1, 3, 10))
    reached = hit(25) and scorer.alive()
    if reached and immediate:
        kill_postgres(run, rng)
    elif reached:
        run.rest(rng.choice((0, 1)))
        send_signal(run.servers.backends(run.database), signal.SIGTERM)
    return goes_on(run, slot, scorer, reached) and f"{slot} at {point}, {'immediate shutdown' if immediate else 'sessions ended'}"


def fail_over(run, rng):
    """To a standby that lacks the last commits: the stored offsets go back, and so must the sink."""
    lost_s, servers = rng.choice((0.3, 1, 2)), run.servers
    standby = servers.start_standby()
    run.rest(1)
    for command in ("alter system set primary_conninfo to ''", "select pg_reload_conf()"):
        run.lab.must("psql", "-Xqtc", command, standby)
    run.rest(lost_s)
    kill_and_wait(run, servers.postgres_pids())
    servers.promote(standby)
    return f"without the last {lost_s} s"


def add_partitions(run, rng):
    """Once a run: of the input, and before of the dead-letter topic, whose partitions have its numbers. With current records
    new partitions wait for somebody (test_state_admin.py)."""
    from confluent_kafka.admin import AdminClient, NewPartitions
    if run.grown or run.kept:
        return None
    run.grown, client = True, AdminClient({"bootstrap.servers": run.servers.kafka, "log_level": 0})
    for topic in (run.names[2], run.names[0]):
        for answer in client.create_partitions([NewPartitions(topic, 6)]).values():
            answer.result(30)
        run.rest(1)
    return "4 to 6"


INJECTIONS = {
    "kill": (4, kill), "kill all": (1, kill_all), "kill at point": (8, kill_at_point, "points"), "terminate": (1, terminate),
    "freeze": (3, freeze), "freeze at point": (3, freeze_at_point, "points"), "replace frozen": (2, replace_frozen), "guest": (3, guest),
    "kill broker": (1, kill_broker), "freeze broker": (2, freeze_broker), "kill postgres": (1, kill_postgres),
    "kill backends": (3, kill_backends), "freeze postgres": (1, freeze_postgres), "doubtful commit": (2, doubtful_commit, "points"),
    "fail over": (1, fail_over), "add partitions": (0.5, add_partitions), "fill broker": (0.7, fill_broker, "disks"),
    "fill postgres": (1, fill_postgres, "disks"), "meddle": (4, meddle, "relay"), "shift clock": (2, shift_clock, "clocks"),
    "empty topics": (1, empty_topics), "kill in restore": (4, kill_in_restore, "points", "records"),
}
