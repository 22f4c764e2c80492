# syntax=docker/dockerfile:1
# One image; its command chooses the part:
#   docker run … qingxiang serve      the api (the default)
#   docker run … qingxiang worker     the jobs          (add --no-healthcheck)
#   docker run … qingxiang migrate    the schema, once  (add --no-healthcheck)
# Any other `qingxiang` command works too: `ledger verify`, `orgs import FILE`, …
# Settings come from the environment alone; nothing secret is built in.

FROM python:3.13-slim AS dependencies
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN ["python", "-m", "venv", "/opt/venv"]
COPY requirements-production.lock /tmp/requirements-production.lock
# Wheels only: no compiler here, and nothing is executed while installing.
RUN ["/opt/venv/bin/pip", "install", "--require-hashes", "--only-binary", ":all:", \
     "-r", "/tmp/requirements-production.lock"]

FROM python:3.13-slim
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/srv/qingxiang \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    QX_ENV=production \
    QX_HOST=0.0.0.0 \
    QX_PORT=8000 \
    QX_LOG_FORMAT=json
RUN ["useradd", "--system", "--uid", "10001", "--no-create-home", "--shell", "/usr/sbin/nologin", "qingxiang"]
# A volume that is mounted here begins with this owner.
RUN ["install", "--directory", "--owner=10001", "/var/lib/qingxiang"]
COPY --from=dependencies /opt/venv /opt/venv
WORKDIR /srv/qingxiang
# Beside each other: the code finds alembic.ini above app/.
COPY alembic.ini LICENSE ./
COPY alembic alembic
COPY app app
# Fails the build, not the first request, if the base image loses its time zones.
RUN ["python", "-c", "import app.cli.main, app.main; from app.services.health import newest_migration; assert newest_migration()"]
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['QX_PORT'] + '/healthz', timeout=3)"]
ENTRYPOINT ["python", "-m", "app.cli"]
CMD ["serve"]
