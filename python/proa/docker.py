"""Settings of the image that a step runs in."""

from __future__ import annotations

import hashlib
import shlex
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

from proa.errors import PipelineError, nearest
from proa.fields import filled, show
from proa.requirements import Requirements

_LOCKS = ("pyproject.toml", "uv.lock")
#: What the names for ways of bringing code mean.
_SOURCE_FILES = {"include": "image", "download": "store", "download_or_include": "image", "ignore": "none"}


class Project:
    """Where files that settings name are: relative to the script, or else to the root."""

    def __init__(self, root: Path, main: Path) -> None:
        self.root = root
        self.folder = main.parent

    def find(self, path: Union[str, Path]) -> Path:
        """Return the file that a path in settings means."""
        for folder in (self.folder, self.root):
            if (folder / path).is_file():
                return folder / path
        return self.folder / path


class DockerSettings:
    """What the image of a step is made of. No Docker is needed to build it.

    ``requirements`` is a list of lines of a requirements file, or the path of a requirements file, ``pyproject.toml``,
    ``uv.lock`` or ``pylock.toml``, relative to the script. docs/images.md says what each setting means.
    """

    def __init__(
        self,
        *,
        parent_image: Optional[str] = None,
        requirements: Union[Sequence[str], str, Path, None] = None,
        pyproject_path: Union[str, Path, None] = None,
        pyproject_extras: Optional[Sequence[str]] = None,
        pyproject_groups: Optional[Sequence[str]] = None,
        replicate_local_python_environment: Union[bool, str, None] = None,
        required_integrations: Optional[Sequence[str]] = None,
        install_stack_requirements: Optional[bool] = None,
        python_package_installer: Optional[str] = None,
        python_package_installer_args: Union[Sequence[str], Mapping[str, Any], None] = None,
        build_secrets: Optional[Mapping[str, str]] = None,
        apt_packages: Optional[Sequence[str]] = None,
        environment: Optional[Mapping[str, str]] = None,
        runtime_environment: Optional[Mapping[str, str]] = None,
        user: Union[str, int, None] = None,
        platform: Union[str, Sequence[str], None] = None,
        code: Optional[str] = None,
        copy_files: Optional[bool] = None,
        source_files: Optional[str] = None,
        dockerignore: Union[str, Path, None] = None,
        target_repository: Optional[str] = None,
        image_tag: Optional[str] = None,
        skip_build: Optional[bool] = None,
        prevent_build_reuse: Optional[bool] = None,
        dockerfile: Union[str, Path, None] = None,
        build_context_root: Union[str, Path, None] = None,
        build_options: Optional[Mapping[str, Any]] = None,
    ) -> None:
        self.parent_image = parent_image
        self.requirements = requirements
        self.pyproject_path = pyproject_path
        self.pyproject_extras = pyproject_extras
        self.pyproject_groups = pyproject_groups
        self.replicate_local_python_environment = replicate_local_python_environment
        self.required_integrations = required_integrations
        self.install_stack_requirements = install_stack_requirements
        self.python_package_installer = python_package_installer
        self.python_package_installer_args = python_package_installer_args
        self.build_secrets = build_secrets
        self.apt_packages = apt_packages
        self.environment = environment
        self.runtime_environment = runtime_environment
        self.user = user
        self.platform = platform
        self.code = code
        self.copy_files = copy_files
        self.source_files = source_files
        self.dockerignore = dockerignore
        self.target_repository = target_repository
        self.image_tag = image_tag
        self.skip_build = skip_build
        self.prevent_build_reuse = prevent_build_reuse
        self.dockerfile = dockerfile
        self.build_context_root = build_context_root
        self.build_options = build_options

    def __repr__(self) -> str:
        return show(self)

    def document(self, project: Project) -> Dict[str, Any]:
        """Return the settings as they stand in a spec."""
        wanted, lock = self._wanted(project)
        return filled(
            parent_image=self.parent_image,
            requirements=wanted.specifiers or None,
            constraints=wanted.constraints or None,
            index_options=wanted.index_options or None,
            lock=lock,
            required_integrations=_list("required_integrations", self.required_integrations),
            install_stack_requirements=_flag("install_stack_requirements", self.install_stack_requirements),
            python_package_installer=_text("python_package_installer", self.python_package_installer),
            python_package_installer_args=[*wanted.arguments, *_arguments(self.python_package_installer_args)] or None,
            build_secrets=_variables("build_secrets", self.build_secrets),
            apt_packages=_list("apt_packages", self.apt_packages),
            environment=_variables("environment", self.environment),
            runtime_environment=_variables("runtime_environment", self.runtime_environment),
            user=None if self.user is None else str(self.user),
            platform=self._platform(),
            code=self._code(),
            dockerignore=self._file(project, "dockerignore", self.dockerignore),
            target_repository=_text("target_repository", self.target_repository),
            image_tag=_text("image_tag", self.image_tag),
            skip_build=_flag("skip_build", self.skip_build),
            prevent_build_reuse=_flag("prevent_build_reuse", self.prevent_build_reuse),
            dockerfile=self._file(project, "dockerfile", self.dockerfile),
            build_context_root=None if self.build_context_root is None else _relative(project, self.build_context_root),
            build_options=dict(self.build_options) if self.build_options else None,
        )

    def _wanted(self, project: Project) -> Tuple[Requirements, Optional[Dict[str, Any]]]:
        wanted = Requirements(project.root)
        locks = [Path(self.pyproject_path)] if self.pyproject_path is not None else []
        given = self.requirements
        if isinstance(given, (str, Path)):
            if _is_lock(Path(given)):
                locks.append(Path(given))
            else:
                wanted.read(project.find(given))
        elif given:
            wanted.add(_list("requirements", given) or [], project.folder)
        locks += self._replicate(project, wanted)
        if len(locks) > 1:
            raise PipelineError(
                f"docker settings: {locks[0]} and {locks[1]} both say what to install; name one of them"
            )
        if not locks and (self.pyproject_extras or self.pyproject_groups):
            raise PipelineError(
                "docker settings: pyproject_extras and pyproject_groups choose from a pyproject.toml or uv.lock; "
                'name it with requirements="pyproject.toml"'
            )
        return wanted, self._lock(project, locks[0], wanted) if locks else None

    def _replicate(self, project: Project, wanted: Requirements) -> List[Path]:
        """Add what this Python has installed, or return the lock file that says so."""
        way = self.replicate_local_python_environment
        if way is None or way is False:
            return []
        from proa import freeze

        if way is True or way == "pip_freeze":
            wanted.add(freeze.installed(project.root), project.folder)
        elif way == "poetry_export":
            wanted.add(freeze.poetry(project.root), project.root)
        elif way in ("uv", "pylock"):
            return [freeze.lock_file(project.folder, "uv.lock" if way == "uv" else "pylock.toml")]
        else:
            ways = ("pip_freeze", "poetry_export", "uv", "pylock")
            raise PipelineError(
                f"docker settings: replicate_local_python_environment is {way!r}; {nearest(str(way), ways)}"
            )
        return []

    def _lock(self, project: Project, path: Path, wanted: Requirements) -> Dict[str, Any]:
        found = project.find(path)
        try:
            digest = hashlib.sha256(found.read_bytes()).hexdigest()
        except OSError as error:
            raise PipelineError(f"docker settings: {found} can't be read: {error.strerror}") from error
        return {
            "path": wanted.relative(found),
            "digest": f"sha256:{digest}",
            **filled(
                extras=_list("pyproject_extras", self.pyproject_extras),
                groups=_list("pyproject_groups", self.pyproject_groups),
            ),
        }

    def _platform(self) -> Optional[str]:
        if self.platform is None or isinstance(self.platform, str):
            return self.platform
        return ",".join(_list("platform", self.platform) or []) or None

    def _code(self) -> Optional[str]:
        said = {
            "code": self.code,
            "copy_files": None if self.copy_files is None else ("image" if self.copy_files else "none"),
            "source_files": self._source_files(),
        }
        ways = {name: way for name, way in said.items() if way is not None}
        if len(set(ways.values())) > 1:
            raise PipelineError(f"docker settings: {' and '.join(ways)} contradict each other; give one of them")
        return next(iter(ways.values()), None)

    def _source_files(self) -> Optional[str]:
        if self.source_files is None:
            return None
        if self.source_files not in _SOURCE_FILES:
            near = nearest(str(self.source_files), list(_SOURCE_FILES))
            raise PipelineError(f"docker settings: source_files is {self.source_files!r}; {near}")
        return _SOURCE_FILES[self.source_files]

    def _file(self, project: Project, what: str, path: Union[str, Path, None]) -> Optional[str]:
        if path is None:
            return None
        if not project.find(path).is_file():
            raise PipelineError(f"docker settings: {what} is {path}, and there is no such file")
        return _relative(project, project.find(path))


