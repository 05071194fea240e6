# The service as an image: built in one stage, run as a plain user in the next.
#   docker build -t contracts .
#   docker run --read-only --tmpfs /tmp -v contracts:/data -p 8080:8080 contracts
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY contracts ./contracts
COPY checks ./checks
COPY contracts_svc ./contracts_svc
RUN python -m venv /opt/contracts \
 && /opt/contracts/bin/pip install --no-cache-dir -c constraints.txt '.[tracing]'

FROM python:3.13-slim
COPY --from=build /opt/contracts /opt/contracts
RUN useradd --create-home --uid 10001 contracts && install -d -o contracts /data
USER contracts
# Custom checks (pandera) of the deployment are looked for in /data/checks.
WORKDIR /data
VOLUME /data
ENV PATH=/opt/contracts/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    CONTRACTS_HOST=0.0.0.0 CONTRACTS_PORT=8080 \
    CONTRACTS_DATABASE_URL=sqlite:////data/contracts.db CONTRACTS_STATES_FILE=/data/states.db
EXPOSE 8080
# Of `serve`: whoever runs another command switches it off (--no-healthcheck).
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ['CONTRACTS_PORT']}/health\", timeout=4)"]
ENTRYPOINT ["contracts"]
CMD ["serve"]
