"""Whatever posts is dated by ``moments``: modules that post read ``now`` for other things only."""

import ast
from collections.abc import Iterator
from pathlib import Path

APP = Path(__file__).resolve().parents[2] / "app"
LAYERS = ("services", "jobs", "runtime.py")
POSTING = "app.services.ledger.posting"
# Functions of such modules that read the clock and post nothing by it: lists, deadlines, defaults,
# windows, quotas of a day.
OTHERWISE = {
    "app.jobs.attachments._check",
    "app.jobs.attachments.sweep",
    "app.jobs.batches.in_batches",
    "app.jobs.leaderboards.__call__",
    "app.jobs.leaderboards.__init__",
    "app.services.awards.proposals.give",
    "app.services.awards.public_notice.object_to",
    "app.services.checkins.record",
    "app.services.checkouts.record",
    "app.services.corrections._leave",
    "app.services.corrections._require_times",
    "app.services.counters.preview_charge",
    "app.services.counters.today",
    "app.services.deductions.appeal",
    "app.services.deductions.deduct",
    "app.services.donations.honour",
    "app.services.donations.honoured",
    "app.services.handovers._by_card",
    "app.services.handovers._by_code",
    "app.services.handovers.make_code",
    "app.services.handovers.record",
    "app.services.policy_simulations.asking._period",
    "app.services.policy_simulations.asking.ask",
    "app.services.policy_simulations.asking.cancel",
    "app.services.policy_simulations.running._fail",
    "app.services.policy_simulations.running._replay",
    "app.services.flags.decide",
    "app.services.flags.find",
    "app.services.flags.forget_positions",
    "app.services.quest_visits.visit",
    "app.services.redemptions.charges._plan",
    "app.services.redemptions.disputes.dispute",
    "app.services.redemptions.codes.mine",
    "app.services.redemptions.offers._own_parts",
    "app.services.redemptions.reading.mine",
    "app.services.stewards._named",
    "app.services.scans.uploads.receive",
    "app.jobs.redemption_days._once",
    "app.services.day_orders.counters.by_card_code",
    "app.services.offline_handovers.upload",
    "app.services.redemption_days.editing.publish",
    "app.services.redemption_days.reading._own_part",
}


def modules() -> dict[str, ast.Module]:
    files = [file for layer in LAYERS for file in [*(APP / layer).rglob("*.py"), APP / layer]]
    return {
        ".".join(("app", *file.relative_to(APP).with_suffix("").parts)): ast.parse(file.read_text())
        for file in files
        if file.suffix == ".py"
    }


def imports(tree: ast.Module) -> set[str]:
    """Return the modules that may be meant by the imports of a module."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return found


def that_post(trees: dict[str, ast.Module]) -> set[str]:
    """Return the modules that import the posting, or one that does, and so on."""
    found, size = {POSTING}, 0
    while len(found) > size:
        size = len(found)
        found |= {name for name, tree in trees.items() if imports(tree) & found}
    return found


def readers(name: str, tree: ast.Module) -> Iterator[str]:
    """Yield the functions of a module that call ``now``."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and ast.unparse(node.func) in ("now", "clock.now"):
                    yield f"{name}.{function.name}"


def found_in(trees: dict[str, ast.Module]) -> set[str]:
    return {one for name in that_post(trees) for one in readers(name, trees[name])}


def test_nothing_else_dates_a_posting() -> None:
    assert found_in(modules()) == OTHERWISE


def test_a_posting_by_the_own_clock_would_be_found() -> None:
    source = """
from app.core.clock import now
from app.services.awards.granting import grant

async def give(tx, grants):
    await grant(tx, grants, now())
"""
    trees = modules() | {"app.services.gifts": ast.parse(source)}
    assert found_in(trees) - OTHERWISE == {"app.services.gifts.give"}
