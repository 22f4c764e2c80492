"""As whom the engines run: ourselves, or an unprivileged user when we are root."""

import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from app.embedded.layout import EnginesFailed, Places, postgres_program

# PostgreSQL finds its own files with access(2), for which the kernel drops the
# capabilities of anybody but root unless no_setuid_fixup is set. With it, one capability
# (reading and searching any directory) lets the engines live in a checkout below a closed
# directory. The wheel's way is chmod on every parent: it would open root's home to all.
PASSING_CLOSED_DIRECTORIES = (
    "--securebits=+no_setuid_fixup",
    "--inh-caps=+dac_read_search",
    "--ambient-caps=+dac_read_search",
)


@dataclass(frozen=True)
class Account:
    """A user, and the words before a command that make it run as that user."""

    uid: int
    gid: int
    prefix: tuple[str, ...] = ()

    def command(self, *argv: str | Path, death_signal: str = "KILL") -> list[str]:
        """The command as this user; it gets ``death_signal`` when the keeper dies.

        The kernel forgets the death signal when the user changes, so that it is set
        by a second step. Linux only: elsewhere the next keeper stops the orphans.
        """
        setpriv = shutil.which("setpriv")
        mortal = (setpriv, f"--pdeathsig={death_signal}") if setpriv else ()
        return [*self.prefix, *mortal, *map(str, argv)]

    def own(self, path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, self.uid, self.gid)

    def private_directory(self, path: Path) -> None:
        """Make sure of a directory which this user alone may enter.

        In a shared /tmp somebody else may have put one of that name there first.
        """
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {os.geteuid(), self.uid}:
            raise EnginesFailed(f"{path} is not a directory of ours: remove it")
        self.own(path)
        path.chmod(0o700)


def choose(places: Places) -> Account:
    """PostgreSQL refuses to run as root: then take `nobody`, or whom the data belong to."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    nobody = pwd.getpwnam("nobody")
    uid, gid = nobody.pw_uid, nobody.pw_gid
    if places.postgres.exists() and (owner := places.postgres.stat()).st_uid != 0:
        # Made by an ordinary user: changing the owner would lock them out.
        uid, gid = owner.st_uid, owner.st_gid
    setpriv = shutil.which("setpriv")
    if setpriv:
        change = (setpriv, f"--reuid={uid}", f"--regid={gid}", "--clear-groups")
        for extra in (PASSING_CLOSED_DIRECTORIES, ()):  # a default container lacks the capability
            account = Account(uid, gid, (*change, *extra))
            if _reaches(account, places):
                return account
    reach = f"reach both {postgres_program('postgres')} and {places.root}"
    raise EnginesFailed(
        "PostgreSQL does not run as root, and as another user it cannot "
        f"{reach if setpriv else 'be started without the program setpriv'}: "
        "run as an ordinary user, or keep checkout, .venv and QX_DATA_DIR where every user "
        "may enter (not below a 0700 directory such as /root), "
        "or set QX_DATABASE_URL and QX_REDIS_URL"
    )


def _reaches(account: Account, places: Places) -> bool:
    """Whether the account can run the program and enter the engines' directory."""
    probe = 'cd "$1" && exec "$0" --version'
    done = subprocess.run(  # noqa: S603 - our own words and paths
        account.command("/bin/sh", "-c", probe, postgres_program("postgres"), places.root),
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=10,
        check=False,
    )
    return done.returncode == 0
