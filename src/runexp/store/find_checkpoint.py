"""A checkpoint of a run by what people call it: `best`, `last`, `epoch-3`, `train/best`, `final`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from runexp.diagnostics import did_you_mean
from runexp.store.checkpoints import CheckpointFolder

FINAL = "final"
_NUMBER = re.compile(r"0*(\d+)")


def find_checkpoint(folder: CheckpointFolder, wanted: str, phase: str = "") -> str:
    """The whole name of the one that is meant, in `phase` if that is given. `KeyError` says what there is.

    Numbers are compared as numbers: `epoch-3` is `epoch-0003`.
    """
    names = folder.all_names()
    phases = [phase] if phase else list(dict.fromkeys(name.rpartition("/")[0] for name in names))
    called = {name: [name] for name in names} if not phase else {}
    for label in phases:
        for role, name in _pointed(folder, label):
            _call(called, name, role, label)
        for name in names:
            if name.rpartition("/")[0] == label:
                _call(called, name, name.rpartition("/")[2], label)
    found = called.get(wanted) or called.get(_plain(wanted)) or []
    meant = list(dict.fromkeys(found))
    if len(meant) == 1:
        return meant[0]
    if meant:
        listed = ", ".join(f"`{name}`" for name in sorted(meant))
        raise KeyError(f"`{wanted}` could be {listed}")
    raise KeyError(f"there is no checkpoint `{wanted}`; {_offer(wanted, called, names)}")


def _call(called: dict[str, list[str]], name: str, word: str, label: str) -> None:
    for text in {word, _plain(word)}:
        places = [text, f"{label}/{text}"] if label else [text]
        for place in places:
            called.setdefault(place, []).append(name)


def _pointed(folder: CheckpointFolder, label: str) -> Iterable[tuple[str, str]]:
    try:
        return folder.pointers(label).items() if label else ()
    except (OSError, ValueError, AttributeError):
        return ()


def _plain(word: str) -> str:
    return _NUMBER.sub(r"\1", word)


def _offer(wanted: str, called: Iterable[str], names: Iterable[str]) -> str:
    roles = [word for word in called if word.rpartition("/")[2] in ("best", "last")]
    return did_you_mean(wanted, list(dict.fromkeys([*roles, *names])), kind="checkpoints") or "it has none"
