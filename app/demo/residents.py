"""Residents of the demonstration data: their communities, and what alice has beside points."""

from datetime import date

from app.core.db import Session
from app.demo import pictures
from app.demo.cast import CAST, RESIDENTS
from app.demo.county import County
from app.models.activities import Category
from app.models.consents import ConsentDocument
from app.models.subscriptions import SubscriptionAnswer
from app.schemas.certificates import CertificateIn
from app.schemas.consents import ConsentIn
from app.schemas.name_confirmations import NameConfirmationIn
from app.schemas.profiles import MeIn
from app.schemas.subscriptions import AnswerIn, SubscriptionsIn
from app.services import consents, data_copies, name_confirmations, profiles, subscriptions
from app.services.attachments.subjects import SubjectRef
from app.services.certificates import issuing

BORN = date(2001, 5, 4)
WITH_PROFILE = 20  # neighbours; the others left theirs empty


async def join(tx: Session, county: County) -> None:
    """Give neighbours a community, and alice a whole profile whose name is confirmed."""
    for number, neighbour in enumerate(county.neighbours[:WITH_PROFILE]):
        profile = MeIn(
            display_name=RESIDENTS[number],
            birth_year=1990 + number % 15,
            community_id=county.communities[number % len(county.communities)],
        )
        await profiles.replace(tx, neighbour, profile)
    await _alice(tx, county)


async def _alice(tx: Session, county: County) -> None:
    """Agree to the texts, fill in the profile; the organizer confirms the name."""
    alice, name = county.people["alice"], CAST["alice"]
    texts = consents.texts()
    for document in (ConsentDocument.privacy, ConsentDocument.terms):
        body = ConsentIn(document=document, version=texts[document].version, given=True)
        await consents.record(tx, county.means.cipher, alice, body)
    profile = MeIn(
        display_name=name,
        birth_date=BORN,
        community_id=county.community,
        interests=[Category.volunteer_service, Category.culture],
        language="zh-CN",
        shows_name=True,
    )
    await profiles.replace(tx, alice, profile)
    subject = SubjectRef("person", alice)
    await pictures.attach(tx, county.means, alice, subject, "people", 3)
    confirmed = NameConfirmationIn(display_name=name)
    await name_confirmations.confirm(tx, county.people["organizer"], alice, confirmed)


async def keep_papers(tx: Session, county: County) -> None:
    """Issue a certificate of hours, accept messages of WeChat, ask for a copy of all data."""
    alice = county.people["alice"]
    await issuing.issue(tx, alice, CertificateIn())
    accepted = [
        AnswerIn(template_id=one.template_id, answer=SubscriptionAnswer.accept)
        for one in (await subscriptions.mine(tx, county.means.templates, alice)).items
    ]
    answers = SubscriptionsIn(answers=accepted)
    await subscriptions.answer(tx, county.means.templates, alice, answers)
    await data_copies.ask(tx, county.means.links, alice)
