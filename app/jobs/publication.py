"""Publication of the daily seals: in a file, by a webhook, and to the auditors.

After sealing and apart from it: what cannot be published is tried again, and holds nothing up. A
way that fails all the time is overdue in /readyz.
"""

from app.integrations import seal_webhook
from app.jobs.job import Job
from app.runtime import Runtime
from app.services.ledger import publication, seals

WEBHOOK = "webhook"


async def to_file(runtime: Runtime) -> int:
    """Append new seals to the file; return how many. Safe with two workers: the file is locked."""
    file = runtime.settings.published_seals
    if file is None:
        return 0
    async with runtime.database.read() as tx:
        return await publication.append(tx, file)


async def to_webhook(runtime: Runtime) -> int:
    """Post new seals, one per transaction; return how many.

    Safe with two workers: the second one waits for the row of the channel. A day is posted again
    only if the process is killed between the reply and the commit.
    """
    url = runtime.settings.seal_webhook_url
    posted = 0
    while url:
        async with runtime.database.transaction() as tx:
            sealed = await publication.next_one(tx, WEBHOOK)
            if sealed is None:
                break
            await seal_webhook.post(
                url.get_secret_value(), seals.to_out(sealed).model_dump(mode="json")
            )
            await publication.note(tx, WEBHOOK, sealed)
        posted += 1
    return posted


async def to_auditors(runtime: Runtime) -> int:
    """Notify the auditors of new seals, one per transaction; return of how many.

    Safe with two workers, and when one is killed: notices and their record are one transaction.
    """
    told = 0
    while True:
        async with runtime.database.transaction() as tx:
            if not await publication.notify_auditors(tx):
                return told
        told += 1


JOBS = (
    Job("publish-seals", to_file, every=60),
    Job("post-seals", to_webhook, every=60),
    Job("notify-of-seals", to_auditors, every=60),
)
