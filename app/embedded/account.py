"""The user that the engines run as: the current one, or an unprivileged one if that is root."""

import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from app.embedded.layout import EnginesFailed, Places, postgres_program

# PostgreSQL checks its own files with access(2), for which the kernel drops the capabilities
# of all users but root unless no_setuid_fixup is set. With it, one capability (read and search
# any directory) lets the engines run in a checkout below a closed directory. The wheel instead
# runs chmod on every parent, which would open root's home to all users.
PASSING_CLOSED_DIRECTORIES = (
    "--securebits=+no_setuid_fixup",
    "--inh-caps=+dac_read_search",
    "--ambient-caps=+dac_read_search",
)


@dataclass(frozen=True)
class Account:
    """A user, and the command prefix that runs a command as that user."""

    uid: int
    gid: int
    prefix: tuple[str, ...] = ()

    def command(self, *argv: str | Path, death_signal: str = "KILL") -> list[str]:
        """Return the command as this user; it gets ``death_signal`` when the keeper dies.

        The kernel clears the death signal when the user changes, so it is set in a second step.
        Linux only: on other systems the next keeper stops the orphans.
        """
        setpriv = shutil.which("setpriv")
        mortal = (setpriv, f"--pdeathsig={death_signal}") if setpriv else ()
        return [*self.prefix, *mortal, *map(str, argv)]

    def own(self, path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, self.uid, self.gid)

    def private_directory(self, path: Path) -> None:
        """Ensure a directory that only this user can enter. Raises EnginesFailed.

        In a shared /tmp another user may have created one of that name.
        """
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {os.geteuid(), self.uid}:
            raise EnginesFailed(f"{path} is not a directory of ours: remove it")
        self.own(path)
        path.chmod(0o700)


def with_a_name(command: list[str]) -> list[str]:
    """Return a command that runs where the current user has a name. Raises EnginesFailed.

    initdb refuses a user without an entry in the passwd database, such as a container platform
    assigns. In a namespace of its own the same user appears as one that has an entry.
    """
    if not (why := no_name()):
        return command
    unshare = shutil.which("unshare")
    named = next((one.pw_uid for one in pwd.getpwall() if one.pw_uid != 0), None)
    if unshare is None or named is None:
        raise EnginesFailed(f"initdb cannot be run{why}")
    return [unshare, "--user", f"--map-user={named}", "--", *command]


def no_name() -> str:
    """Return why initdb fails for the current user and what to do; nothing if it has a name."""
    uid = os.geteuid()
    try:
        pwd.getpwuid(uid)  # not getpwall: a directory service may answer without listing all
    except KeyError:
        return (
            f": user {uid} has no entry in /etc/passwd, and got no user namespace instead;"
            " add an entry, run as another user, or set QX_DATABASE_URL and QX_REDIS_URL"
        )
    return ""


def choose(places: Places) -> Account:
    """Return the account. PostgreSQL refuses root: use `nobody` or the owner of the data.

    Raises EnginesFailed if that user cannot reach the program and the data.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    nobody = pwd.getpwnam("nobody")
    uid, gid = nobody.pw_uid, nobody.pw_gid
    if places.postgres.exists() and (owner := places.postgres.stat()).st_uid != 0:
        # Created by an ordinary user, who would lose access if the owner changed.
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
