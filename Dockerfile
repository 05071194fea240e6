# The service as an image: built in one stage, run as a plain user in the next.
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY contracts ./contracts
COPY checks ./checks
COPY contracts_svc ./contracts_svc
RUN python -m venv /opt/contracts \
 && /opt/contracts/bin/pip install --no-cache-dir -c constraints.txt .

FROM python:3.13-slim
COPY --from=build /opt/contracts /opt/contracts
RUN useradd --create-home --uid 10001 contracts
USER contracts
WORKDIR /home/contracts
ENV PATH=/opt/contracts/bin:$PATH PYTHONUNBUFFERED=1
ENTRYPOINT ["contracts"]
CMD ["--help"]
