"""Leaves a wish for the running engines in the journal and tells what each of them made of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from uploader.bootstrap import Settings, SystemClock
from uploader.cli.console import Console
from uploader.cli.exits import Exit
from uploader.cli.memory import memory, running_engines
from uploader.model.control import Command, CommandQueue, EngineRecord, Verb
from uploader.model.ports import Clock

ANSWER_WITHIN_S: Final = 2.0
"""An engine looks for commands four times a second; one that is busy opening files takes a little longer."""
LOOK_EVERY_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Addressed:
    """A wish for one engine: which one, and which path of it."""

    engine: EngineRecord
    path: str
    """Absolute; empty: all of its run."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What an engine made of a wish."""

    to: Addressed
    answer: str
    """Empty: it has not answered yet."""


def steer(
    console: Console, verb: Verb, *, paths: Sequence[Path] = (), run: str = "", value: str = ""
) -> Exit:
    """Post the wish to every running engine that it concerns, wait a little, and say what each has done.

    Nothing is posted when no engine runs, or when one of the paths belongs to none of them: exit code 1.
    """
    with memory(Settings.from_environment()) as journal:
        engines = [] if journal is None else _chosen(running_engines(journal), run)
        wishes = [(path, _addressed(engines, path)) for path in paths]
        strangers = [path for path, found in wishes if not found]
        if journal is None or not engines or strangers:
            _say_nobody(console, engines, strangers, run)
            return Exit.SOMETHING_LEFT
        to = [each for _, found in wishes for each in found] or [Addressed(one, "") for one in engines]
        answered = _asked(journal, verb, value, to, SystemClock())
    _say(console, verb, value, answered)
    return Exit.DONE if all(each.answer for each in answered) else Exit.SOMETHING_LEFT


def _chosen(engines: Sequence[EngineRecord], run: str) -> list[EngineRecord]:
    """The engines of this run (the beginning of its id is enough), or all of them."""
    return [engine for engine in engines if engine.run.startswith(run)]


def _addressed(engines: Sequence[EngineRecord], path: Path) -> list[Addressed]:
    """Every engine that has this file or folder, or folders below it."""
    found = []
    for engine in engines:
        inside = {place: None for root in engine.roots if (place := _place(path, Path(root)))}
        found += [Addressed(engine, place) for place in inside]
    return found


def _place(path: Path, root: Path) -> str:
    """The path as an engine of this root names it; empty when it has nothing to do with the root.

    A folder above the root stands for the whole of it.
    """
    spellings = ((Path(os.path.abspath(path)), root), (Path(os.path.realpath(path)), _real(root)))  # noqa: PTH100
    for asked, known in spellings:
        if asked.is_relative_to(known):
            return str(root / asked.relative_to(known))
        if known.is_relative_to(asked):
            return str(root)
    return ""


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _asked(
    queue: CommandQueue, verb: Verb, value: str, to: Sequence[Addressed], clock: Clock
) -> list[Answered]:
    """Post one command per engine and path, and wait for what they say."""
    posted = {
        queue.post(Command(verb, run=each.engine.run, path=each.path, value=value)): each for each in to
    }
    answers = _wait(queue, posted, clock)
    return [Answered(each, answers.get(number, "")) for number, each in posted.items()]


def _wait(queue: CommandQueue, posted: Mapping[int, Addressed], clock: Clock) -> Mapping[int, str]:
    until = clock.monotonic() + ANSWER_WITHIN_S
    answers: dict[int, str] = {}
    while True:
        for number, each in posted.items():
            if number not in answers and (answer := queue.answers(number).get(each.engine.run)) is not None:
                answers[number] = answer or "done"
        if len(answers) == len(posted) or clock.monotonic() >= until:
            return answers
        clock.sleep(LOOK_EVERY_S)


def _say_nobody(
    console: Console, engines: Sequence[EngineRecord], strangers: Sequence[Path], run: str
) -> None:
    if console.json_lines:
        console.emit(
            {"schema": "nanoferry.answers/1", "answers": [], "not_found": [str(p) for p in strangers]}
        )
    if not engines:
        which = f"No engine of run {run} is running" if run else "No engine is running"
        console.note(f"{which}; nothing was asked of anybody.")
        console.note("`nanoferry status` shows the latest runs; `nanoferry upload` or `engine` starts one.")
        return
    for path in strangers:
        console.note(f"No running engine has {path}; nothing was asked of anybody.")
    console.note("Running:", *(f"  {root}  (run {each.run})" for each in engines for root in each.roots))


def _say(console: Console, verb: Verb, value: str, answered: Sequence[Answered]) -> None:
    if console.json_lines:
        answers = [
            {
                "run": each.to.engine.run,
                "path": each.to.path,
                "taken": bool(each.answer),
                "answer": each.answer,
            }
            for each in answered
        ]
        console.emit(
            {"schema": "nanoferry.answers/1", "verb": verb.value, "value": value, "answers": answers}
        )
        return
    console.say(*_lines(answered))


def _lines(answered: Sequence[Answered]) -> Iterator[str]:
    for each in answered:
        about = each.to.path or ", ".join(each.to.engine.roots)
        words = (
            each.answer
            or "no answer yet; the wish stays posted and is carried out when the engine comes to it"
        )
        yield f"{about}: {words} (run {each.to.engine.run})"
