"""What goes wrong with NATS, and between the operator and it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from e2e.chaos.faults import COUNT, Fault
from e2e.chaos.laboratory import NAMESPACE
from e2e.support.assassin import STEPS, Assassin, Kill
from e2e.support.kube import QUEUES
from e2e.support.manifests import definition
from e2e.support.poison import POISON

ACK = "$JS.ACK."
TAKEN = ("neither definition nor container", "a label that Kubernetes refuses")
"""The API server of `celeriac dev` knows neither CEL rules nor what a label may be."""


class NatsKilled(Fault):
    """SIGKILL at any moment, and a new server on what is on the disk."""

    def meanwhile(self) -> None:
        for number in range(8):
            self.lab.submit(f"k{number}", 2)
            time.sleep(self.dice.uniform(0, 1.5))  # the moment is the fault
            self.lab.restart_nats()
            self.times += 1


class KilledAtSteps(Fault):
    """SIGKILL at each step from a message to its Task's record: before it is sent, and once it is stored."""

    who = "nats-server"

    def meanwhile(self) -> None:
        assassin = Assassin(self.lab)
        steps = [step for step in STEPS for _ in range(2)]
        self.dice.shuffle(steps)
        for number, step in enumerate(steps):
            kill = Kill(step, self.who)
            assassin.will(kill)
            self.lab.submit(f"s{number}", 1)
            assert self.lab.wait(lambda kill=kill: kill.done), f"nothing came {step}"  # type: ignore[misc]
            self.times += 1


class OperatorKilledAtSteps(KilledAtSteps):
    """The same with the operator."""

    who = "operator"


