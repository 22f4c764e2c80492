"""Codes of vouchers: organizers add them, a redemption gets one for each piece at once.

They are encrypted, and no list shows those that are left. Who has one keeps it: what was handed
out does not come back.
"""

import secrets
from datetime import datetime
from uuid import UUID

from app.core.db import Session
from app.core.errors import Refusal
from app.core.keys import FieldCipher
from app.core.language import named
from app.core.normalize import code_as_read
from app.models.redemptions import Redemption
from app.models.rewards import Reward, RewardKind
from app.models.voucher_codes import VoucherCode
from app.queries import people as people_queries
from app.queries import voucher_codes as queries
from app.schemas.redemptions import PayerOut
from app.schemas.voucher_codes import (
    VoucherCodesAddedOut,
    VoucherCodesIn,
    VoucherCodesOut,
    VoucherStockOut,
    VoucherUsedOut,
)
from app.services import audit, orgs, people
from app.services.ledger import moments
from app.services.merchants import access as merchants
from app.services.merchants.access import Staff
from app.services.rewards import editing
from app.services.rewards.reading import OutOfStock, RewardNotFound, get

# Crockford's base 32: no letters that look like digits. 60 bits.
ALPHABET, LENGTH = "0123456789ABCDEFGHJKMNPQRSTVWXYZ", 12


class NotVoucher(Refusal):
    code, status, title = "voucher_codes.not_voucher", 409, "Not a voucher"
    zh, en = "只有兑换券可以添加券码", "Only rewards of the kind voucher have codes."
    fact_names = ("kind",)


class VoucherCodeNotFound(Refusal):
    """Unknown, of another merchant, or nobody's yet; the reply does not tell which."""

    code, status, title = "voucher_codes.not_found", 404, "No such code"
    zh, en = "券码无效，或不是本店的券", "The code is not valid here."


class VoucherCodeUsed(Refusal):
    code, status, title = "voucher_codes.used", 409, "Code used"
    zh, en = "券码已使用", "The code has been used."
    fact_names = ("used_at",)


class OwnVoucher(Refusal):
    code, status, title = "voucher_codes.own", 403, "Own voucher"
    zh, en = "不能为本人使用券码，请由其他工作人员办理", "Nobody uses up a voucher of their own."


async def add(
    tx: Session, cipher: FieldCipher, caller: UUID, reward_id: UUID, body: VoucherCodesIn
) -> VoucherCodesAddedOut:
    """Import or generate codes of a voucher. Raises RewardNotFound, NotVoucher."""
    reward = await editing.managed(tx, caller, reward_id)
    if reward.kind != RewardKind.voucher:
        raise NotVoucher(kind=reward.kind)
    codes = body.codes or [_random_code() for _ in range(body.generate or 0)]
    new = await _new(tx, cipher, reward, codes)
    made = [
        VoucherCode(
            org_id=reward.org_id,
            created_by=caller,
            reward_id=reward.id,
            code_sealed=cipher.seal(code),
            code_index=index,
        )
        for index, code in new.items()
    ]
    await queries.add(tx, made)
    if reward.coded_at is None:
        await queries.begin(tx, reward, await moments.moment(tx))
    facts = {"added": len(made)}
    await audit.write(tx, caller, "imported", reward, fields=["voucher_codes"], facts=facts)
    stock = await _stock(tx, reward.id)
    known = len(codes) - len(made)
    return VoucherCodesAddedOut(**stock.model_dump(), added=len(made), known=known)


async def _new(
    tx: Session, cipher: FieldCipher, reward: Reward, codes: list[str]
) -> dict[bytes, str]:
    """Return the codes that the reward does not have, each once, by their index."""
    indexes = {code: _indexes(cipher, code) for code in codes}
    known = await queries.known(tx, reward.id, [one for every in indexes.values() for one in every])
    return {every[0]: code for code, every in indexes.items() if not known.intersection(every)}


async def stock(tx: Session, caller: UUID, reward_id: UUID) -> VoucherStockOut:
    """Return how many codes a reward has. Raises RewardNotFound."""
    reward = await get(tx, reward_id)
    org = await orgs.get(tx, reward.org_id)
    if not await people_queries.has_role_at(tx, caller, people.READERS, org.path):
        raise RewardNotFound
    return await _stock(tx, reward.id)


async def hand_out(tx: Session, redemption: Redemption, at: datetime) -> None:
    """Give a redemption a code for each piece. Raises OutOfStock."""
    wanted = redemption.quantity
    found = await queries.lock_free(tx, redemption.reward_id, wanted)
    if len(found) < wanted:
        raise OutOfStock(stock_left=len(found), opens_at=None)
    if await queries.hand_out(tx, found, redemption.id, at) < wanted:
        raise OutOfStock(stock_left=0, opens_at=None)


async def use(tx: Session, cipher: FieldCipher, staff: Staff, code: str) -> VoucherUsedOut:
    """Take a code at the merchant of its voucher, once.

    Raises Forbidden, MerchantNotYours, MerchantSuspended, VoucherCodeNotFound, OwnVoucher (by any
    account), VoucherCodeUsed.
    """
    merchant = await merchants.of_staff(tx, staff, sells=True)
    found = await queries.lock_at(tx, merchant.id, _indexes(cipher, code))
    if found is None:
        raise VoucherCodeNotFound
    one, reward, owner = found
    await people.require_no_part(tx, staff.person_id, {owner: OwnVoucher})
    at = await moments.moment(tx)
    if not await queries.use(tx, one.id, staff.person_id, at):
        raise VoucherCodeUsed(used_at=one.used_at)
    facts = audit.about("reward", reward.id)
    await audit.write(tx, staff.person_id, "accepted", one, facts=facts)
    names = await people_queries.names(tx, [owner])
    return VoucherUsedOut(
        reward_id=reward.id,
        reward_name=named(reward.name, reward.name_en),
        person=PayerOut(display_name=people.masked(names[owner].display_name)),
        used_at=at,
    )


async def show(tx: Session, cipher: FieldCipher, redemption_id: UUID) -> VoucherCodesOut:
    """Return the codes of a redemption, which the caller has found to be the person's."""
    sealed = await queries.of_redemption(tx, redemption_id)
    return VoucherCodesOut(codes=[cipher.open(one) for one in sealed])


async def _stock(tx: Session, reward_id: UUID) -> VoucherStockOut:
    total, gone = await queries.counts(tx, reward_id)
    return VoucherStockOut(reward_id=reward_id, total=total, handed_out=gone, left=total - gone)


def _indexes(cipher: FieldCipher, code: str) -> list[bytes]:
    """Return the indexes of a code, as people read and type it."""
    return cipher.indexes(f"voucher:{code_as_read(code).replace('-', '').upper()}")


def _random_code() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
