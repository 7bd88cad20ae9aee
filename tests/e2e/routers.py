"""Several routers on one data directory, each a process of its own."""

from collections.abc import Mapping
from pathlib import Path

import httpx2

from tests.e2e.service import CHECKOUT, Service, eventually

__all__ = ["ALONE", "Fleet"]

ALONE = (str(CHECKOUT / "tests" / "e2e" / "router_alone.py"),)


class Member(Service):
    """One of several: it is found where it said it listens, since `router.url` is that of the last one."""

    @property
    def url(self) -> str:
        said = (self.home / "serve.log").read_text().rpartition(" listens on ")[2]
        return said.split()[0] if said else ""

    @property
    def admin(self) -> dict[str, str]:
        token = (Path(self.env["MODELSCAN_DATA_DIR"]) / "admin.token").read_text().strip()
        return {"authorization": f"Bearer {token}"}

    def start(self) -> "Member":
        (self.home / "serve.log").unlink(missing_ok=True)
        super().start()
        return self


class Fleet:
    """`size` routers in folders of their own below `home`, which share its data directory."""

    def __init__(self, home: Path, size: int, env: Mapping[str, str], program: tuple[str, ...] = ALONE) -> None:
        self.data = home / "data"
        self.generated = home / "generated"
        folders = {"MODELSCAN_DATA_DIR": str(self.data), "MODELSCAN_GENERATION_PATH": str(self.generated)}
        self.members = [Member(home / f"router{place}", {**folders, **env}, program) for place in range(size)]
        for member in self.members:
            member.home.mkdir(parents=True)

    def start(self) -> None:
        for member in self.members:
            member.start()
        self.together()

    def together(self) -> None:
        """Return once each says that limits are shared by all."""
        said = f"Limits are shared by {len(self.members)} routers."
        eventually(lambda: all(part(member, "redis").get("detail") == said for member in self.members), what=said)

    def stop(self) -> None:
        for member in self.members:
            if member.process:
                member.stop()


def part(member: Service, name: str) -> dict[str, str]:
    """What a router says of one of its parts."""
    found: dict[str, str] = httpx2.get(f"{member.url}/health", timeout=10).json()["parts"].get(name, {})
    return found
