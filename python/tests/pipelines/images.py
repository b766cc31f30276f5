"""Every setting of an image there is."""

from proa import DockerConfiguration, DockerSettings, pipeline, step


@step(
    settings={
        "docker": DockerSettings(
            parent_image="registry.example.com/base:1",
            requirements=["six", "-c images_bounds.txt", "--pre"],
            python_package_installer="uv",
            python_package_installer_args={"index-strategy": "unsafe-best-match", "no-cache": None},
            build_secrets={"INDEX_TOKEN": "{{index.token}}"},
            runtime_environment={"LEVEL": "step"},
            user=1000,
            platform=["linux/amd64", "linux/arm64"],
            code="store",
            target_repository="team/steps",
            image_tag="v1",
            prevent_build_reuse=True,
        )
    }
)
def own() -> int:
    return 1


@step(settings={"docker": DockerConfiguration(skip_build=True, parent_image="ready:1", source_files="ignore")})
def ready() -> int:
    return 2


@step(
    settings={
        "docker": {
            "dockerfile": "images.dockerfile",
            "build_context_root": ".",
            "build_options": {"buildargs": {"VERSION": "1"}, "target": "run"},
            "apt_packages": ["git", "libgomp1"],
        }
    }
)
def engine() -> int:
    return 3


@pipeline(
    settings={
        "docker": DockerSettings(
            requirements="images.txt",
            required_integrations=["pillow"],
            install_stack_requirements=False,
            environment={"OMP_NUM_THREADS": "1"},
            runtime_environment={"LEVEL": "pipeline", "MODE": "test"},
            dockerignore="images.dockerignore",
            copy_files=True,
        )
    }
)
def images():
    own()
    ready()
    engine()


if __name__ == "__main__":
    images()
