"""A WeChat to develop against: the same paths, shapes, limits and error codes.

Mounted at ``/sandbox/wechat`` in development only.
"""
