"""Check that an entry of your passbook is under a published seal. Needs nothing but Python.

    curl -H "Authorization: Bearer $TOKEN" $SERVER/api/v1/me/points/entries/7/proof > proof.json
    python check_proof.py proof.json SEAL

SEAL is the day's, as published (GET /api/v1/ledger/seals, or on paper). The texts: version |
transfer | unit | points | kind | time (UTC) | reference | source | its id | organisation | what
it settles | reason; and in or out | account | number | balance afterwards.
"""

import json
import sys
from hashlib import sha256
from pathlib import Path


def check(proof: dict, published: str) -> str | None:
    """Return what is wrong, or None."""
    leaf = b"\x00" + sha256(proof["transfer"].encode()).digest() + proof["entry"].encode()
    node = sha256(leaf).hexdigest()
    for level in proof["path"]:
        if node not in level["nodes"][level["place"] :][:1]:
            return "the entry is not in this tree"
        node = sha256(b"\x01" + bytes.fromhex("".join(level["nodes"]))).hexdigest()
    sealed = proof["sealed"]
    if node != sealed["root"]:
        return "the tree has another root"
    day, root = f"{sealed['day']}|{sealed['leaves']}|".encode(), bytes.fromhex(sealed["root"])
    chained = b"\x02" + bytes.fromhex(sealed["previous"]) + day + root
    if sealed.get("version", 1) == 2:  # such a seal covers facts, too
        facts = f"|{sealed['facts']}|".encode() + bytes.fromhex(sealed["facts_root"])
        chained = b"\x03" + chained[1:] + facts
    if sha256(chained).hexdigest() != published.strip().lower():
        return "the day was sealed with another root"
    return None


if __name__ == "__main__":
    _, file, seal = sys.argv if len(sys.argv) == 3 else sys.exit(__doc__)
    proof = json.loads(Path(file).read_text(encoding="utf-8"))
    print(proof["transfer"], proof["entry"], sep="\n")
    print(f"NOT PROVEN: {wrong}" if (wrong := check(proof, seal)) else "PROVEN")
    sys.exit(bool(wrong))
