"""``pyalias vfio plan``, ``apply``, ``restore`` and ``status``: the switch of a device's driver, and back."""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pyalias.cli.index_choice import add_index_options, open_index
from pyalias.cli.messages import print_message
from pyalias.errors import SwitchError

if TYPE_CHECKING:
    from pyalias.vfio import Plan, Status

EXIT_REFUSED = 1
EXIT_FAILED = 3
EXIT_UNFINISHED = 4

_TARGET = "a PCI address such as 0000:01:00.0, or group:N for an IOMMU group"

_CODES = """
exit codes:
  0 done, or nothing stands against it   1 refused: nothing was written   2 wrong usage
  3 failed: all is as before   4 not undone yet: pyalias vfio status tells, restore mends
"""

_PLAN_EPILOG = f"""\
Shows which driver a device would get, by which writes, and what speaks against it. Only reads.

example:
  pyalias vfio plan 0000:01:00.0
  pyalias vfio plan group:8 --json
  pyalias vfio plan 0000:01:00.0 --udev-rule > /etc/udev/rules.d/70-pyalias-vfio.rules
{_CODES}"""

_APPLY_EPILOG = f"""\
Without --write it checks and shows the plan. With it, all devices of the plan change their driver, or none
does: what they were is recorded first, every step is verified, and any failure is undone.

example:
  pyalias vfio apply 0000:01:00.0
  pyalias vfio apply 0000:01:00.0 --write
{_CODES}"""

_RESTORE_EPILOG = f"""\
Brings devices back to the driver and the override that they had before apply, also after one that was
killed. Without --write it shows what is recorded.

example:
  pyalias vfio restore 0000:01:00.0 --write
  pyalias vfio restore --all --write
{_CODES}"""

_STATUS_EPILOG = f"""\
States: untouched (no record), switched, interrupted (restore it), waiting (the kernel has not answered, and
a helper process undoes the switch when it does), as before, gone. Without TARGET all recorded devices.

example:
  pyalias vfio status 0000:01:00.0
{_CODES}"""


def add_parsers(subparsers: Any) -> None:
    """Register the four commands."""
    plan = _add(subparsers, "plan", "show how a device would be switched to a VFIO driver", _PLAN_EPILOG)
    plan.add_argument("target", metavar="TARGET", help=_TARGET)
    plan.add_argument("--udev-rule", action="store_true", help="print a udev rule that makes it last instead")
    _add_choice(plan)
    plan.set_defaults(run=_plan)
    apply = _add(subparsers, "apply", "switch a device to a VFIO driver", _APPLY_EPILOG)
    apply.add_argument("target", metavar="TARGET", help=_TARGET)
    _add_choice(apply)
    _add_writing(apply, "in spite of signs of use")
    apply.set_defaults(run=_apply)
    restore = _add(subparsers, "restore", "bring a device back to its driver", _RESTORE_EPILOG)
    which = restore.add_mutually_exclusive_group(required=True)
    which.add_argument("target", metavar="TARGET", nargs="?", help=_TARGET)
    which.add_argument("--all", action="store_true", help="all devices that were switched")
    _add_writing(restore, "also where a process has the device open")
    restore.set_defaults(run=_restore)
    status = _add(subparsers, "status", "show how devices stand", _STATUS_EPILOG)
    status.add_argument("target", metavar="TARGET", nargs="?", help=_TARGET)
    status.set_defaults(run=_status)


def _add(subparsers: Any, name: str, text: str, epilog: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print one object")
    parser.add_argument(
        "--root", metavar="DIR", default="/", help="another tree with sys, lib and run, such as a host's"
    )
    return parser


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--driver", metavar="NAME", help="a driver, or its module, instead of the best one")
    add_index_options(parser)


def _add_writing(parser: argparse.ArgumentParser, force: str) -> None:
    parser.add_argument("--write", action="store_true", help="do it; without this nothing is written")
    parser.add_argument("--force", action="store_true", help=force)
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_seconds,
        default=15.0,
        help="how long to wait for each answer of the kernel (default: %(default)g)",
    )


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError("expected a positive number of seconds")
    return value


def _target(options: argparse.Namespace) -> str | int | None:
    found = re.fullmatch(r"group:([0-9]+)", options.target or "")
    return int(found[1]) if found else options.target


def _make_plan(options: argparse.Namespace) -> Plan:
    from pyalias import vfio  # noqa: PLC0415 - the other commands of vfio do without

    target = _target(options)
    if target is None:
        raise AssertionError
    if options.driver is not None:
        return vfio.plan(target, driver=options.driver, root=options.root)
    if options.index is None and options.modules is None and options.kernel is None:
        return vfio.plan(target, root=options.root)
    with open_index(options) as index:
        return vfio.plan(target, index=index, root=options.root)


def _plan(options: argparse.Namespace) -> int:
    from pyalias import vfio  # noqa: PLC0415

    try:
        found = _make_plan(options)
        if options.udev_rule:
            print(vfio.udev_rules(found), end="")
            return 0
    except SwitchError as error:
        return _told(error)
    _show(options, found)
    return EXIT_REFUSED if found.refused or found.in_use else 0


def _apply(options: argparse.Namespace) -> int:
    from pyalias import vfio  # noqa: PLC0415

    try:
        found = _make_plan(options)
        _show(options, found)
        vfio.apply(found, write=options.write, force=options.force, timeout=options.timeout)
    except SwitchError as error:
        return _told(error)
    if not options.write and found.steps:
        print_message("nothing was written: --write does it")
    return 0


def _restore(options: argparse.Namespace) -> int:
    from pyalias import vfio  # noqa: PLC0415

    try:
        entries = vfio.restore(
            _target(options),
            write=options.write,
            force=options.force,
            timeout=options.timeout,
            root=options.root,
        )
    except SwitchError as error:
        return _told(error)
    _show_status(options, entries)
    if not any(entry.record for entry in entries):
        print_message("no switch is recorded: there is nothing to restore")
        return EXIT_REFUSED
    if not options.write:
        print_message("nothing was written: --write does it")
    return 0


def _status(options: argparse.Namespace) -> int:
    from pyalias import vfio  # noqa: PLC0415

    try:
        entries = vfio.status(_target(options), root=options.root)
    except SwitchError as error:
        return _told(error)
    _show_status(options, entries)
    left = any(entry.state in ("interrupted", "waiting") for entry in entries)
    return EXIT_UNFINISHED if left else 0


def _show(options: argparse.Namespace, found: Plan) -> None:
    print(json.dumps(found.to_dict(), indent=2) if options.json else found)


def _show_status(options: argparse.Namespace, entries: tuple[Status, ...]) -> None:
    if options.json:
        print(json.dumps([asdict(entry) for entry in entries], indent=2))
        return
    for entry in entries:
        print(entry)


def _told(error: SwitchError) -> int:
    print_message(str(error))
    if error.outcome in ("pending", "unfinished"):
        return EXIT_UNFINISHED
    return EXIT_REFUSED if error.step == "preflight" else EXIT_FAILED
