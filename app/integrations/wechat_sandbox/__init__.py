"""A WeChat to develop against: the same paths, shapes, limits and error codes.

Mounted at ``/sandbox/wechat`` in development only.
"""

from app.integrations.wechat_sandbox.routes import Sandbox, create_sandbox
from app.integrations.wechat_sandbox.state import sandbox_openid

__all__ = ["Sandbox", "create_sandbox", "sandbox_openid"]
