"""What the demonstration data is made with beside the database."""

from dataclasses import dataclass
from typing import Self

from app.core.keys import FieldCipher
from app.core.links import SignedLinks
from app.core.settings import Settings
from app.integrations.storage import Store, open_store
from app.runtime import templates_file
from app.services import subscriptions
from app.services.subscriptions import Templates


@dataclass(frozen=True, slots=True)
class Means:
    """``templates``: of WeChat's messages. ``store``: of the bytes of pictures."""

    cipher: FieldCipher
    links: SignedLinks
    templates: Templates
    store: Store

    @classmethod
    def of(cls, settings: Settings) -> Self:
        secrets = settings.secrets
        return cls(
            cipher=FieldCipher(secrets),
            links=SignedLinks(secrets),
            templates=subscriptions.load(templates_file(settings)),
            store=open_store(settings),
        )
