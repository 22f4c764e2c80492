"""Check that an entry of your passbook is under a published seal. Needs nothing but Python.

    curl -H "Authorization: Bearer $TOKEN" $SERVER/api/v1/me/points/entries/7/proof > proof.json
    python check_proof.py proof.json SEAL

SEAL is the seal of that day as it was published (GET /api/v1/ledger/seals, or on paper).
The entry's text reads: version | transfer | in or out | account | number | points |
balance afterwards | kind | time (UTC) | reason.
"""

import json
import sys
from hashlib import sha256
from pathlib import Path


def check(proof: dict, published: str) -> str | None:
    """Return what is wrong, or None."""
    node = sha256(b"\x00" + proof["entry"].encode()).hexdigest()
    for level in proof["path"]:
        if level["nodes"][level["place"]] != node:
            return "the entry is not in this tree"
        below = b"".join(bytes.fromhex(one) for one in level["nodes"])
        node = sha256(b"\x01" + below).hexdigest()
    sealed = proof["sealed"]
    if node != sealed["root"]:
        return "the tree has another root"
    day = f"{sealed['day']}|{sealed['leaves']}|".encode()
    chained = bytes.fromhex(sealed["previous"]) + day + bytes.fromhex(sealed["root"])
    if sha256(b"\x02" + chained).hexdigest() != published.strip().lower():
        return "the day was sealed with another root"
    return None


if __name__ == "__main__":
    proof = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    wrong = check(proof, sys.argv[2])
    print(proof["entry"], f"NOT PROVEN: {wrong}" if wrong else "PROVEN", sep="\n")
    sys.exit(1 if wrong else 0)
