"""Secrets: what a step is told by name, and what stands nowhere else."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional

from proa.errors import PipelineError, ProaError, nearest

_given: Optional[Mapping[str, Mapping[str, str]]] = None


def get_secret(name: str) -> Dict[str, str]:
    """Return a secret's values by key: ``get_secret("database")["password"]``.

    A step gets the secrets that it or its pipeline asks for: ``@step(secrets=["database"])``. Outside of a run, the
    active stack's secrets manager is asked.
    """
    if _given is None:
        from proa import client

        return client.read_secret(name)
    if name not in _given:
        known = nearest(name, list(_given)) if _given else "it was given none"
        raise ProaError(f'this step was not given the secret {name!r}; {known}; ask for it: @step(secrets=["{name}"])')
    return dict(_given[name])


def set_secrets(given: Mapping[str, Mapping[str, str]]) -> None:
    """Set the secrets of the step that runs now; the runner does, once."""
    global _given
    _given = given


def secret_names(value: Any, owner: str) -> Optional[List[str]]:
    """Return the names of secrets as they stand in a spec. owner names the step or pipeline in errors."""
    if value is None:
        return None
    if isinstance(value, str) or not isinstance(value, (list, tuple, set, frozenset)):
        raise PipelineError(f'{owner}: secrets is {value!r}; write a list of names: secrets=["database"]')
    for name in value:
        if not isinstance(name, str) or not name:
            raise PipelineError(
                f"{owner}: secrets holds {name!r}; write names of secrets, which `proa secret list` shows"
            )
    return sorted(set(value))
