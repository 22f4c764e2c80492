"""Templates of activities: written by an organisation, used by it and by those below it."""

from datetime import timedelta
from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.core.paging import Page, PageParams, by_id
from app.core.validation_messages import invalid
from app.models.activity_templates import ActivityTemplate
from app.models.sessions import ActivitySession
from app.queries import activity_templates as queries
from app.queries import records as record_queries
from app.queries import sessions as session_queries
from app.schemas.activities import ActivityOut, content_of
from app.schemas.activity_templates import (
    ActivityStartIn,
    ActivityTemplateEditIn,
    ActivityTemplateIn,
    ActivityTemplateOut,
)
from app.services import activities, audit, orgs, people, records


class ActivityTemplateNotFound(Refusal):
    code, status, title = "activity_templates.not_found", 404, "No such template"
    zh, en = "活动模板不存在", "There is no such template."


async def create(tx: Session, caller: UUID, body: ActivityTemplateIn) -> ActivityTemplateOut:
    """Create a template. Raises OrgNotFound, Forbidden, Invalid (rule)."""
    org = await records.authorized(tx, caller, people.ORGANIZERS, body.org_id)
    await activities.require_rule(tx, org.path, body.rule_key, checks_out=body.checks_out)
    template = ActivityTemplate(org_id=org.id, created_by=caller, **body.columns())
    await records.create(tx, caller, template)
    return ActivityTemplateOut.of(template)


async def browse(
    tx: Session, caller: UUID, org_id: UUID, asked: PageParams
) -> Page[ActivityTemplateOut]:
    """Return what an organisation may use: its templates and those from above, newest first.

    Raises OrgNotFound, Forbidden.
    """
    org = await records.authorized(tx, caller, people.READERS, org_id)
    return await by_id(
        asked,
        lambda before, limit: queries.usable_at(tx, org.path, before, limit),
        ActivityTemplateOut.of,
    )


async def get(tx: Session, caller: UUID, template_id: UUID) -> ActivityTemplateOut:
    """Return a template. Raises ActivityTemplateNotFound."""
    return ActivityTemplateOut.of(await _near(tx, caller, template_id))


async def edit(
    tx: Session, caller: UUID, template_id: UUID, version: int, body: ActivityTemplateEditIn
) -> ActivityTemplateOut:
    """Replace the content; activities that were started from it stay as they are.

    Raises ActivityTemplateNotFound, PreconditionFailed, Invalid (rule).
    """
    template = await _own(tx, caller, template_id)
    records.require_version(template.version, version)
    if (body.rule_key, body.checks_out) != (template.rule_key, template.checks_out):
        org = await orgs.get(tx, template.org_id)
        await activities.require_rule(tx, org.path, body.rule_key, checks_out=body.checks_out)
    for name, value in body.columns().items():
        if getattr(template, name) != value:
            setattr(template, name, value)
    if fields := record_queries.changed(template):
        template.version += 1
        await record_queries.save(tx, template)
        await audit.write(tx, caller, "edited", template, fields=fields)
    return ActivityTemplateOut.of(template)


async def delete(tx: Session, caller: UUID, template_id: UUID) -> None:
    """Delete a template. Raises ActivityTemplateNotFound."""
    template = await _own(tx, caller, template_id)
    await audit.write(tx, caller, "deleted", template)
    await queries.delete(tx, template)


async def start(tx: Session, caller: UUID, template_id: UUID, body: ActivityStartIn) -> ActivityOut:
    """Create a draft of an activity, with its sessions, at the template's organisation or below it.

    Raises ActivityTemplateNotFound, OrgNotFound, Forbidden, Invalid (organisation, rule, times).
    """
    template = await _near(tx, caller, template_id)
    org, of = await orgs.get(tx, body.org_id), await orgs.get(tx, template.org_id)
    if not org.path.startswith(of.path):
        raise invalid("body.org_id", "模板不适用于该组织", "not an organisation of this template")
    lengths = [one["after_minutes"] + one["minutes"] for one in template.sessions]
    ends_at = body.starts_at + timedelta(minutes=max(lengths, default=template.minutes))
    content = content_of(template, org_id=org.id, starts_at=body.starts_at, ends_at=ends_at)
    origin = ("activity_template", template.id)
    made = await activities.create(tx, caller, content, origin, sessions=len(lengths))
    await session_queries.insert(tx, _sessions(template, made))
    return made


def _sessions(template: ActivityTemplate, activity: ActivityOut) -> list[ActivitySession]:
    """Return the sessions of an activity from a template, numbered by start."""
    by_start = sorted(template.sessions, key=lambda one: int(one["after_minutes"]))
    starts = [activity.starts_at + timedelta(minutes=one["after_minutes"]) for one in by_start]
    return [
        ActivitySession(
            activity_id=activity.id,
            number=number,
            title=one["title"],
            starts_at=starts_at,
            ends_at=starts_at + timedelta(minutes=one["minutes"]),
            capacity=one["capacity"],
        )
        for number, (one, starts_at) in enumerate(zip(by_start, starts, strict=True), start=1)
    ]


async def _own(tx: Session, caller: UUID, template_id: UUID) -> ActivityTemplate:
    return await records.locked(
        tx, ActivityTemplate, template_id, caller, people.ORGANIZERS, ActivityTemplateNotFound
    )


async def _near(tx: Session, caller: UUID, template_id: UUID) -> ActivityTemplate:
    """Return a template of an organisation near the caller's. Raises ActivityTemplateNotFound."""
    template = await record_queries.find(tx, ActivityTemplate, template_id)
    if template is not None:
        org = await orgs.get(tx, template.org_id)
        if await queries.is_near(tx, caller, people.READERS, org.path):
            return template
    raise ActivityTemplateNotFound
