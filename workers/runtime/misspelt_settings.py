"""Finds variables that look like settings and are none, and values that were copied wrongly.

A misspelt name would be ignored in silence, and the product would run in another mode than its owner believes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches

from workers.errors import SettingsError
from workers.runtime.environment import DATA_DIR, HOME
from workers.runtime.settings import Settings

PREFIX = "TRACKWALKER_"  # of the settings that are ours alone
OWN_NAME_RATIO = (
    0.8  # of similarity: from here on, the beginning of a name counts as ours: TRACKWALKR, TRACK_WALKER
)
CLOSEST_RATIO = 0.6  # of similarity after the prefix, which all names share
SHARED_RATIO = 0.85  # for names without our prefix: an environment holds many variables that are no settings
PROVIDER_KEY = re.compile(r"\w*_(API_KEY|AUTH_TOKEN)")  # belongs to a model's provider, of any name
# Railway sets these, and others whose names are similar, for instance RAILWAY_PROJECT_NAME.
SET_BY_RAILWAY = frozenset(
    ("RAILWAY_PROJECT_ID", "RAILWAY_ENVIRONMENT_ID", "RAILWAY_SERVICE_ID", "RAILWAY_PUBLIC_DOMAIN", "PORT")
)
# Kubernetes sets these in every container beside a service named `trackwalker`:
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
SET_BY_KUBERNETES = re.compile(r"TRACKWALKER_(SERVICE_HOST|SERVICE_PORT\w*|PORT|PORT_\d+_\w+)")
KUBERNETES_MARK = "TRACKWALKER_SERVICE_HOST"
QUOTES = "\"'“”‘’«»`"
# `<token>`, `${TOKEN}`, `your-token`, `xoxb-...`, `changeme`: what documentation shows in place of a value.
PLACEHOLDER = re.compile(
    r"<[^<>]*>|\$\{?\w+\}?|\W*(change[-_ ]?me|todo|xxx+|your[-_ ][-_\w ]*)\W*|[\w-]*(…|\.\.\.)", re.IGNORECASE
)


@dataclass(frozen=True)
class UnknownSetting:
    """A variable that looks like a setting and is none; `closest` is the setting with the most similar name."""

    name: str
    closest: str | None

    def __str__(self) -> str:
        hint = f"; did you mean {self.closest}?" if self.closest else ""
        return f"{self.name} is not a setting{hint}"


def setting_names() -> frozenset[str]:
    """The name of every setting."""
    fields = Settings.model_fields.values()
    return frozenset(
        {str(field.validation_alias) for field in fields if field.validation_alias} | {DATA_DIR, HOME}
    )


def unknown_names(names: Iterable[str]) -> list[UnknownSetting]:
    """The names that start like ours and are no setting, in alphabetical order: most likely misspelt.

    Another case, a dash, or an error in `TRACKWALKER` itself is one, too: `trackwalker_mode`, `TRACKWALKR_MODE`.
    """
    known, present = setting_names(), set(names)
    if KUBERNETES_MARK in present:
        present = {name for name in present if not SET_BY_KUBERNETES.fullmatch(name)}
    ours = [name for name in known if name.startswith(PREFIX)]
    unknown = sorted(name for name in present - known if _looks_like_ours(name))
    return [UnknownSetting(name, _closest(name, ours)) for name in unknown]


def similar_names(names: Iterable[str]) -> list[UnknownSetting]:
    """The names that are almost those of settings without our prefix, as SLACK_TOKEN is of SLACK_BOT_TOKEN.

    Only of settings that are not set: beside the right name, another one is likely somebody else's.
    """
    present = set(names)
    shared = [name for name in setting_names() - SET_BY_RAILWAY - present if not name.startswith(PREFIX)]
    result = []
    for name in sorted(present - setting_names()):
        if _looks_like_ours(name) or PROVIDER_KEY.fullmatch(name):
            continue
        if closest := _closest(name, shared, SHARED_RATIO):
            result.append(UnknownSetting(name, closest))
    return result


def refuse_unknown(names: Iterable[str]) -> None:
    """Raise SettingsError if a name looks like one of our settings and is none."""
    unknown = unknown_names(names)
    if unknown:
        raise SettingsError(*((setting.name, _unknown_reason(setting)) for setting in unknown))


def _unknown_reason(setting: UnknownSetting) -> str:
    return f"is not a setting{f'; did you mean {setting.closest}?' if setting.closest else '. Remove it'}"


def wrongly_copied(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """The settings whose value is a placeholder or has quotes around it, and what to do. No value is quoted."""
    problems = []
    for name in sorted(setting_names() & environ.keys()):
        value = environ[name]
        if len(value) > 1 and value[0] in QUOTES and value[-1] in QUOTES:
            problems.append((name, "has quotes around its value: remove them"))
        elif PLACEHOLDER.fullmatch(value):
            problems.append((name, "still holds a placeholder: set your own value"))
    return problems


def _plain(name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", name.upper())


def _looks_like_ours(name: str) -> bool:
    plain, own = _plain(name), _plain(PREFIX)
    # The name may be one letter shorter or longer than ours.
    starts = (plain[: len(own) + change] for change in (-1, 0, 1))
    return plain.startswith(own) or (
        "_" in name[len(own) - 2 :] and any(_ratio(start, own) > OWN_NAME_RATIO for start in starts)
    )


def _closest(name: str, candidates: Iterable[str], ratio: float = CLOSEST_RATIO) -> str | None:
    own = _plain(PREFIX)
    by_stem = {_plain(candidate).removeprefix(own): candidate for candidate in candidates}
    plain = _plain(name)
    stem = plain.removeprefix(own)
    if stem == plain and _looks_like_ours(name):
        stem = _plain(name[len(PREFIX) - 2 :].partition("_")[2])
    matches = get_close_matches(stem, by_stem, n=1, cutoff=ratio)
    return by_stem[matches[0]] if matches else None


def _ratio(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other).ratio()
