"""Words before a command that let nothing of whoever calls through to it: what is not given, it does not get.

A program inherits more than its environment: keyrings, the working folder, umask, limits, the signals that are
ignored or blocked, how nice it is. A script that nobody knows must not see what a caller keeps there (tokens of a CI
job, a password in a keyring), and must not behave otherwise because a caller has set something odd. Descriptors but
the three of its own are closed, and the terminal is left, by whoever starts the words (`close_fds`,
`start_new_session`).

What remains is the caller's: the processors he may run on, the control group, and without root a hard limit that is
lower than the usual one.

Source: credentials(7) and execve(2) for what is inherited; keyctl_join_session_keyring(3); the numbers of the two
system calls from the kernel's tables (arch/*/entry/syscalls, include/uapi/asm-generic/unistd.h); the limits are those
that the kernel gives the first process (include/asm-generic/resource.h), with more open files, as systemd gives.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from pathlib import Path

from harness.errors import PreconditionError

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_NUMBERS = {"x86_64": (250, 14), "aarch64": (219, 135), "riscv64": (219, 135), "ppc64le": (271, 174)}
"""Machine → the numbers of keyctl(2) and rt_sigprocmask(2)."""
_BECOME = r"""
my ($keyctl, $mask, %given) = (splice(@ARGV, 0, 2), map { split /=/, $_, 2 } splice @ARGV, 0, shift @ARGV);
if (syscall($keyctl, 1, 0) < 0 && !$!{ENOSYS} && !$!{EPERM}) { die "no keyring of its own: $!\n" }
syscall($mask, 2, my $none = "\0" x 8, 0, 8) == 0 or die "signals stay blocked: $!\n";
$SIG{$_} = 'DEFAULT' for grep { !/^(KILL|STOP|__)/ } keys %SIG;
setpriority 0, 0, 0;
umask 022;
chdir '/';
%ENV = %given;
exec { $ARGV[0] } @ARGV or die "$ARGV[0]: $!\n";
"""
"""Perl, since it is there in two milliseconds. A kernel without keyrings, or a container that forbids them, refuses
the call with ENOSYS or EPERM, and whoever comes after asks in vain, too. 2 is SIG_SETMASK.
"""
_MOST = resource.RLIM_INFINITY
_MEGABYTE = 1 << 20
_LIMITS: dict[str, tuple[int, int, int]] = {
    "as": (resource.RLIMIT_AS, _MOST, _MOST),
    "core": (resource.RLIMIT_CORE, 0, 0),
    "cpu": (resource.RLIMIT_CPU, _MOST, _MOST),
    "data": (resource.RLIMIT_DATA, _MOST, _MOST),
    "fsize": (resource.RLIMIT_FSIZE, _MOST, _MOST),
    "memlock": (resource.RLIMIT_MEMLOCK, 8 * _MEGABYTE, 8 * _MEGABYTE),
    "msgqueue": (resource.RLIMIT_MSGQUEUE, 819_200, 819_200),
    "nice": (resource.RLIMIT_NICE, 0, 0),
    "nofile": (resource.RLIMIT_NOFILE, 1024, 524_288),
    "rss": (resource.RLIMIT_RSS, _MOST, _MOST),
    "rtprio": (resource.RLIMIT_RTPRIO, 0, 0),
    "stack": (resource.RLIMIT_STACK, 8 * _MEGABYTE, _MOST),
}
"""Name in prlimit(1) → number, soft and hard. How many processes there may be is said where a program is started."""
_SYS_RESOURCE = 24
"""Bit of the capability to raise a limit. Source: linux/capability.h."""


def bare(environment: Mapping[str, str]) -> list[str]:
    """The words; the command that follows is looked for in `PATH` of this environment, and has no other.

    Raises PreconditionError on a machine whose system calls are not known here.
    """
    machine = os.uname().machine
    if machine not in _NUMBERS:
        raise PreconditionError(
            f"how a program gets a keyring of its own is not known for {machine}",
            f"Scripts can be tried on {', '.join(_NUMBERS)}.",
        )
    given = [f"{key}={value}" for key, value in {"PATH": PATH, "LC_ALL": "C", **environment}.items()]
    limits = [f"--{name}={_limit(*limit)}" for name, limit in _LIMITS.items()]
    numbers = map(str, _NUMBERS[machine])
    return ["prlimit", *limits, "--", "perl", "-MErrno", "-e", _BECOME, *numbers, str(len(given)), *given]


def _limit(number: int, soft: int, hard: int) -> str:
    if not _may_raise():
        there = resource.getrlimit(number)[1]
        soft, hard = _least(soft, there), _least(hard, there)
    return f"{_shown(soft)}:{_shown(hard)}"


def _least(*limits: int) -> int:
    finite = [limit for limit in limits if limit != _MOST]
    return min(finite, default=_MOST)


def _shown(limit: int) -> str:
    return "unlimited" if limit == _MOST else str(limit)


def _may_raise() -> bool:
    lines = Path("/proc/self/status").read_text().splitlines()
    effective = next(line.split()[1] for line in lines if line.startswith("CapEff:"))
    return bool(int(effective, 16) >> _SYS_RESOURCE & 1)
