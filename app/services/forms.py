"""Forms: written by organizers, in versions; used by an organisation and by those below it."""

from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.core.paging import Page, PageParams
from app.models.forms import Form, FormState, FormVersion
from app.queries import activity_templates as template_queries
from app.queries import forms as queries
from app.queries import records as record_queries
from app.schemas.forms import FormDetailOut, FormEditIn, FormIn, FormOut
from app.services import audit, orgs, people, records

MOVES = {
    FormState.draft: {FormState.published, FormState.retired},
    FormState.published: {FormState.retired},
}


class FormNotFound(Refusal):
    code, status, title = "forms.not_found", 404, "No such form"
    zh, en = "表单不存在", "There is no such form."


class FormWrongState(records.WrongState):
    code = "forms.wrong_state"


async def create(tx: Session, caller: UUID, body: FormIn) -> FormDetailOut:
    """Create a draft with its first version. Raises OrgNotFound, Forbidden, OrgClosed."""
    org = await records.authorized_open(tx, caller, people.ORGANIZERS, body.org_id)
    form = Form(org_id=org.id, created_by=caller, title=body.title)
    await records.create(tx, caller, form)
    return FormDetailOut.of(form, await _add_version(tx, caller, form, body))


async def browse(
    tx: Session,
    caller: UUID,
    org_id: UUID,
    state: FormState | None,
    asked: PageParams,
    *,
    usable: bool,
) -> Page[FormOut]:
    """Return the forms of a subtree, newest first.

    ``usable``: instead those that activities of the organisation may have: its own published ones
    and those from above. Raises OrgNotFound, Forbidden.
    """
    if not usable:
        return await records.browse(
            tx, caller, people.READERS, org_id, Form, FormOut, asked, state=state
        )
    org = await records.authorized(tx, caller, people.READERS, org_id)
    query = record_queries.above(Form, org.path, state=FormState.published)
    return await records.page(tx, query, Form, FormOut, asked)


async def get(tx: Session, caller: UUID, form_id: UUID, number: int | None) -> FormDetailOut:
    """Return a form with the questions of a version, by default the newest.

    To organizers and auditors at its organisation, above and below it. Raises FormNotFound.
    """
    form = await record_queries.find(tx, Form, form_id)
    if form is not None:
        org = await orgs.get(tx, form.org_id)
        if await template_queries.is_near(tx, caller, people.READERS, org.path):
            return FormDetailOut.of(form, await _version(tx, form, number or form.version))
    raise FormNotFound


async def edit(
    tx: Session, caller: UUID, form_id: UUID, version: int, body: FormEditIn
) -> FormDetailOut:
    """Add a version; activities keep the one that they have. Without a change there is none.

    Raises FormNotFound, PreconditionFailed, FormWrongState (retired).
    """
    form = await _locked(tx, caller, form_id)
    records.require_version(form.version, version)
    if form.state == FormState.retired:
        raise FormWrongState(status=form.state)
    newest = await _version(tx, form, form.version)
    asked = body.model_dump(mode="json")
    fields = [name for name in ("title", "questions") if getattr(newest, name) != asked[name]]
    if not fields:
        return FormDetailOut.of(form, newest)
    form.title, form.version = body.title, form.version + 1
    await record_queries.save(tx, form)
    added = await _add_version(tx, caller, form, body)
    await audit.write(tx, caller, "edited", form, fields=fields, facts={"version": form.version})
    return FormDetailOut.of(form, added)


async def move(tx: Session, caller: UUID, form_id: UUID, state: FormState) -> FormOut:
    """Publish or retire a form. Raises FormNotFound, FormWrongState."""
    form = await _locked(tx, caller, form_id)
    await records.move(tx, caller, form, state, MOVES, FormWrongState)
    return FormOut.model_validate(form)


async def usable(tx: Session, form_id: UUID, org_path: str) -> FormVersion | None:
    """Return the newest version of a form; None unless activities at this path may have it.

    It must be published, and of the organisation or of one above it.
    """
    form = await record_queries.find(tx, Form, form_id)
    if form is None or form.state != FormState.published:
        return None
    org = await orgs.get(tx, form.org_id)
    return await _version(tx, form, form.version) if org_path.startswith(org.path) else None


async def _locked(tx: Session, caller: UUID, form_id: UUID) -> Form:
    return await records.locked(tx, Form, form_id, caller, people.ORGANIZERS, FormNotFound)


async def _version(tx: Session, form: Form, number: int) -> FormVersion:
    found = await queries.version(tx, form.id, number)
    if found is None:
        raise FormNotFound
    return found


async def _add_version(tx: Session, caller: UUID, form: Form, body: FormEditIn) -> FormVersion:
    version = FormVersion(
        form_id=form.id,
        number=form.version,
        title=body.title,
        questions=[one.model_dump(mode="json") for one in body.questions],
        has_required=any(one.required for one in body.questions),
        created_by=caller,
    )
    await queries.add(tx, version)
    return version
