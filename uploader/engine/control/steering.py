"""What the conductor looks at between events: commands, outages, the schedule, and what to say of the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from uploader.engine.control.commands import Commands, Orders
from uploader.engine.control.levers import Halt, Levers
from uploader.engine.control.lookout import Lookout, Outlook
from uploader.engine.control.speaking import Speaker
from uploader.engine.in_hand import InHand
from uploader.engine.loader import Loader
from uploader.engine.outbox import Outbox
from uploader.engine.task import Task
from uploader.model.control import EngineState
from uploader.model.events import CommandTaken, Event, Parked, Paused, Resumed, Watching
from uploader.model.ports import Journal

COMMANDS_EVERY_S = 0.25
LIMIT_EVERY_S = 1.0


class Steering:
    """One for each run; for the conductor's thread."""

    def __init__(
        self,
        task: Task,
        journal: Journal,
        levers: Levers,
        stop: Callable[[], None],
        orders: Orders | None = None,
    ) -> None:
        self.levers = levers
        self._task, self._journal = task, journal
        self._orders = orders or Orders()
        self._commands = Commands(task, journal, levers, stop, self._orders)
        self._speaker = Speaker(task, journal, levers)
        self._loader: Loader | None = None
        self._state = EngineState.SURVEYING
        self._commands_s = self._limit_s = float("-inf")
        self._paused_s: float | None = None
        self._halt: Halt | None = None
        if not self._orders.is_paused:
            levers.gate.open()

    def attach(self, loader: Loader, in_hand: InHand, outbox: Outbox) -> None:
        """The line is there, and those who work on it."""
        self._loader = loader
        self._commands.attach(loader, in_hand, outbox)
        self._speaker.attach(outbox)
        self._state = EngineState.SENDING

    def look(self) -> Iterator[Event]:
        """Take commands, hear of outages, set the limit, say how it goes; each as often as is due."""
        now_s = self._task.clock.monotonic()
        if now_s - self._commands_s >= COMMANDS_EVERY_S:
            self._commands_s = now_s
            yield from self._take_commands()
        yield from self._health()
        yield from self._pauses(now_s)
        if now_s - self._limit_s >= LIMIT_EVERY_S:
            self._limit_s = now_s
            if not self._orders.has_limit:
                self.levers.bandwidth.set_limit(self.levers.limit_now())
        yield from self._speaker.look(self.state, self._halt)

    def hold(self, listen: Callable[[], Iterator[Event]]) -> Iterator[Event]:
        """Wait until a person lets it send, or ends the run; `listen` waits a moment and yields what was told."""
        self._state = EngineState.READY
        while not self._commands.is_told_to_send and not self._task.stopped():
            yield from self.look()
            yield from listen()
        self._state = EngineState.SENDING

    def stand_by(self, lookout: Lookout) -> Iterator[Event]:
        """Answer, and let `lookout` look, until there is work for a run or a person ends the engine."""
        self._state, self._commands.is_standing_by = EngineState.WATCHING, True
        self._speaker.say(self._state, None)
        told: Outlook | None = None
        while not self._task.stopped():
            outlook = lookout.look(at_once=self._commands.wants_run)
            self._commands.wants_run = False
            if outlook.has_work:
                break
            if outlook != told:
                told, self._speaker.waits_for = outlook, outlook.words
                yield self._task.event(
                    Watching,
                    settling=outlook.settling,
                    examples=outlook.examples,
                    away=outlook.away,
                    note=outlook.note,
                )
            yield from self.look()
            self._task.clock.sleep(COMMANDS_EVERY_S)
        self._state, self._commands.is_standing_by = EngineState.SURVEYING, False

    def finished(self) -> None:
        """The run has ended: say so."""
        self._speaker.say(EngineState.FINISHED, None)

    def counted(self, outcomes: Counter[str]) -> Counter[str]:
        """Files by outcome; a file that was tried again counts by its last one."""
        if not self._commands.has_retried:
            return outcomes
        return Counter(result.outcome.value for result in self._journal.results(self._task.run))

    @property
    def state(self) -> EngineState:
        """What the engine is at."""
        if self._state is not EngineState.SENDING:
            return self._state
        if self._halt is not None:
            return EngineState.PARKED
        return EngineState.PAUSED if self._is_paused() else EngineState.SENDING

    def _is_paused(self) -> bool:
        return self._orders.is_paused or (self._loader is not None and self._loader.has_only_paused)

    def _take_commands(self) -> Iterator[Event]:
        for command in self._journal.pending(self._task.run):
            if not self._commands.can_take(command):
                continue
            answer = self._commands.carry_out(command)
            self._journal.took(self._task.run, command.command_id, answer)
            yield self._task.event(
                CommandTaken,
                verb=command.verb.value,
                answer=answer,
                path=command.path,
                value=command.value,
            )

    def _health(self) -> Iterator[Event]:
        for heard in self.levers.news.news():
            if isinstance(heard, Halt):
                self._halt = heard
                yield self._task.event(
                    Parked,
                    cause=heard.cause,
                    remedy=heard.remedy,
                    goes_on_by_itself=True,
                    next_look_s=round(heard.next_look_s, 1),
                )
            else:
                self._halt = None
                yield self._task.event(Resumed, after_s=round(heard, 1))

    def _pauses(self, now_s: float) -> Iterator[Event]:
        """Tell once that everything rests, and once that it goes on."""
        if self._paused_s is None:
            if self._is_paused() and not self.levers.gate.in_flight:
                self._paused_s = now_s
                yield self._task.event(Paused)
        elif not self._is_paused():
            after_s, self._paused_s = now_s - self._paused_s, None
            yield self._task.event(Resumed, after_s=round(after_s, 1))
