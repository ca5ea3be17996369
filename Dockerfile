# All processes in one container. The state is in /app/.trackwalker: mount a volume there. There is no VOLUME line,
# because Railway rejects images that have one and attaches its own.

FROM python:3.13-slim AS tools
WORKDIR /app
COPY tools tools
# The same script as on a developer's machine, with the same pins and hashes. The npm that it uses stays in this stage.
RUN python tools/setup.py --only-tools

FROM python:3.13-slim
# git: clones, diffs and pushes. tini: reaps orphaned processes of a killed agent, which is the duty of PID 1.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates git tini \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /app
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes --only-binary=:all: -r requirements.lock
COPY --from=tools /app/.tools/bin .tools/bin
COPY Procfile ./
COPY workers workers
COPY receiver receiver
# The command `trackwalker`, also for `railway ssh` and `docker exec`, from any folder.
COPY tools/setup.py tools/console_command.py tools/dotenv_secret.py tools/setup_error.py tools/
RUN python tools/setup.py --only-command /usr/local/bin && trackwalker --help > /dev/null

# The container runs as root on purpose. The agent must run as another user than the worker. Where the kernel offers user
# namespaces, bubblewrap does that for any user; most container hosts offer none, and then only root can start a process
# under another user id. Railway's volumes belong to root as well.
EXPOSE 8000
ENTRYPOINT ["tini", "--"]
CMD ["trackwalker", "up"]