class NatsDown(Fault):
    """Nobody answers for twenty seconds, and clients go on publishing until they are told that it is safe."""

    def meanwhile(self) -> None:
        self.lab.office.server.kill()
        publisher = threading.Thread(target=self.lab.submit, args=("down", COUNT // 2))
        publisher.start()
        time.sleep(20)
        self.lab.office.server.start()
        publisher.join()
        self.times += 1


class NatsStopped(Fault):
    """SIGSTOP: connections stay open, and nothing answers; twelve seconds, longer than the operator waits."""

    def meanwhile(self) -> None:
        for _ in range(2):
            self.lab.office.server.pause()
            time.sleep(12)
            self.lab.office.server.go_on()
            self.times += 1
            self.lab.submit(f"stopped{self.times}", 4)


class NatsDeaf(Fault):
    """What the operator sends arrives, and for twelve seconds nothing comes back."""

    def meanwhile(self) -> None:
        for number in range(2):
            self.lab.bus.line.hush()
            self.lab.submit(f"deaf{number}", 4)
            time.sleep(12)
            self.lab.bus.line.speak()
            self.times += 1
            self.lab.submit(f"heard{number}", 2)


class NatsPowerCut(Fault):
    """The power goes while clients publish: a new server starts on what had reached the disk."""

    def meanwhile(self) -> None:
        publisher = threading.Thread(target=self.lab.submit, args=("power", 4 * COUNT))
        publisher.start()
        for _ in range(4):
            time.sleep(self.dice.uniform(0.3, 2))  # the moment is the fault
            self.lab.its_disk.cut()
            self.lab.office.server.kill()
            self.lab.its_disk.come_back()
            self.lab.office.server.start()
            self.times += 1
        publisher.join()


class DiskFull(Fault):
    """The disk of NATS is full for ten seconds; then there is room, and the server is started again."""

    def meanwhile(self) -> None:
        publisher = threading.Thread(target=self.lab.submit, args=("full", COUNT))
        publisher.start()
        for _ in range(2):
            time.sleep(self.dice.uniform(0.3, 2))  # the moment is the fault
            self.lab.its_disk.fill()
            time.sleep(10)
            self.lab.its_disk.make_room()
            self.lab.restart_nats()
            self.times += 1
        publisher.join()


class NatsCut(Fault):
    """The operator's way to NATS breaks again and again; clients still reach it."""

    def meanwhile(self) -> None:
        for number in range(5):
            self.lab.bus.line.cut()
            self.lab.submit(f"cut{number}", 2)
            time.sleep(self.dice.uniform(0.5, 4))  # the moment is the fault
            self.lab.bus.line.heal()
            time.sleep(self.dice.uniform(0.5, 3))
            self.times += 1


class NatsSlow(Fault):
    """Each command of the operator's reaches NATS 50 ms later than the one before."""

    def begin(self) -> None:
        self.lab.bus.delay = 0.05
        self.times = 1

    def end(self) -> None:
        self.lab.bus.delay = 0.0


class AnswersLost(Fault):
    """Three of ten publishes and acknowledgements are stored, and the connection ends instead of an answer."""

    def begin(self) -> None:
        self.lab.bus.wants_after = self._strikes
        self.lab.bus.after = self._lose

    def _strikes(self, subject: str) -> bool:
        return subject.startswith(("$KV.", ACK, "celeriac.dead")) and self.hit(0.3)

    def _lose(self, _subject: str) -> None:
        raise ConnectionAbortedError

    def end(self) -> None:
        self.lab.bus.wants_after = lambda _subject: False


class ClosedForGood(Fault):
    """The server says that the operator has sent too much, for which nats-py by itself closes for good."""

    def meanwhile(self) -> None:
        for number in range(5):
            self.lab.submit(f"closed{number}", 2)
            time.sleep(self.dice.uniform(0.2, 1.5))  # the moment is the fault
            self.lab.bus.line.hang_up(b"-ERR 'Maximum Payload Violation'\r\n")
            self.times += 1


class NatsFull(Fault):
    """A queue has room for ten messages while no operator drains it: publishers are told so, and try again."""

    def begin(self) -> None:
        bounded = {"spec": {"backlog": {"maxTasks": 10}}}
        seen = self.lab.kube.patch(QUEUES, NAMESPACE, "default", bounded)["metadata"]["generation"]
        assert self.lab.wait(lambda: self._observed() == seen)

    def _observed(self) -> int:
        queue = self.lab.kube.get(QUEUES, NAMESPACE, "default") or {}
        return int((queue.get("status") or {}).get("observedGeneration", 0))

    def meanwhile(self) -> None:
        with self._operator_away():
            publisher = threading.Thread(target=self.lab.submit, args=("full", 24))
            publisher.start()
            assert self.lab.wait(lambda: self.lab.office.mailbox.left() == 10)
            self.times += 1
        publisher.join()

    @contextmanager
    def _operator_away(self) -> Iterator[None]:
        self.lab.operator.kill()
        yield
        self.lab.operator.start()


class Duplicates(Fault):
    """Each message comes five times, with a restart of the server between, which forgets the ids."""

    def meanwhile(self) -> None:
        for _ in range(4):
            for number in range(4):
                self.lab.office.submit(self.lab.named(f"same-{number}", 0, 0))
                self.lab.expected[f"same-{number}"] = "Succeeded"
            self.lab.restart_nats()
            self.times += 1
        for number in range(4):
            self.lab.office.submit(self.lab.named(f"same-{number}", 0, 0))


class PoisonMessages(Fault):
    """Messages that no client of ours sends: each becomes a dead letter, and the operator goes on."""

    def begin(self) -> None:
        self.lab.create(definition("audited", "true"))  # which one of them names: it would wait for it

    def meanwhile(self) -> None:
        process = self.lab.operator.pid
        for data in (data for what, data in POISON.items() if what not in TAKEN):
            self.lab.office.mailbox.post(data)
            self.times += 1
        self.lab.office.poison = self.times
        assert self.lab.wait(lambda: self.lab.office.mailbox.left() == 0)
        assert self.lab.operator.pid == process, "the operator has ended over a message"
