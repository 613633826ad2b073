"""Opens the engine of a watch; a server that is away at the start (a PC that has just come up) is waited for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from uploader.bootstrap import Settings, SystemClock, open_engine
from uploader.engine.limits import Limits
from uploader.engine.run import Engine
from uploader.model.errors import RemoteError, Retry, UploaderError
from uploader.stages.roots import make_root
from uploader.watch.lookout import RESCAN_S, SETTLE_S, FolderLookout
from uploader.watch.observers import Hints, WatchdogHints
from validation.spec.model import Spec

FIRST_WAIT_S = 5.0
LONGEST_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to watch, how, and where to carry it."""

    settings: Settings
    folders: Sequence[Path]
    spec: Spec | None = None
    limits: Limits = field(default_factory=Limits)
    settle_s: float = SETTLE_S
    rescan_s: float = RESCAN_S


class Stop:
    """Ends the watch, whether its engine is open yet or not; may be called from a signal handler."""

    def __init__(self, clock: SystemClock) -> None:
        self._clock = clock
        self._is_asked = False
        self._engine: Engine | None = None

    def __call__(self) -> None:
        """End it."""
        self._is_asked = True
        self._clock.hurry()
        if self._engine is not None:
            self._engine.stop()

    def is_asked(self) -> bool:
        """Whether it was."""
        return self._is_asked

    def attach(self, engine: Engine) -> None:
        """The engine is open: end it as well, at once if it was asked for meanwhile."""
        self._engine = engine
        if self._is_asked:
            engine.stop()


@contextmanager
def open_watch(
    wanted: Wanted,
    stop: Stop,
    clock: SystemClock,
    *,
    waiting: Callable[[UploaderError, float], None],
    hints: Callable[[], Hints] = WatchdogHints,
) -> Iterator[tuple[Engine, FolderLookout] | None]:
    """The engine, holding the folders, and what looks at them; None when stopped before the server was there.

    `waiting` hears why the server could not be had and after how many seconds it is asked again. Raises
    UploaderError for what waiting does not help: no such folder, no login, a folder that another engine holds.
    """
    roots = list({root.key: root for root in map(make_root, wanted.folders)}.values())
    lookout = FolderLookout(roots, clock, hints(), settle_s=wanted.settle_s, rescan_s=wanted.rescan_s)
    limits = replace(wanted.limits, patience_s=float("inf"), login_patience_s=float("inf"))
    wait_s = FIRST_WAIT_S
    with ExitStack() as stack:
        stack.callback(lookout.close)
        while not stop.is_asked():
            try:
                engine = stack.enter_context(
                    open_engine(
                        wanted.settings, roots=wanted.folders, spec=wanted.spec, limits=limits, choice=lookout
                    )
                )
            except RemoteError as error:
                if error.retry is not Retry.LATER:
                    raise
                waiting(error, wait_s)
                clock.sleep(wait_s)
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
                continue
            stop.attach(engine)
            yield engine, lookout
            return
        yield None