#: The name that this class had at first.
DockerConfiguration = DockerSettings


def _is_lock(path: Path) -> bool:
    return path.name in _LOCKS or (path.name.startswith("pylock.") and path.suffix == ".toml")


def _relative(project: Project, path: Union[str, Path]) -> str:
    return Requirements(project.root).relative(project.folder / path)


def _list(what: str, values: Optional[Sequence[str]]) -> Optional[List[str]]:
    if values is None:
        return None
    if isinstance(values, str) or not hasattr(values, "__iter__"):
        raise PipelineError(f"docker settings: {what} is {values!r}; write a list of texts")
    return _strings(what, list(values)) or None


def _variables(what: str, values: Optional[Mapping[str, str]]) -> Optional[Dict[str, str]]:
    if values is None:
        return None
    if not isinstance(values, Mapping):
        raise PipelineError(f"docker settings: {what} is {values!r}; write a dict of texts")
    _strings(what, [*values, *values.values()])
    return dict(values) or None


def _strings(what: str, values: List[Any]) -> List[str]:
    for value in values:
        if not isinstance(value, str):
            raise PipelineError(
                f"docker settings: {what} holds {value!r}, which is of type {type(value).__name__}; write text"
            )
    return values


def _text(what: str, value: Optional[str]) -> Optional[str]:
    if value is not None and not isinstance(value, str):
        raise PipelineError(f"docker settings: {what} is {value!r}; write text")
    return value


def _flag(what: str, value: Optional[bool]) -> Optional[bool]:
    if value is not None and not isinstance(value, bool):
        raise PipelineError(f"docker settings: {what} is {value!r}; write True or False")
    return value


def _arguments(given: Union[Sequence[str], Mapping[str, Any], None]) -> List[str]:
    """Return arguments of the installer; a dict names options, whose value may be None."""
    if given is None:
        return []
    if isinstance(given, str):
        return shlex.split(given)
    if not isinstance(given, Mapping):
        return _strings("python_package_installer_args", list(given))
    out: List[str] = []
    for key, value in given.items():
        option = key if key.startswith("-") else f"--{key}"
        out.append(option if value is None or value is True else f"{option}={value}")
    return out
