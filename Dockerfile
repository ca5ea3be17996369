# All three processes in one container. State lies in /app/.trackwalker: mount a volume there. There is no VOLUME
# line, because Railway refuses images that have one and attaches its own.

FROM python:3.13-slim AS tools
WORKDIR /app
COPY tools tools
# The same script as on a developer's machine: same pins, same hashes, and its npm is gone afterwards.
RUN python tools/setup.py --only-tools

FROM python:3.13-slim
# git: clones, diffs and pushes. tini: reaps what a killed agent leaves behind, which PID 1 would have to do.
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

# It stays root on purpose. The agent must run as somebody else than the worker. Where the kernel gives user
# namespaces bubblewrap does that for anybody, but most hosts of containers give none, and then only root can start
# the agent under another uid. Railway's volumes belong to root besides.
EXPOSE 8000
ENTRYPOINT ["tini", "--"]
CMD ["python", "-m", "workers", "up"]
