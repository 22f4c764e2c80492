"""Calls operations by their ids, with the examples of their bodies in the OpenAPI document."""

import json
from dataclasses import dataclass, field
from typing import Any

from app.core.clock import now
from app.core.ids import new_id
from app.demo.phone import Network, Phone, Unexpected

EXAMPLES_DAY = "2028-05-04"


@dataclass
class Caller:
    """``document``: the OpenAPI document. ``phones``: logged in, by the sandbox user."""

    network: Network
    document: dict[str, Any]
    phones: dict[str, Phone] = field(default_factory=dict)

    async def do(
        self,
        user: str,
        operation_id: str,
        body: Any = None,
        version: Any = None,
        **inputs: Any,
    ) -> Any:
        """Call an operation as a user, with the example of its body but for ``body``.

        ``inputs``: values of the path, the others of the query. Return the reply's body.
        Raises Unexpected unless the status is one of the 200s.
        """
        phone = await self._phone(user)
        method, path, operation = self._operation(operation_id)
        placed = {name: str(one) for name, one in inputs.items() if f"{{{name}}}" in path}
        query = {name: one for name, one in inputs.items() if name not in placed}
        headers = {"Authorization": f"Bearer {phone.token}", "Idempotency-Key": str(new_id())}
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        sent = self._example(operation)
        request = self.network.client.build_request(
            method,
            path.format(**placed),
            json=None if sent is None and body is None else (sent or {}) | (body or {}),
            params=query or None,
            headers=headers,
        )
        response = await self.network.send(request)
        if not response.is_success:
            raise Unexpected(operation_id, "success", f"{response.status_code} {response.text}")
        is_json = "json" in response.headers.get("content-type", "") and response.content
        return response.json() if is_json else response.content

    async def upload(self, user: str, path: str, name: str, content: bytes, **fields: str) -> Any:
        phone = await self._phone(user)
        return (await phone.upload(path, name, content, **fields)).want(201)

    async def _phone(self, user: str) -> Phone:
        if user not in self.phones:
            self.phones[user] = Phone(self.network, user)
            await self.phones[user].log_in()
        return self.phones[user]

    def _operation(self, operation_id: str) -> tuple[str, str, dict[str, Any]]:
        for path, methods in self.document["paths"].items():
            for method, operation in methods.items():
                if operation["operationId"] == operation_id:
                    return method.upper(), path, operation
        raise LookupError(operation_id)

    def _example(self, operation: dict[str, Any]) -> dict[str, Any] | None:
        content = operation.get("requestBody", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema", {})
        name = schema.get("$ref", "").rpartition("/")[2]
        if not name:
            return None
        examples: list[dict[str, Any]] = self.document["components"]["schemas"][name]["examples"]
        return _to_come(examples[0])


def _to_come(body: dict[str, Any]) -> dict[str, Any]:
    """Move the day on which the examples' activities are to next year: it comes to be over."""
    text = json.dumps(body).replace(EXAMPLES_DAY, f"{now().year + 1}-05-04")
    moved: dict[str, Any] = json.loads(text)
    return moved
